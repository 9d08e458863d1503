/** The compose file that starts a preview's stack on a developer's own engine. Pure. */
import { double } from '../domain/dollars.ts';
import type { PulledService, PulledStack } from './parts.ts';
import { yamlText } from './safe-yaml.ts';
import { type Names, serviceSection } from './service-section.ts';

export function composeOf(stack: PulledStack): string {
  const secrets = secretVariables(stack.services);
  const configs = new Map<string, { readonly path: string; readonly content: string }>();
  const ports = new Map<string, string>();
  const names: Names = {
    services: new Set(stack.services.map((one) => one.facts.name)),
    config(path, content) {
      const key = freeName(configs, fileKey(path), (one) => one.path === path && one.content === content);
      configs.set(key, { path, content });
      return key;
    },
    port(service) {
      const key = freeName(ports, `PORT_${variable(service)}`, (one) => one === service);
      ports.set(key, service);
      return key;
    },
    secret: (name) => secrets.get(name) ?? '',
  };
  const sections = stack.services.map((one) => [one.facts.name, serviceSection(one, names)] as const);
  const volumes = stack.services.flatMap((one) =>
    one.facts.mounts.flatMap((mount) => (mount.kind === 'volume' ? [mount.volume] : [])),
  );
  const used = new Set(stack.services.flatMap((one) => [...one.facts.networks.keys()]));
  const file = {
    name: stack.preview.id,
    services: Object.fromEntries(sections.map(([name, { yaml }]) => [name, yaml])),
    ...filled(
      'networks',
      [...stack.networks].flatMap(([key, { internal }]) =>
        used.has(key) && (internal || key !== 'default') ? [[key, internal ? { internal } : {}] as const] : [],
      ),
    ),
    ...filled(
      'volumes',
      volumes.map((key) => [key, {}] as const),
    ),
    ...filled(
      'configs',
      [...configs].map(([key, { content }]) => [key, { content: double(content) }] as const),
    ),
    ...filled(
      'secrets',
      [...secrets].map(([name, environment]) => [name, { environment }] as const),
    ),
  };
  const notes = new Map(sections.map(([name, section]) => [name, section.notes]));
  return yamlText(file, headOf(stack, { ports, secrets, volumes }), notes);
}

function headOf(
  stack: PulledStack,
  {
    ports,
    secrets,
    volumes,
  }: {
    readonly ports: ReadonlyMap<string, string>;
    readonly secrets: ReadonlyMap<string, string>;
    readonly volumes: readonly string[];
  },
): readonly string[] {
  const { preview, commit, services, registry } = stack;
  const own = services.some((one) => registry !== undefined && one.image.reference.startsWith(`${registry}/`));
  return [
    `The preview ${preview.id} as it runs: ${preview.repository}, branch ${preview.branch}, commit ${commit}.`,
    'Docker Compose 2.23.1 or newer starts the same on your machine:',
    '',
    `  treehouse pull ${preview.id} | docker compose -f - up`,
    '',
    ...services.flatMap(({ facts: { name, port } }) => {
      const chosen = [...ports].find(([, service]) => service === name)?.[0];
      if (port === undefined || chosen === undefined) return [];
      return [
        `${name} gets a free port: docker compose -p ${preview.id} port ${name} ${port} tells it, ${chosen}=8080 chooses it.`,
      ];
    }),
    ...[...secrets].map(
      ([name, chosen]) =>
        `The secret ${name} is not in here: give ${chosen} a value in the environment, or up says that it is missing.`,
    ),
    ...(volumes.length > 0 ? ['Volumes begin empty: no data is copied, and no seed runs.'] : []),
    ...(own ? registryLines(registry ?? '') : []),
    ...(services.some((one) => one.leftOut.some((left) => left.path !== undefined))
      ? [`What is "Not here" is in the repository: check out ${commit}, and mount it yourself.`]
      : []),
  ];
}

function registryLines(registry: string): readonly string[] {
  const port = /^(?:127\.\d+\.\d+\.\d+|localhost):(\d+)$/.exec(registry)?.[1];
  if (port === undefined) return [`Images of ${registry} take a docker login there, if it asks for one.`];
  return [
    `Images of ${registry} are in the registry on Treehouse's own host; from elsewhere it is reached by a tunnel:`,
    `  ssh -N -L ${port}:${registry} THE-HOST`,
  ];
}

/** Name of a secret → the variable that its value is taken from. */
function secretVariables(services: readonly PulledService[]): ReadonlyMap<string, string> {
  const byVariable = new Map<string, string>();
  // With a prefix of its own none is taken for PATH or DOCKER_HOST.
  for (const { name } of services.flatMap((one) => one.secrets))
    byVariable.set(
      freeName(byVariable, `SECRET_${variable(name)}`, (one) => one === name),
      name,
    );
  return new Map([...byVariable].map(([chosen, name]) => [name, chosen]));
}

function variable(text: string): string {
  return text.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');
}

function fileKey(path: string): string {
  return path.replaceAll(/[^A-Za-z0-9._-]+/g, '_').slice(-80) || '_';
}

/** `wanted`, or with a number behind it where that is something else's. */
function freeName<T>(taken: ReadonlyMap<string, T>, wanted: string, isSame: (one: T) => boolean): string {
  for (let count = 1; ; count += 1) {
    const name = count === 1 ? wanted : `${wanted}_${count}`;
    const found = taken.get(name);
    if (found === undefined || isSame(found)) return name;
  }
}

function filled(key: string, entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  return entries.length === 0 ? {} : { [key]: Object.fromEntries(entries) };
}
