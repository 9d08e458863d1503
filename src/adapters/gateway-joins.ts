/**
 * A gateway that is a container reaches a preview by being in its network: it is joined before a route leads there, and leaves
 * before the network goes, which the engine would not remove otherwise.
 */
import type Docker from 'dockerode';
import type { Engine } from '../domain/ports.ts';
import { TreehouseError } from '../errors.ts';
import { away, engineText, orAway, statusOf } from './engine-errors.ts';

export interface GatewayJoins {
  /**
   * Puts the gateway's container into each of these networks; never at the cost of its way to the world and its published ports.
   * @returns whether it was not in one of them
   * @throws {TreehouseError} `route-failed` where the container is not there, `bad-config` where it cannot be joined
   */
  join(networks: readonly string[]): Promise<boolean>;
  /** Takes it out of them, by name or id; nothing where network or container is gone. @returns whether it was in one. */
  leave(networks: readonly string[]): Promise<boolean>;
  /** Names of the networks that it is in. @throws {TreehouseError} `route-failed` where the container is not there. */
  joined(): Promise<ReadonlySet<string>>;
}

/** From here on (engine 28) a join says that it is never to be the way to the world. */
const GATEWAY_PRIORITY = [1, 48];
/** Of the networks of previews. */
const PREVIEWS = 'th-';

/** @param container name of the gateway's container */
export function gatewayJoins(docker: Docker, container: string): GatewayJoins {
  let priorities: Promise<boolean> | undefined;

  function hasPriorities(): Promise<boolean> {
    priorities ??= orAway('asking the engine for its version', docker.version()).then(({ ApiVersion }) => {
      const [major = 0, minor = 0] = ApiVersion.split('.').map(Number);
      const [wantedMajor = 0, wantedMinor = 0] = GATEWAY_PRIORITY;
      return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
    });
    priorities.catch(() => {
      priorities = undefined;
    });
    return priorities;
  }

  async function inspect(): Promise<Docker.ContainerInspectInfo> {
    try {
      return await docker.getContainer(container).inspect();
    } catch (cause) {
      throw statusOf(cause) === 404 ? missing(container, cause) : away("looking at the gateway's container", cause);
    }
  }

  async function joined(): Promise<ReadonlySet<string>> {
    const info = await inspect();
    return new Set(Object.keys(info.NetworkSettings.Networks ?? {}));
  }

  /** Before engine 28 the way to the world, and published ports with it, go to the network whose name comes first. */
  async function checkNames(inside: ReadonlySet<string>, networks: readonly string[]): Promise<void> {
    const first = networks.toSorted()[0] ?? '';
    const own = [...inside].filter((one) => !one.startsWith(PREVIEWS));
    for (const name of own) if (name < first && (await leadsOut(name))) return;
    const text =
      `the gateway's container ${container} is in no network whose name sorts before ${first} and that leads out: joined, it ` +
      'would lose its published ports. Put it in one with such a name (compose: networks: {front: {name: front}}), or use ' +
      'Docker 28 or newer';
    throw new TreehouseError('bad-config', text);
  }

  async function leadsOut(network: string): Promise<boolean> {
    const info = await orAway(`looking at the network ${network}`, docker.getNetwork(network).inspect());
    return (info as Docker.NetworkInspectInfo).Internal !== true;
  }

  async function connect(network: string): Promise<void> {
    // What an older engine does not know of it, it leaves unread.
    const EndpointConfig: Docker.EndpointSettings & { readonly GwPriority: number } = { GwPriority: -1 };
    try {
      await docker.getNetwork(network).connect({ Container: container, EndpointConfig });
    } catch (cause) {
      // Somebody was faster.
      if (isJoinedAlready(cause)) return;
      throw new TreehouseError('route-failed', `joining ${container} to ${network} failed: ${engineText(cause)}`, {
        kind: 'transient',
        cause,
      });
    }
  }

  return {
    joined,
    async join(networks) {
      if (networks.length === 0) return false;
      const info = await inspect();
      const inside = new Set(Object.keys(info.NetworkSettings.Networks ?? {}));
      const fresh = networks.filter((one) => !inside.has(one));
      if (fresh.length === 0) return false;
      if (/^(?:host|none|container:)/.test(info.HostConfig.NetworkMode ?? '')) {
        const text = `the gateway's container ${container} has no network of its own (network_mode: ${info.HostConfig.NetworkMode}), and cannot be joined to others: give it one`;
        throw new TreehouseError('bad-config', text);
      }
      if (!(await hasPriorities())) await checkNames(inside, fresh);
      for (const network of fresh) await connect(network);
      return true;
    },
    async leave(networks) {
      const left = await Promise.all(networks.map((one) => leaveOne(docker, container, one)));
      return left.includes(true);
    },
  };
}

async function leaveOne(docker: Docker, container: string, network: string): Promise<boolean> {
  try {
    await docker.getNetwork(network).disconnect({ Container: container, Force: true });
    return true;
  } catch (cause) {
    // Not there, or not in it; engines before 23 say that with 500.
    if ([403, 404, 500].includes(statusOf(cause) ?? 0)) return false;
    throw away(`taking ${container} out of ${network}`, cause);
  }
}

function isJoinedAlready(cause: unknown): boolean {
  // A code of its own it has from engine 25 on only; the words are older.
  return statusOf(cause) === 403 || /already exists in network|is already attached/i.test(engineText(cause));
}

function missing(container: string, cause: unknown): TreehouseError {
  const text = `there is no container ${container}, which is to be the gateway: start it, or set TREEHOUSE_GATEWAY_CONTAINER`;
  return new TreehouseError('route-failed', text, { kind: 'transient', cause });
}

/** The same engine, whose networks the gateway leaves before they are removed, whoever removes them. */
export function leavingFirst(engine: Engine, joins: Pick<GatewayJoins, 'leave'>): Engine {
  return {
    ...engine,
    async removeNetwork(network) {
      await joins.leave([network]);
      await engine.removeNetwork(network);
    },
  };
}
