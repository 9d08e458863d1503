/** Passes: the cookies by which the gateway knows whom it let in. nginx/lua/treehouse/passes.lua reads them. */
import { createHmac } from 'node:crypto';

/** What opened it: a link by its id, or a password by its mark. */
export type Grant = { readonly link: string } | { readonly password: string };

export interface Pass {
  /** The one host that it opens, by its label. */
  readonly label: string;
  readonly grant: Grant;
  /** Milliseconds since the epoch. */
  readonly endsAt: number;
}

export const PASS_COOKIE = 'treehouse-pass';

/** `grant.end.signature`; the host is signed, and not in it. */
export function signedPass(key: string, { label, grant, endsAt }: Pass): string {
  const word = 'link' in grant ? `l${grant.link}` : `p${grant.password}`;
  const signature = createHmac('sha256', key).update(`${label} ${word} ${endsAt}`).digest('base64url');
  return `${word}.${endsAt}.${signature}`;
}
