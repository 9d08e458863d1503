/**
 * Files in the host's memory: a folder of 0700 on a tmpfs, from which containers mount single files. Nothing of it is ever on
 * a disk, and a reboot empties it.
 */
import { chmod, chown, lstat, mkdir, readdir, readFile, rename, rm, rmdir, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type PreviewId, parsePreviewId } from '../domain/names.ts';
import { messageOf, TreehouseError } from '../errors.ts';

export interface MemoryOptions {
  /** See LABEL.instance: each Treehouse has a folder of its own. */
  readonly instance: string;
  /** Folders to look for a tmpfs in, the best first. */
  readonly parents?: readonly string[];
  /** What the engine adds to a container's user ids (userns-remap). */
  readonly shift?: Owner;
  /** Where the engine is, if it does not see this host's files. */
  readonly remote?: string | undefined;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Files by preview and layer. */
export interface Memory {
  /** Writes a file of 0400, whole or not at all. @throws `secret-failed` that says what the host lacks. */
  write(preview: PreviewId, file: string, content: Uint8Array, owner: Owner): Promise<void>;
  /** Where the layers of a preview lie. @throws `secret-failed`. */
  folder(preview: PreviewId): Promise<string>;
  /** The parts of a path below the preview's folder: layer, service, file; undefined for any other path. */
  partsOf(preview: PreviewId, source: string): readonly string[] | undefined;
  read(file: string): Promise<Buffer | undefined>;
  /** Previews of which there is anything. */
  previews(): Promise<readonly PreviewId[]>;
  /** Folders of services, each `LAYER/SERVICE`. */
  laid(preview: PreviewId): Promise<readonly string[]>;
  remove(preview: PreviewId, folders: readonly string[]): Promise<void>;
}

/** linux/magic.h. */
const IN_MEMORY: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);
const NAME = `treehouse-${process.getuid?.() ?? 0}`;
/** `/run` is nobody else's to write in; where it is no tmpfs, and nobody made us a folder in it, `/dev/shm` is. */
const PARENTS = ['/run', '/dev/shm'];

export function openMemory(options: MemoryOptions): Memory {
  let opened: Promise<string> | undefined;

  /** The folder of this Treehouse; found once, and looked at whenever something is written. */
  async function base(): Promise<string> {
    if (options.remote !== undefined) {
      throw new TreehouseError(
        'secret-failed',
        `secrets are laid in this host's memory, which the engine at ${options.remote} does not see: run Treehouse beside it`,
      );
    }
    opened ??= find(options.parents ?? PARENTS);
    opened.catch(() => {
      opened = undefined;
    });
    const root = await opened;
    await ownFolder(root);
    return path.join(root, options.instance);
  }

  async function folder(preview: PreviewId): Promise<string> {
    return path.join(await base(), preview);
  }

  return {
    folder,
    async write(preview, file, content, owner) {
      const whole = path.join(await folder(preview), file);
      const aside = `${whole}.tmp`;
      try {
        await mkdir(path.dirname(whole), { recursive: true, mode: 0o700 });
        await rm(aside, { force: true });
        await writeFile(aside, content, { flag: 'wx', mode: 0o600 });
        await give(aside, owner, options.shift ?? { uid: 0, gid: 0 });
        await chmod(aside, 0o400);
        await rename(aside, whole);
      } catch (error) {
        await rm(aside, { force: true }).catch(() => undefined);
        if (error instanceof TreehouseError) throw error;
        throw new TreehouseError('secret-failed', `laying a secret in memory failed: ${messageOf(error)}`, {
          kind: 'transient',
          cause: error,
        });
      }
    },
    partsOf(preview, source) {
      for (const own of owns(preview)) {
        const inside = path.relative(own, source);
        const parts = inside.split(path.sep);
        if (parts.length === 3 && parts[0] !== '..') return parts;
      }
      return undefined;
    },
    read: (file) => readFile(file).catch(() => undefined),
    async previews() {
      const found = new Set<PreviewId>();
      for (const root of roots(options.parents ?? PARENTS)) {
        for (const name of await readdir(path.join(root, options.instance)).catch(() => [])) {
          const id = parsePreviewId(name);
          if (id) found.add(id);
        }
      }
      return [...found];
    },
    async laid(preview) {
      const found: string[] = [];
      for (const own of owns(preview)) {
        for (const layer of await readdir(own).catch(() => [])) {
          const services = await readdir(path.join(own, layer)).catch(() => []);
          found.push(...services.map((service) => path.join(layer, service)));
        }
      }
      return found;
    },
    async remove(preview, folders) {
      for (const own of owns(preview)) {
        for (const folder of folders) await rm(path.join(own, folder), { recursive: true, force: true });
        const layers = new Set(folders.map((folder) => path.dirname(folder)));
        // Where nothing else lies there: rmdir takes empty folders alone.
        for (const layer of layers) await rmdir(path.join(own, layer)).catch(() => undefined);
        for (const empty of [own, path.dirname(own)]) await rmdir(empty).catch(() => undefined);
      }
    },
  };

  /** Wherever this Treehouse may have laid something. */
  function owns(preview: PreviewId): readonly string[] {
    return roots(options.parents ?? PARENTS).map((root) => path.join(root, options.instance, preview));
  }
}

function roots(parents: readonly string[]): readonly string[] {
  return parents.map((parent) => path.join(parent, NAME));
}

async function find(parents: readonly string[]): Promise<string> {
  for (const root of roots(parents)) {
    // In a container only the folder itself may come from the host.
    if (await isInMemory(root)) return root;
    if (!(await isInMemory(path.dirname(root)))) continue;
    const made = await mkdir(root, { mode: 0o700 }).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code === 'EEXIST',
    );
    if (made && (await isInMemory(root))) return root;
  }
  throw new TreehouseError(
    'secret-failed',
    `there is no file system in memory (tmpfs) to lay secrets in: looked for ${roots(parents).join(' and ')}`,
  );
}

async function isInMemory(folder: string): Promise<boolean> {
  return statfs(folder).then(
    (facts) => IN_MEMORY.has(facts.type),
    () => false,
  );
}

/** Anyone may make a folder in /dev/shm before we do. */
async function ownFolder(root: string): Promise<void> {
  await mkdir(root, { mode: 0o700 }).catch(() => undefined);
  const facts = await lstat(root);
  if (facts.isDirectory() && facts.uid === process.getuid?.() && (facts.mode & 0o077) === 0) return;
  throw new TreehouseError(
    'secret-failed',
    `${root} is not a folder of this user's alone, so no secret is laid there: remove it, and see who made it`,
  );
}

async function give(file: string, owner: Owner, shift: Owner): Promise<void> {
  try {
    await chown(file, owner.uid + shift.uid, owner.gid + shift.gid);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
    // A container's root reads it all the same, whoever owns it.
    if (owner.uid === 0 && owner.gid === 0) return;
    throw new TreehouseError(
      'secret-failed',
      `a secret for the user ${owner.uid}:${owner.gid} can only be laid by root: run Treehouse as root, or leave uid and gid out`,
    );
  }
}

/** With userns-remap the engine keeps its data in a folder named after the ids that it adds (`/var/lib/docker/100000.100000`). */
export function ownerShift(rootDir: string, securityOptions: readonly string[]): Owner {
  const [, uid, gid] = /\/(\d+)\.(\d+)$/.exec(rootDir) ?? [];
  const remapped = securityOptions.some((one) => /\bname=userns\b/.test(one));
  return remapped && uid !== undefined ? { uid: Number(uid), gid: Number(gid) } : { uid: 0, gid: 0 };
}
