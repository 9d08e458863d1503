/** Wires what is asked of the engine itself: where it is, and what the API tells of it. */
import type Docker from 'dockerode';
import type { OwnRegistry } from './adapters/engine.ts';
import { engineShells } from './adapters/engine-exec.ts';
import { engineFacts } from './adapters/engine-host.ts';
import { runningStack } from './adapters/engine-running.ts';
import { containerDisk, containerUse } from './adapters/engine-use.ts';
import type { RegistryOptions } from './adapters/registry.ts';
import type { ApiDeps } from './api/api.ts';
import type { Config } from './config.ts';
import type { Disk } from './domain/disk.ts';
import { messageOf, TreehouseError } from './errors.ts';
import type { Logger } from './log.ts';
import { pull } from './pull/pull.ts';
import { ownerShift } from './secrets/memory.ts';

interface EngineSide
  extends Pick<Parameters<typeof pull>[0], 'engine' | 'gateway' | 'registry' | 'builds'>,
    Pick<ApiDeps['exec'], 'engine' | 'gateway' | 'sessions' | 'trail' | 'clock' | 'remote'> {
  readonly instance: string;
  readonly log: Logger;
  disks(): Promise<readonly Disk[]>;
}

/** The parts of the API that look at containers. */
export function engineAnswers(
  docker: Docker,
  side: EngineSide,
): Pick<ApiDeps, 'host' | 'exec' | 'use' | 'disk' | 'pull'> {
  const { engine, gateway, sessions, trail, clock, remote, registry, builds, instance, log } = side;
  return {
    host: async () => ({ ...(await engineFacts(docker)), disks: await side.disks() }),
    exec: {
      ...{ engine, gateway, sessions, trail, clock, remote },
      shells: engineShells(docker, instance),
      leftBehind: ({ id }, service) => log.warn({ preview: id, service }, 'a command could not be ended'),
    },
    use: (container) => containerUse(docker, container),
    disk: (container) => containerDisk(docker, container),
    pull(record, services) {
      const look: Parameters<typeof pull>[0]['look'] = (live, networks) => runningStack(docker, live, networks);
      return pull({ engine, gateway, registry, builds, look }, record, services);
    },
  };
}

/** Whose password the engine is told when it pushes to it and pulls from it; the embedded registry has none. */
export function ownRegistry({ registry, registryLogin }: Config): OwnRegistry | undefined {
  return registry === undefined || registryLogin === undefined
    ? undefined
    : { address: registry, login: registryLogin };
}

/** How the registry is asked; what the configuration says of one of its own does not hold for the embedded one. */
export function registryOf(config: Config, address: string): RegistryOptions {
  return config.registry === undefined
    ? { address }
    : { address, api: config.registryApi, login: config.registryLogin };
}

/** What the engine adds to the ids of users in containers. */
export async function idShift(docker: Docker): Promise<ReturnType<typeof ownerShift>> {
  const info = (await docker.info()) as { DockerRootDir?: string; SecurityOptions?: string[] };
  return ownerShift(info.DockerRootDir ?? '', info.SecurityOptions ?? []);
}

/** Where the engine is, if it does not see this host's files. */
export function remoteEngine({
  dockerHost,
  engineHere,
}: {
  readonly dockerHost: string | undefined;
  readonly engineHere: boolean;
}): string | undefined {
  if (engineHere || dockerHost === undefined || !/^(?:tcp|http):/.test(dockerHost)) return undefined;
  return ['localhost', '127.0.0.1', '[::1]'].includes(new URL(dockerHost).hostname) ? undefined : dockerHost;
}

/** @throws `engine-away` with the way out. */
export async function answering(ping: () => Promise<unknown>): Promise<void> {
  try {
    await ping();
  } catch (cause) {
    throw new TreehouseError(
      'engine-away',
      `no Docker engine answers (${messageOf(cause)}): start one, or run npm start, which does`,
      {
        cause,
      },
    );
  }
}
