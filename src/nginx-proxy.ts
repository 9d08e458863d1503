/** nginx-proxy in place of the own gateway: what is told to it, and what is heard of it. */
import type Docker from 'dockerode';
import { dockerGenBell } from './adapters/docker-gen-bell.ts';
import type { GatewayJoins } from './adapters/gateway-joins.ts';
import { watchStarts } from './adapters/gateway-starts.ts';
import { NginxProxyGateway } from './adapters/nginx-proxy-gateway.ts';
import type { Guard } from './domain/guards.ts';
import { messageOf } from './errors.ts';
import type { Logger } from './log.ts';

export interface NginxProxyInput {
  readonly docker: Docker;
  /** See LABEL.instance. */
  readonly instance: string;
  /** The name of its container. */
  readonly container: string;
  readonly joins: GatewayJoins;
  readonly guards: readonly Guard[];
  readonly log: Logger;
  /** It was started again, and may be in no network any more. */
  onBack(): void;
}

export interface NginxProxy {
  readonly gateway: NginxProxyGateway;
  stop(): Promise<void>;
}

/** Also where it is not there yet: builds are told so, and go on once it is. */
export async function openNginxProxy(input: NginxProxyInput): Promise<NginxProxy> {
  const { docker, instance, container, joins, log } = input;
  const bell = dockerGenBell(docker, container, instance);
  const gateway = new NginxProxyGateway({ docker, instance, joins, bell });
  await gateway.setGuards(input.guards);
  // A Treehouse that was killed may have joined, and not told of it.
  bell.ring().catch((error: unknown) => log.warn({ reason: messageOf(error) }, 'nginx-proxy is not there yet'));
  const unwatch = watchStarts(docker, container, () => {
    log.info({ container }, 'nginx-proxy was started; previews are joined to it again');
    input.onBack();
  });
  return { gateway, stop: async () => unwatch() };
}
