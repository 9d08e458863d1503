/** What each service's container is made from: its image, what the image brings along, and the hash of it all. */
import { configHash, type ServiceInstance } from '../domain/compose-file.ts';
import { SHORTEST_CHECK } from '../domain/isolation.ts';
import { sideHost } from '../domain/names.ts';
import type { Exposure, Mount, Stack, StackService } from '../domain/stack.ts';
import { type VirtualHost, virtualHost } from '../domain/virtual-host.ts';
import { TreehouseError } from '../errors.ts';
import { anonymousVolume } from '../policy/harden.ts';
import { RESERVED_VARIABLES } from '../policy/table.ts';
import { contentIds, type Images, type ServiceImage } from './build.ts';
import type { BuildRun } from './build-run.ts';
import type { ConvergeDeps } from './deps.ts';

/** The app's services, ready to be made containers of; the first of `exposed` gets the preview's own host. */
export async function appInstances(
  deps: Pick<ConvergeDeps, 'git' | 'hostOf' | 'gatewayVariables'>,
  run: BuildRun,
  stack: Stack,
  images: Images,
): Promise<readonly ServiceInstance[]> {
  const virtual = new Map<string, VirtualHost>();
  for (const [index, one] of exposedServices(stack, images).entries()) {
    const label = index === 0 ? run.preview.id : sideHost(one.service, run.preview.id);
    virtual.set(one.service, virtualHost(label, deps.hostOf(label), one.port, deps.gatewayVariables));
  }
  return Promise.all(stack.services.map((service) => instance(deps, run, service, images, virtual.get(service.name))));
}

export async function instance(
  deps: Pick<ConvergeDeps, 'git'>,
  run: BuildRun,
  service: StackService,
  images: Images,
  virtual: VirtualHost | undefined,
): Promise<ServiceInstance> {
  const image = images.get(service.name);
  if (!image) throw new TreehouseError('image-missing', `${service.name} has no image`);
  const whole = { ...service, mounts: withImageVolumes(service, image) };
  const paths = [
    ...whole.mounts.flatMap((one) => (one.kind === 'bind' ? [one.path] : [])),
    ...whole.files.flatMap((one) => (one.content === undefined ? [one.path] : [])),
  ];
  const ids = await contentIds(deps, run, paths);
  const contents = paths.map((path) => ids.get(path) ?? '');
  const marks = (whole.secrets ?? []).map((one) => run.secrets().mark(service.name, one.name));
  return {
    service: whole,
    image: image.reference,
    config: configHash(whole, image.info.id, [...contents, ...marks], virtual),
    ...(virtual ? { virtual } : {}),
    ...((image.info.checkEvery ?? SHORTEST_CHECK.interval) < SHORTEST_CHECK.interval ? { hurries: true } : {}),
    reserved: image.info.variables.filter((name) => RESERVED_VARIABLES.test(name)),
  };
}

/** An image's own volumes get names too: the engine would make new, nameless ones at each redeploy. */
function withImageVolumes(service: StackService, image: ServiceImage): readonly Mount[] {
  const taken = new Set(service.mounts.map((one) => one.target.replace(/\/+$/, '')));
  const more = image.info.volumes
    .filter((target) => !taken.has(target.replace(/\/+$/, '')))
    .map(
      (target): Mount => ({
        kind: 'volume',
        volume: anonymousVolume(`image-${service.name}`, target),
        target,
        readOnly: false,
      }),
    );
  return [...service.mounts, ...more];
}

/** @throws `nothing-to-run` where no service can be reached. */
function exposedServices(stack: Stack, images: Images): readonly (Exposure & { port: number })[] {
  const found = (stack.exposed.length > 0 ? stack.exposed : byImage(stack, images)).map((one) => {
    const port = one.port ?? images.get(one.service)?.info.ports[0];
    if (port === undefined) {
      throw new TreehouseError(
        'nothing-to-run',
        `${one.service} exposes no port: add \`expose: ["8080"]\` to it, or \`x-treehouse: {expose: ["${one.service}:8080"]}\``,
      );
    }
    return { service: one.service, port };
  });
  if (found.length > 0) return found;
  throw new TreehouseError(
    'nothing-to-run',
    'no service publishes or exposes a port, so there is nothing to open: add `ports` or `expose` to one, or ' +
      '`x-treehouse: {expose: ["SERVICE:PORT"]}` to the file',
  );
}

function byImage(stack: Stack, images: Images): readonly Exposure[] {
  const open = stack.services.filter((one) => (images.get(one.name)?.info.ports.length ?? 0) > 0);
  const main = open.find((one) => one.name === 'web') ?? open.find((one) => one.build) ?? open[0];
  return main ? [{ service: main.name }] : [];
}
