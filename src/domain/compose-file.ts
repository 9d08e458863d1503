/** The compose file that Treehouse itself writes for the containers of one build. Pure. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { double } from './dollars.ts';
import { CAPABILITIES, type MountFacts, type PlannedFacts, SHORTEST_CHECK } from './isolation.ts';
import { LABEL, type Role } from './labels.ts';
import type { BuildId, Commit } from './names.ts';
import type { PreviewKey } from './preview.ts';
import { layerOf, secretPath } from './secrets.ts';
import type { Mount, SecretUse, StackService } from './stack.ts';
import { type VirtualHost, virtualEnvironment } from './virtual-host.ts';

/** Start-up checks run at this pace (engine 25 and later), so that a healthy container is seen at once. */
const START_INTERVAL = '100ms';
const START_PERIOD = '60s';
const LOGGING = { driver: 'json-file', options: { 'max-size': '10m', 'max-file': '3' } };

export interface ComposeFileInput {
  readonly instance: string;
  readonly preview: PreviewKey;
  readonly build: BuildId;
  readonly commit: Commit;
  readonly role: Extract<Role, 'app' | 'test'>;
  readonly services: readonly ServiceInstance[];
  /** Where the checkout lies. */
  readonly checkout: string;
  /** Network key → the engine's name. */
  readonly networks: ReadonlyMap<string, string>;
  /** The engine's name of a volume of the model. */
  volumeName(key: string): string;
  /** Keys of the volumes that seeds of this build fill; absent where it runs none. */
  readonly seeding?: ReadonlySet<string>;
  /** The seccomp profile's file, absolute. */
  readonly seccomp: string;
  /** Where the secrets of the preview lie in memory, absolute; only of use where a service asks for any. */
  readonly secrets?: string;
}

export interface ServiceInstance {
  readonly service: StackService;
  /** What the container is made from: `name:tag`. */
  readonly image: string;
  readonly config: string;
  /** How it is reached from outside, if it is. */
  readonly virtual?: VirtualHost;
  /** Reserved variables that the image sets by itself. */
  readonly reserved: readonly string[];
  /** Whether the image's own health check comes more often than any may. */
  readonly hurries?: boolean;
}

/** Containers of several builds live in one project: each service's key carries its build. */
export function serviceKey(service: string, build: BuildId): string {
  return `${service}-${build}`;
}

/** The compose project of a preview, and that of its tests; an underscore never occurs in an id. */
export function projectName(preview: PreviewKey, role: 'app' | 'test'): string {
  return role === 'app' ? `th-${preview.id}` : `th-${preview.id}_test`;
}

/**
 * The engine's name of a preview's volume. Two Treehouses on one engine that preview the same branch have volumes of their own;
 * one that was made before names said so keeps its name.
 * @param had the preview's volumes that are this Treehouse's
 */
export function volumeName(
  preview: PreviewKey,
  instance: string,
  key: string,
  had: readonly { readonly name: string }[],
): string {
  const before = `${projectName(preview, 'app')}_${key}`;
  return had.some((one) => one.name === before) ? before : `${projectName(preview, 'app')}.${instance}_${key}`;
}

/** The mark that the seeds of a build ended well; no key of a volume comes out as this. */
export function seedMarkName(preview: PreviewKey, instance: string, build: BuildId): string {
  return `${projectName(preview, 'app')}.${instance}.seeded-${build}`;
}

/** The mark that what data there is belongs to builds of which none served; no key of a volume comes out as this. */
export function unservedMarkName(preview: PreviewKey, instance: string): string {
  return `${projectName(preview, 'app')}.${instance}.unserved`;
}

/** A network's interface on the host: `th` and a hash, by which the firewall knows previews; Linux takes 15 characters. */
export function bridgeName(network: string): string {
  return `th${createHash('sha256').update(network).digest('hex').slice(0, 12)}`;
}

export function labelsFor(
  instance: string,
  preview: PreviewKey,
  role: Role,
  more: Record<string, string> = {},
): Record<string, string> {
  return {
    [LABEL.instance]: instance,
    [LABEL.preview]: preview.id,
    [LABEL.repository]: preview.repository,
    [LABEL.branch]: preview.branch,
    [LABEL.role]: role,
    ...more,
  };
}

/** A model of containers in Compose's own words; values stay in its form, with `$` doubled. */
export function composeFile(input: ComposeFileInput): Record<string, unknown> {
  const services: Record<string, unknown> = {};
  const volumes: Record<string, unknown> = {};
  for (const instance of input.services) {
    const { service } = instance;
    services[serviceKey(service.name, input.build)] = serviceSection(instance, input);
    for (const mount of service.mounts) {
      if (mount.kind !== 'volume') continue;
      volumes[mount.volume] = {
        name: input.volumeName(mount.volume),
        labels: doubled(
          labelsFor(input.instance, input.preview, 'volume', {
            ...(input.seeding?.has(mount.volume) ? { [LABEL.seed]: input.build } : {}),
          }),
        ),
      };
    }
  }
  const networks = Object.fromEntries([...input.networks].map(([key, name]) => [key, { name, external: true }]));
  return { services, networks, volumes };
}

function serviceSection(instance: ServiceInstance, input: ComposeFileInput): Record<string, unknown> {
  const { service, virtual } = instance;
  const { labels, healthcheck, cap_add: _capAdd, cap_drop: _capDrop, ...definition } = service.definition;
  const check = (typeof healthcheck === 'object' && healthcheck !== null ? healthcheck : {}) as Record<string, unknown>;
  return {
    init: true,
    ...definition,
    image: instance.image,
    pull_policy: 'never',
    security_opt: ['no-new-privileges:true', `seccomp:${double(input.seccomp)}`],
    cap_drop: ['ALL'],
    cap_add: capabilitiesOf(service),
    environment: {
      ...Object.fromEntries(instance.reserved.map((name) => [name, ''])),
      ...service.environment,
      ...(virtual ? doubled(virtualEnvironment(virtual, instance.reserved)) : {}),
    },
    labels: {
      ...(labels as Record<string, string> | undefined),
      ...doubled(
        labelsFor(input.instance, input.preview, input.role, {
          [LABEL.commit]: input.commit,
          [LABEL.service]: service.name,
          [LABEL.build]: input.build,
          [LABEL.config]: instance.config,
          [LABEL.after]: service.dependsOn.map((one) => `${one.service}:${one.condition}`).join(' '),
          [LABEL.seed]: input.seeding ? input.build : '',
          [LABEL.cpus]: String(definition.cpus ?? ''),
          [LABEL.memory]: String(definition.mem_limit ?? ''),
          // Empty where it is not reached: an image could say a host of its own.
          [LABEL.host]: virtual?.label ?? '',
          [LABEL.port]: virtual === undefined ? '' : String(virtual.port),
        }),
      ),
    },
    healthcheck:
      check.disable === true
        ? { disable: true }
        : {
            start_period: START_PERIOD,
            start_interval: START_INTERVAL,
            ...(instance.hurries ? { interval: `${SHORTEST_CHECK.interval}s` } : {}),
            ...check,
          },
    networks: Object.fromEntries(
      Object.entries(service.networks).map(([key, aliases]) => [key, { aliases: [service.name, ...aliases] }]),
    ),
    volumes: [
      ...service.mounts.map((mount) => mountSection(mount, input.checkout)),
      ...service.files.map((file) => bind(path.join(input.checkout, file.path), file.target)),
      ...(service.secrets ?? []).map((use) => bind(secretSource(input, service, use), use.target)),
    ],
    logging: LOGGING,
  };
}

/** The usual capabilities, and what the file asks for beside them, less what it drops itself. */
export function capabilitiesOf(service: StackService): readonly string[] {
  const names = (raw: unknown): readonly string[] =>
    (Array.isArray(raw) ? raw : []).map((one) => String(one).toUpperCase().replace(/^CAP_/, ''));
  const dropped = names(service.definition.cap_drop);
  const wanted = names(service.definition.cap_add);
  const usual = dropped.includes('ALL') ? [] : CAPABILITIES;
  return [...new Set([...usual, ...wanted])].filter((one) => wanted.includes(one) || !dropped.includes(one)).sort();
}

/** What the engine is to say of a service's container, once Compose has made it. */
export function plannedFacts(instance: ServiceInstance, input: ComposeFileInput): PlannedFacts {
  const { service } = instance;
  return {
    capAdd: capabilitiesOf(service),
    networks: Object.keys(service.networks).map((key) => input.networks.get(key) ?? ''),
    mounts: [
      ...service.mounts.map((mount) => plannedMount(mount, input)),
      ...service.files.map((file) => plannedBind(path.join(input.checkout, file.path), file.target)),
      ...(service.secrets ?? []).map((use) => plannedBind(secretSource(input, service, use), use.target)),
    ],
    virtualHost: instance.virtual?.host,
    devices: devicesOf(service.definition.devices),
    sysctls: Object.keys((service.definition.sysctls as object | undefined) ?? {}),
  };
}

function devicesOf(raw: unknown): readonly string[] {
  return (Array.isArray(raw) ? raw : []).map((one) => String((one as { source?: unknown }).source));
}

function plannedMount(mount: Mount, input: ComposeFileInput): MountFacts {
  if (mount.kind === 'bind') return plannedBind(path.join(input.checkout, mount.path), mount.target);
  if (mount.kind === 'tmpfs') return { type: 'tmpfs', source: '', target: mount.target, writable: true };
  return {
    type: 'volume',
    source: input.volumeName(mount.volume),
    target: mount.target,
    writable: !mount.readOnly,
  };
}

function plannedBind(source: string, target: string): MountFacts {
  return { type: 'bind', source, target, writable: false };
}

/** A file in the host's memory; without a folder it is a path that no host has, so that nothing is mounted in its place. */
function secretSource(input: ComposeFileInput, service: StackService, use: SecretUse): string {
  return path.join(input.secrets ?? '/nonexistent', secretPath(layerOf(input.build, input.role), service.name, use));
}

function mountSection(mount: Mount, checkout: string): Record<string, unknown> {
  switch (mount.kind) {
    case 'volume':
      return { type: 'volume', source: mount.volume, target: mount.target, read_only: mount.readOnly };
    case 'bind':
      return bind(path.join(checkout, mount.path), mount.target);
    case 'tmpfs':
      return {
        type: 'tmpfs',
        target: mount.target,
        ...(mount.sizeBytes === undefined ? {} : { tmpfs: { size: mount.sizeBytes } }),
      };
    default:
      return mount satisfies never;
  }
}

function bind(source: string, target: string): Record<string, unknown> {
  return { type: 'bind', source: double(source), target, read_only: true, bind: { create_host_path: false } };
}

/** Treehouse's own values are literal: compose halves a `$$`. */
function doubled(values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, double(value)]));
}

/**
 * Hash of all that makes a service's container what it is. `contents` are git's ids of the files that it mounts, and keyed
 * fingerprints of its secrets.
 */
export function configHash(
  service: StackService,
  imageId: string,
  contents: readonly string[],
  virtual: VirtualHost | undefined,
): string {
  const { build: _build, dependsOn: _dependsOn, ...rest } = service;
  return createHash('sha256')
    .update(canonical([rest, imageId, contents, virtual]))
    .digest('hex')
    .slice(0, 32);
}

/** JSON with sorted keys. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${canonical(one)}`).join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}
