/** nginx-proxy in place of the own gateway: what is told to it, and what is heard of it. */
import { dockerGenBell } from './adapters/docker-gen-bell.ts';
import { watchStarts } from './adapters/gateway-starts.ts';
import { NginxProxyGateway } from './adapters/nginx-proxy-gateway.ts';
import type { Config } from './config.ts';
import { messageOf } from './errors.ts';
import type { BesideInput } from './ground.ts';

/** Told once it was started again, and may be in no network any more. */
type Input = Pick<BesideInput, 'docker' | 'instance' | 'joins' | 'door' | 'log' | 'onGatewayBack'>;

export interface NginxProxy {
  readonly gateway: NginxProxyGateway;
  stop(): Promise<void>;
}

/** Undefined where it is not what the configuration wants. It need not be there yet: builds are told so, and go on once it is. */
export async function openNginxProxy(
  { gateway: kind, gatewayContainer: container }: Pick<Config, 'gateway' | 'gatewayContainer'>,
  input: Input,
): Promise<NginxProxy | undefined> {
  const { docker, instance, joins, log } = input;
  if (kind !== 'nginx-proxy' || container === undefined || !joins) return undefined;
  const bell = dockerGenBell(docker, container, instance);
  const gateway = new NginxProxyGateway({ docker, instance, joins, bell });
  await gateway.setGuards(input.door.guards);
  // A Treehouse that was killed may have joined, and not told of it.
  bell.ring().catch((error: unknown) => log.warn({ reason: messageOf(error) }, 'nginx-proxy is not there yet'));
  const unwatch = watchStarts(docker, container, () => {
    log.info({ container }, 'nginx-proxy was started; previews are joined to it again');
    input.onGatewayBack();
  });
  return { gateway, stop: async () => unwatch() };
}
