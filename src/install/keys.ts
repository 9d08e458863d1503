/**
 * The keys between an installation's parts: made once, each in a file for whom it is for. Redis and the registry have hashes alone;
 * who uses them has the password.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { compare, hash } from 'bcryptjs';
import { keptText } from '../home.ts';
import { writeWhole } from '../whole-file.ts';

/** Names in docker-compose.yml. */
const REDIS = 'redis:6379';
const REGISTRY_USER = 'treehouse';
/** The password is 32 random bytes, which no slow hash makes safer: it is asked with each request. */
const ROUNDS = 5;

/** `redis-url` for who uses it; for Redis what it may be asked by whom. @returns the files */
export async function redisKeys(keys: string): Promise<readonly string[]> {
  const kept = await keptText(path.join(keys, 'redis-url'), `redis://default:${fresh()}@${REDIS}`);
  const digest = createHash('sha256').update(new URL(kept.value).password).digest('hex');
  // `probe` is for the health check, which so needs no password.
  const users = `user default on #${digest} ~* &* +@all -module -debug -replicaof\nuser probe on nopass resetkeys resetchannels -@all +ping\n`;
  const conf = path.join(keys, 'redis', 'redis.conf');
  const acl = path.join(keys, 'redis', 'users.acl');
  await become(acl, users);
  await become(conf, REDIS_CONF);
  return [kept.file, acl, conf];
}

const REDIS_CONF = `# Made by treehouse walls; what is changed here is overwritten.
bind * -::*
port 6379
protected-mode yes
aclfile /keys/users.acl
# What was answered is on disk a second later at most; a hint that is lost is found by the sweep.
appendonly yes
appendfsync everysec
save ""
# BullMQ: what is in the queue is never thrown away for room.
maxmemory-policy noeviction
`;

/** `registry-password` for who pushes; for the registry its hash. @returns the files */
export async function registryKeys(keys: string): Promise<readonly string[]> {
  const kept = await keptText(path.join(keys, 'registry-password'), fresh());
  const file = path.join(keys, 'registry', 'htpasswd');
  const [user, hashed = ''] = (await readFile(file, 'utf8').catch(() => '')).trim().split(':');
  const isRight = user === REGISTRY_USER && (await compare(kept.value, hashed).catch(() => false));
  if (!isRight) await writeWhole(file, `${REGISTRY_USER}:${await hash(kept.value, ROUNDS)}\n`);
  const conf = path.join(keys, 'registry', 'registry.yml');
  await become(conf, REGISTRY_CONF);
  return [kept.file, file, conf];
}

const REGISTRY_CONF = `# Made by treehouse walls; what is changed here is overwritten.
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: /var/lib/registry}
  delete: {enabled: true}
http:
  addr: 0.0.0.0:5000
  # For the health check.
  debug: {addr: 127.0.0.1:5001}
auth:
  htpasswd: {realm: Treehouse, path: /keys/htpasswd}
health:
  storagedriver: {enabled: true, interval: 10s, threshold: 3}
`;

async function become(file: string, text: string): Promise<void> {
  const now = await readFile(file, 'utf8').catch(() => undefined);
  if (now !== text) await writeWhole(file, text);
}

function fresh(): string {
  return randomBytes(32).toString('hex');
}
