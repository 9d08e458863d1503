/** Starts what is embedded, where none is configured: Redis, the registry and the gateway. */
import type { Config } from './config.ts';
import type { OnOutage } from './embedded/keep.ts';
import { startNginx } from './embedded/nginx.ts';
import { startRedis } from './embedded/redis.ts';
import { startRegistry } from './embedded/registry.ts';
import { gatewayOptions } from './gateway-options.ts';
import type { Beside, BesideInput } from './ground.ts';
import type { Logger } from './log.ts';
import { openNginxProxy } from './nginx-proxy.ts';

/** @param signal ends the start */
export async function startParts(config: Config, input: BesideInput, signal: AbortSignal): Promise<Beside> {
  const { log, undo, door, onGatewayBack } = input;
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

  async function startGateway(): Promise<{ readonly gateway: Beside['gateway']; stop(): Promise<void> }> {
    const proxy = await openNginxProxy(config, input);
    if (proxy) return proxy;
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
