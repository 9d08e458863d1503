/** Wires one process of several to what others run: Redis, the registry, and the gateway by its folder in the home. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { watchGateway } from './adapters/gateway-watch.ts';
import { gatewayProbe, JoinedGateway } from './adapters/joined-gateway.ts';
import { NginxGateway } from './adapters/nginx-gateway.ts';
import type { Config } from './config.ts';
import { gatewayFiles } from './embedded/nginx.ts';
import { messageOf, TreehouseError } from './errors.ts';
import type { Beside, BesideInput } from './ground.ts';
import { openNginxProxy } from './nginx-proxy.ts';
import { writeWhole } from './whole-file.ts';

/** What all processes of an installation that speak with the gateway find it by. */
export interface GatewayFolder {
  readonly folder: string;
  readonly controlSocket: string;
  /** Treehouse's own server, for the gateway alone. */
  readonly pagesSocket: string;
  /** By which the gateway shows who it is; written by `serve` and `worker`, since the gateway sees this folder alone. */
  readonly keyFile: string;
}

const IS_ROOT = process.getuid?.() === 0;

export function gatewayFolder({ home }: Pick<Config, 'home'>): GatewayFolder {
  const folder = path.join(home, 'nginx');
  // Root's nginx has workers without rights, who cannot enter the home.
  const own = createHash('sha256').update(path.resolve(home)).digest('hex').slice(0, 12);
  return {
    folder,
    controlSocket: path.join(folder, 'control.sock'),
    pagesSocket: path.join(IS_ROOT ? `/run/treehouse-pages-${own}` : folder, 'pages.sock'),
    keyFile: path.join(folder, 'gateway.key'),
  };
}

/**
 * @param converges whether this process puts the gateway into the networks of previews, where it is a container; else others do
 * @throws {TreehouseError} `bad-config` where it is not said where Redis and the registry are.
 */
export async function connectParts(config: Config, input: BesideInput, converges: boolean): Promise<Beside> {
  const { log, undo, door, docker, instance, joins, onGatewayBack } = input;
  const { redisUrl, registry } = config;
  if (redisUrl === undefined || registry === undefined) {
    const missing = [...(redisUrl ? [] : ['REDIS_URL']), ...(registry ? [] : ['TREEHOUSE_REGISTRY (or none)'])];
    const text = `a process of several has nothing embedded: set ${missing.join(' and ')}, or run all in one with treehouse up`;
    throw new TreehouseError('bad-config', text);
  }
  const beside = { redisUrl, embedded: undefined, registryAddress: registry === 'none' ? undefined : registry };
  return { ...beside, ...(await connectGateway()) };

  async function connectGateway(): Promise<Pick<Beside, 'gateway' | 'probe'>> {
    const proxy = await openNginxProxy(config, input);
    if (proxy) {
      undo.push(() => proxy.stop());
      // Nothing here is in the networks of previews; what is healthy is taken to listen.
      return { gateway: proxy.gateway, probe: { listening: async () => undefined } };
    }
    const { folder, controlSocket, keyFile } = gatewayFolder(config);
    const files = { controlSocket, lockFile: path.join(config.home, 'locks', 'gateway'), ...gatewayFiles(folder) };
    const gateway =
      joins && converges ? new JoinedGateway({ ...files, docker, instance, joins }) : new NginxGateway(files);
    await writeWhole(keyFile, `${door.key}\n`);
    // Its file is written in any case: without it the gateway does not start.
    await gateway.setGuards(door.guards).catch(() => undefined);
    const watching = watchGateway(gateway, {
      onBorn() {
        onGatewayBack();
        void letIn().catch(notJoined);
      },
      onAway: () => log.warn('the gateway does not answer; treehouse gateway runs it'),
    });
    undo.push(watching);
    return { gateway, probe: gatewayProbe(gateway) };

    async function letIn(): Promise<void> {
      if (gateway instanceof JoinedGateway) await gateway.joinAgain();
      else if (joins) return;
      await gateway.told();
    }
  }

  function notJoined(error: unknown): void {
    log.warn(
      { reason: messageOf(error) },
      'the gateway is not in the networks of all previews; their converge puts it there',
    );
  }
}
