/** What nginx-proxy as the gateway cannot keep to is refused, and not left to be found out; docs/nginx-proxy.md has the list. */
import { z } from 'zod';
import type { Listed, PreviewSettings } from './schema.ts';

export const GATEWAYS = ['own', 'nginx-proxy'] as const;
export type GatewayKind = (typeof GATEWAYS)[number];

/** Variables of exposed containers by which nginx-proxy and acme-companion are told more. */
const VARIABLES = [
  'ACME_EMAIL',
  'ACME_HOST',
  'CERT_NAME',
  'HSTS',
  'HTTPS_METHOD',
  'LETSENCRYPT_EMAIL',
  'LETSENCRYPT_HOST',
  'LETSENCRYPT_TEST',
  'NETWORK_ACCESS',
  'SSL_POLICY',
] as const;

const variable = z.enum(VARIABLES, `it is one of ${VARIABLES.join(', ')}`);
const value = z
  .string()
  .max(500)
  // nginx-proxy writes them into nginx's configuration as they are.
  .regex(/^[A-Za-z0-9 ._,:;=@/+{}*-]*$/, 'it has characters that nginx would read otherwise');

/** `NAME=value,NAME=value` is what the environment says; a value with a comma is for the file. */
export const gatewayVariables = z.preprocess(
  (raw) => (typeof raw === 'string' ? Object.fromEntries(raw.split(',').map(halves)) : raw),
  z.partialRecord(variable, value),
);

function halves(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  return at < 0 ? [text.trim(), ''] : [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

const WAY_OUT = 'take it out, or gateway: own';

/** What is wrong with the settings of the whole house. */
export function houseFaults(
  settings: PreviewSettings & {
    readonly gateway: GatewayKind;
    readonly tlsCert?: string | undefined;
    readonly hsts?: number | undefined;
  },
): readonly string[] {
  if (settings.gateway !== 'nginx-proxy') return [];
  return [
    ...(settings.tlsCert === undefined
      ? []
      : [
          `tlsCert (TREEHOUSE_TLS_CERT): nginx-proxy has certificates of its own (gatewayVariables: CERT_NAME); ${WAY_OUT}`,
        ]),
    ...(settings.hsts === undefined
      ? []
      : [`hsts (TREEHOUSE_HSTS): nginx-proxy is told of it for each preview (gatewayVariables: HSTS); ${WAY_OUT}`]),
    ...idleFaults('idle (TREEHOUSE_IDLE)', settings.idle),
    ...pauseFaults('sleepMode (TREEHOUSE_SLEEP_MODE)', settings.sleepMode),
  ];
}

/** What is wrong with a repository's own. */
export function repositoryFaults(name: string, { access, previews }: Listed): readonly string[] {
  const where = `repositories.${name}`;
  const isClosed = access !== undefined && access.mode !== 'public';
  return [
    ...(isClosed
      ? [`${where}.access: nginx-proxy asks nobody for a password or a link, so all would be public; ${WAY_OUT}`]
      : []),
    ...idleFaults(`${where}.previews.idle`, previews?.idle),
    ...pauseFaults(`${where}.previews.sleepMode`, previews?.sleepMode),
  ];
}

function idleFaults(where: string, idle: number | undefined): readonly string[] {
  if (idle === undefined) return [];
  return [`${where}: nginx-proxy does not tell who visits, so previews would sleep while they are used; ${WAY_OUT}`];
}

function pauseFaults(where: string, mode: PreviewSettings['sleepMode']): readonly string[] {
  if (mode !== 'pause') return [];
  return [`${where}: nginx-proxy goes on sending visitors to what is paused, where nothing answers; ${WAY_OUT}`];
}
