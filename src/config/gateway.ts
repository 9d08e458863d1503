/** How previews are reached: TLS at the gateway or before it, and the port in their URLs. */
import { isIP } from 'node:net';
import path from 'node:path';
import { z } from 'zod';

export interface GatewayTls {
  /** Absolute paths. */
  readonly cert: string;
  readonly key: string;
  readonly port: number;
}

/** What the settings come to. */
export interface GatewaySettings {
  /** Undefined: the gateway has none. */
  readonly tls: GatewayTls | undefined;
  /** Seconds; undefined: browsers are told nothing. */
  readonly hsts: number | undefined;
  /** The port in previews' URLs; undefined: the one that is listened on. */
  readonly publicPort: number | undefined;
  /** Addresses and networks of the proxies before the gateway. */
  readonly trustedProxies: readonly string[];
  /** Whether the gateway listens on sockets in the home, to which an entrance passes connections, and on no port. */
  readonly hasEntrance: boolean;
}

const HSTS_MAX = 63_072_000;
/** TCP. */
export const port = z.coerce.number().int().min(1).max(65535);

/** Keys of `treehouse.yml`. */
export const gatewayFields = {
  tlsCert: z.string().min(1).optional(),
  tlsKey: z.string().min(1).optional(),
  tlsPort: port.default(8443),
  hsts: z.coerce.number().int().min(0).max(HSTS_MAX).optional(),
  publicPort: port.optional(),
  /** A variable has them in one text. */
  trustedProxies: z.preprocess(
    (value) => (typeof value === 'string' ? value.split(/[\s,]+/).filter((one) => one !== '') : value),
    z.array(z.string().refine(isNetwork, { error: ({ input }) => networkFault(String(input)) })).default([]),
  ),
  entrance: z.union([z.boolean(), z.stringbool()], 'it is true or false').default(false),
};

/** As they are read. */
export interface GatewayKeys {
  readonly gatewayPort: number;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsPort: number;
  readonly hsts?: number | undefined;
  readonly publicPort?: number | undefined;
  readonly trustedProxies: readonly string[];
  readonly entrance: boolean;
}

/** What is wrong with them together, each with the way out. The files themselves are the gateway's to read. */
export function gatewayFaults(keys: GatewayKeys): readonly string[] {
  const { tlsCert, tlsKey, tlsPort, gatewayPort, hsts, trustedProxies } = keys;
  const faults: string[] = [];
  if (tlsCert !== undefined && tlsKey === undefined) {
    faults.push('tlsKey (TREEHOUSE_TLS_KEY): tlsCert is set and this is not: a certificate is nothing without its key');
  }
  if (tlsKey !== undefined && tlsCert === undefined) {
    faults.push(
      'tlsCert (TREEHOUSE_TLS_CERT): tlsKey is set and this is not: a key is nothing without its certificate',
    );
  }
  if (tlsCert !== undefined && tlsPort === gatewayPort) {
    faults.push(`tlsPort (TREEHOUSE_TLS_PORT): ${tlsPort} is the gateway's port without TLS: they are two`);
  }
  if (hsts !== undefined && tlsCert === undefined && trustedProxies.length === 0) {
    faults.push(
      'hsts (TREEHOUSE_HSTS): previews have no TLS: set tlsCert and tlsKey, or trustedProxies where a proxy has it',
    );
  }
  return faults;
}

/** @param cwd where the paths begin */
export function gatewaySettings(keys: GatewayKeys, cwd: string): GatewaySettings {
  const { tlsCert, tlsKey, tlsPort, hsts, publicPort, trustedProxies, entrance: hasEntrance } = keys;
  const tls =
    tlsCert === undefined || tlsKey === undefined
      ? undefined
      : Object.freeze({ cert: path.resolve(cwd, tlsCert), key: path.resolve(cwd, tlsKey), port: tlsPort });
  return { tls, hsts, publicPort, hasEntrance, trustedProxies: Object.freeze([...trustedProxies]) };
}

/** An address, or one with the number of its leading bits. */
function isNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  const family = isIP(address);
  if (family === 0 || address.includes('%') || more.length > 0) return false;
  if (bits === undefined) return true;
  // All addresses together are nobody in particular: who trusts them trusts every client's word.
  return /^[1-9][0-9]{0,2}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
}

function networkFault(text: string): string {
  return `'${text}' is no address or network of a proxy, such as 10.0.0.5 or 10.0.0.0/24`;
}
