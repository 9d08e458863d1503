/** What the gateway is started with, of the configuration, and what it says in the log: the same in every process that runs one. */
import type { Config } from './config.ts';
import type { NginxOptions, OnCertificate } from './embedded/nginx.ts';
import type { Logger } from './log.ts';

type Given = Pick<
  Config,
  | 'gatewayHost'
  | 'gatewayPort'
  | 'domain'
  | 'adminHost'
  | 'tls'
  | 'hsts'
  | 'publicPort'
  | 'trustedProxies'
  | 'hasEntrance'
>;

export function gatewayOptions(config: Given, log: Logger): Omit<NginxOptions, 'home' | 'pages'> {
  const { gatewayHost: host, gatewayPort: port, domain, adminHost, tls, hsts, publicPort } = config;
  const { trustedProxies, hasEntrance } = config;
  return {
    ...{ host, port, domain, adminHost, tls, hsts, publicPort, trustedProxies, hasEntrance },
    onCertificate: saidCertificate(log),
  };
}

/** Says in the log what becomes of the certificate. */
function saidCertificate(log: Logger): OnCertificate {
  const day = (at: number) => new Date(at).toISOString();
  return {
    taken: ({ serial, endsAt }) => log.info({ serial, endsAt: day(endsAt) }, 'the gateway serves a new certificate'),
    refused: (reason) => log.warn({ reason }, 'a new certificate is refused, and the gateway goes on with the old one'),
    ending: (endsAt) =>
      log.warn({ endsAt: day(endsAt) }, "the gateway's certificate ends soon, and its files hold no newer one"),
  };
}
