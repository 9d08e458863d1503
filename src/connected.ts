/** Wires one process of several to what others run: Redis, the registry, and the gateway by its folder in the home. */
import path from 'node:path';
import { watchGateway } from './adapters/gateway-watch.ts';
import { NginxGateway } from './adapters/nginx-gateway.ts';
import type { Config } from './config.ts';
import type { Guard } from './domain/guards.ts';
import { gatewayFiles } from './embedded/nginx.ts';
import { TreehouseError } from './errors.ts';
import type { Beside } from './ground.ts';
import type { Logger } from './log.ts';
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

export function gatewayFolder({ home }: Pick<Config, 'home'>): GatewayFolder {
  const folder = path.join(home, 'nginx');
  return {
    folder,
    controlSocket: path.join(folder, 'control.sock'),
    pagesSocket: path.join(folder, 'pages.sock'),
    keyFile: path.join(folder, 'gateway.key'),
  };
}

/** @throws {TreehouseError} `bad-config` where it is not said where Redis and the registry are. */
export async function connectParts(
  config: Config,
  {
    log,
    undo,
    door,
    onGatewayBack,
  }: {
    readonly log: Logger;
    readonly undo: (() => Promise<unknown>)[];
    readonly door: { readonly key: string; readonly guards: readonly Guard[] };
    /** It has forgotten who sleeps, and the links. */
    onGatewayBack(): void;
  },
): Promise<Beside> {
  const { redisUrl, registry } = config;
  if (redisUrl === undefined || registry === undefined) {
    const missing = [...(redisUrl ? [] : ['REDIS_URL']), ...(registry ? [] : ['TREEHOUSE_REGISTRY (or none)'])];
    const text = `a process of several has nothing embedded: set ${missing.join(' and ')}, or run all in one with treehouse up`;
    throw new TreehouseError('bad-config', text);
  }
  const { folder, controlSocket, keyFile } = gatewayFolder(config);
  const lockFile = path.join(config.home, 'locks', 'gateway');
  const gateway = new NginxGateway({ controlSocket, lockFile, ...gatewayFiles(folder) });
  await writeWhole(keyFile, `${door.key}\n`);
  // Its file is written in any case: without it the gateway does not start.
  await gateway.setGuards(door.guards).catch(() => undefined);
  undo.push(
    watchGateway(gateway, {
      onBorn: onGatewayBack,
      onAway: () => log.warn('the gateway does not answer; treehouse gateway runs it'),
    }),
  );
  return { redisUrl, embedded: undefined, registryAddress: registry === 'none' ? undefined : registry, gateway };
}
