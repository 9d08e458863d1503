/** Where the dashboard may be reached: beyond loopback only with a token that was given, and by no name that a preview could have. */
import { isLoopback } from '../domain/loopback.ts';

export interface DoorSettings {
  readonly host: string;
  readonly domain: string;
  readonly adminHost?: string | undefined;
  readonly adminToken?: string | undefined;
}

/** Whoever can reach the port can try tokens: a short one is no token. */
const TOKEN_LEAST = 20;

/** What is wrong with them, each with the way out. */
export function doorFaults({ host, domain, adminHost, adminToken }: DoorSettings): readonly string[] {
  const faults: string[] = [];
  if (!isLoopback(host)) {
    const wayOut =
      'set TREEHOUSE_ADMIN_TOKEN (or TREEHOUSE_ADMIN_TOKEN_FILE), or listen on 127.0.0.1 behind a proxy with TLS';
    if (adminToken === undefined) {
      faults.push(
        `host (TREEHOUSE_HOST): ${host} is reached from outside, and no admin token is configured: ${wayOut}`,
      );
    } else if (adminToken.length < TOKEN_LEAST) {
      faults.push(
        `TREEHOUSE_ADMIN_TOKEN: it has fewer than ${TOKEN_LEAST} characters, and ${host} is reached from outside: openssl rand -hex 32 makes one`,
      );
    }
  }
  const label = adminHost === undefined ? undefined : labelBelow(adminHost, domain);
  if (label?.includes('--')) {
    faults.push(`adminHost (TREEHOUSE_ADMIN_HOST): a branch could have ${adminHost}: take a name without '--'`);
  }
  return faults;
}

/** The host label of the dashboard's name, where previews have names beside it. */
export function adminLabel({ adminHost, domain }: Pick<DoorSettings, 'adminHost' | 'domain'>): string | undefined {
  const label = adminHost === undefined ? undefined : labelBelow(adminHost, domain);
  return label?.includes('.') ? undefined : label;
}

function labelBelow(host: string, domain: string): string | undefined {
  return host.endsWith(`.${domain}`) ? host.slice(0, -domain.length - 1) : undefined;
}
