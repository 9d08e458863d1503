/**
 * What docker-gen 0.15 and the template of nginx-proxy 1.8 make of the engine, as docs/nginx-proxy.md has it from their source: it
 * looks when a container starts, stops, dies or changes its health, and at nothing between. Its own code: the real image cannot be
 * had where tests run.
 */
import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { openEvents } from '../../src/adapters/engine-events.ts';

export interface DockerGen {
  /**
   * Where nginx would send a request for a host: `ip:port`s; none where all are out of reach (502), undefined where no container has the host, so that
   * DEFAULT_HOST answers.
   */
  upstreams(host: string): readonly string[] | undefined;
  /** How often it looked. */
  readonly looks: number;
  stop(): void;
}

/** @param proxy name of the container whose networks count */
export async function watchAsDockerGen(docker: Docker, proxy: string): Promise<DockerGen> {
  let hosts: ReadonlyMap<string, readonly string[]> = new Map();
  let looks = 0;
  let looking: Promise<void> = Promise.resolve();
  let stream: Readable | undefined;

  async function look(): Promise<void> {
    const networks = await networksOf(docker, proxy);
    const found = new Map<string, readonly string[]>();
    for (const { Id } of await docker.listContainers()) {
      const info = await docker
        .getContainer(Id)
        .inspect()
        .catch(() => undefined);
      if (!info?.State.Running) continue;
      const env = new Map((info.Config.Env ?? []).map((one) => [one.split('=')[0], one.slice(one.indexOf('=') + 1)]));
      const host = env.get('VIRTUAL_HOST');
      if (!host) continue;
      const shared = Object.entries(info.NetworkSettings.Networks)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .find(([name, { IPAddress }]) => networks.has(name) && IPAddress !== '');
      const server = shared ? [`${shared[1].IPAddress}:${env.get('VIRTUAL_PORT') ?? '80'}`] : [];
      found.set(host, [...(found.get(host) ?? []), ...server]);
    }
    hosts = found;
    looks += 1;
  }

  const again = () => {
    looking = looking.then(look).catch(() => undefined);
  };
  await openEvents(
    docker,
    { event: ['start', 'stop', 'die', 'health_status'] },
    {
      opened: (one) => {
        stream = one;
      },
      event: again,
      closed: () => undefined,
    },
  );
  await look();
  return {
    upstreams: (host) => hosts.get(host),
    get looks() {
      return looks;
    },
    stop: () => stream?.destroy(),
  };
}

async function networksOf(docker: Docker, proxy: string): Promise<ReadonlySet<string>> {
  const info = await docker
    .getContainer(proxy)
    .inspect()
    .catch(() => undefined);
  return new Set(Object.keys(info?.NetworkSettings.Networks ?? {}));
}
