/** Starts what is embedded, where none is configured: Redis, the registry and the gateway. */
import type Docker from 'dockerode';
import type { GatewayJoins } from './adapters/gateway-joins.ts';
import type { Config } from './config.ts';
import type { Guard } from './domain/guards.ts';
import type { OnOutage } from './embedded/keep.ts';
import { startNginx } from './embedded/nginx.ts';
import { startRedis } from './embedded/redis.ts';
import { startRegistry } from './embedded/registry.ts';
import { gatewayOptions } from './gateway-options.ts';
import type { Beside } from './ground.ts';
import type { Logger } from './log.ts';
import { openNginxProxy } from './nginx-proxy.ts';
import type { Undo } from './undo.ts';

/** @param undo takes what ends each part, in the order in which they started */
export async function startParts(
  config: Config,
  {
    log,
    signal,
    undo,
    door,
    onGatewayBack,
    ...engine
  }: {
    readonly log: Logger;
    readonly signal: AbortSignal;
    readonly undo: Undo;
    /** What the gateway asks of visitors, and its key. */
    readonly door: { readonly key: string; readonly guards: readonly Guard[] };
    readonly docker: Docker;
    readonly instance: string;
    /** Undefined where the gateway is no container. */
    readonly joins: GatewayJoins | undefined;
    /** It has forgotten who sleeps, and the links. */
    onGatewayBack(): void;
  },
): Promise<Beside> {
  const common = { home: config.home, searchPath: config.path, signal };
  const redis =
    config.redisUrl === undefined
      ? await startRedis({ ...common, onOutage: said(log, 'the embedded Redis') })
      : undefined;
  if (redis) undo.push(() => redis.stop());
  const embedded =
    config.registry === undefined
      ? await startRegistry({ ...common, onOutage: said(log, 'the embedded registry') })
      : undefined;
  if (embedded) undo.push(() => embedded.stop());
  const nginx = await startGateway();
  undo.push(() => nginx.stop());
  return {
    redisUrl: config.redisUrl ?? redis?.url ?? '',
    embedded,
    registryAddress: embedded?.address ?? (config.registry === 'none' ? undefined : config.registry),
    gateway: nginx.gateway,
  };

  function startGateway(): Promise<{ readonly gateway: Beside['gateway']; stop(): Promise<void> }> {
    const { gateway, gatewayContainer: container } = config;
    const { docker, instance, joins } = engine;
    if (gateway === 'nginx-proxy' && container !== undefined && joins) {
      return openNginxProxy({
        ...{ docker, instance, container, joins, log },
        guards: door.guards,
        onBack: onGatewayBack,
      });
    }
    return startNginx({
      home: config.home,
      ...gatewayOptions(config, log),
      pages: `${config.host}:${config.port}`,
      ...door,
      signal,
      onOutage: said(log, 'the gateway', onGatewayBack),
    });
  }
}

/** Says an outage of a part in the log. */
function said(log: Logger, part: string, back?: () => void): OnOutage {
  return {
    away: (reason) => log.warn({ part, reason }, 'a part ended and is started again'),
    back: () => {
      log.info({ part }, 'a part is back');
      back?.();
    },
  };
}
