/** Passwords of previews: hashed slowly, compared in constant time. */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import type { RepositoryName } from '../domain/names.ts';
import type { PasswordRecord } from '../domain/passwords.ts';
import type { Clock } from '../domain/ports.ts';

/** 32 MiB and a tenth of a second for each try; no more, since strangers decide how often. */
const COST = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 2 ** 20 };
const HASH_BYTES = 32;

export async function newPassword(
  { clock }: { readonly clock: Clock },
  repository: RepositoryName,
  password: string,
): Promise<PasswordRecord> {
  const salt = randomBytes(16).toString('base64');
  const hash = (await hashed(password, salt)).toString('base64');
  return { repository, salt, hash, mark: randomBytes(8).toString('hex'), setAt: clock.now() };
}

export async function isPassword(record: PasswordRecord, password: string): Promise<boolean> {
  // scrypt takes as equal what differs in NULs at its end alone.
  if (password.includes('\0')) return false;
  return timingSafeEqual(await hashed(password, record.salt), Buffer.from(record.hash, 'base64'));
}

/** As people type it: a letter with an accent may come as one or as two characters. */
function hashed(password: string, salt: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), Buffer.from(salt, 'base64'), HASH_BYTES, COST, (error, hash) => {
      if (error) reject(error);
      else resolve(hash);
    });
  });
}
