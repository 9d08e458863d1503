/**
 * Makes what an installation stands on before any of its other parts starts: folders, keys and the folder in memory for secrets.
 * What is there stays; called again, it puts right what was changed.
 */
import { chmod, lchown, lstat, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { TreehouseError } from '../errors.ts';
import { homeSecret, instanceName } from '../home.ts';
import { redisKeys, registryKeys } from './keys.ts';

export interface HostOptions {
  /** Absolute. */
  readonly home: string;
  /** For secrets, in the host's memory: `/run/treehouse-UID`. */
  readonly memory?: string | undefined;
  /** Whom all of it belongs to: as whom the other parts run. */
  readonly owner: { readonly uid: number; readonly gid: number };
}

/** Below the home; each is mounted by the one part that is named in docker-compose.yml. */
const FOLDERS = [
  'nginx',
  'nginx/entrance',
  'keys',
  'keys/redis',
  'keys/registry',
  'parts',
  'parts/redis',
  'parts/registry',
];

/** @throws {TreehouseError} `bad-config` where something else is in a folder's place. */
export async function prepareHost({ home, memory, owner }: HostOptions): Promise<void> {
  const folders = [home, ...FOLDERS.map((one) => path.join(home, one)), ...(memory === undefined ? [] : [memory])];
  for (const one of folders) await ownFolder(one, owner);
  const files = [
    path.join(home, 'instance'),
    ...(await redisKeys(path.join(home, 'keys'))),
    ...(await registryKeys(path.join(home, 'keys'))),
  ];
  await instanceName(home);
  for (const name of ['webhook-secret', 'admin-token', 'gateway-key'] as const) {
    files.push((await homeSecret(home, name)).file);
  }
  for (const one of files) await give(one, owner);
}

/** The engine makes what a container mounts and is not there, as root's and open to all. */
async function ownFolder(folder: string, owner: HostOptions['owner']): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST' && error.code !== 'ENOTDIR') throw error;
  });
  const facts = await lstat(folder);
  if (!facts.isDirectory()) {
    throw new TreehouseError('bad-config', `${folder} is to be a folder, and is something else: move it away`);
  }
  if ((facts.mode & 0o7777) !== 0o700) await chmod(folder, 0o700);
  await give(folder, owner);
}

/** A link itself, never what it leads to. */
async function give(file: string, { uid, gid }: HostOptions['owner']): Promise<void> {
  const facts = await lstat(file);
  if (facts.uid !== uid || facts.gid !== gid) await lchown(file, uid, gid);
}
