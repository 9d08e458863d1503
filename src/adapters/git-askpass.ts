/** Hands git a name and a password for one command, by a pipe: they are in no file, no argument and no variable. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, chmod, mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ForgeCredentials } from '../domain/forge.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { ProcessError, runProcess } from './run-process.ts';

/** What one git is given to find them. */
export interface Askpass {
  /** Nothing of it is secret. */
  readonly environment: Readonly<Record<string, string>>;
  /** What git may have been told and could say again, as a server that answers with what it was sent. */
  readonly secrets: readonly string[];
}

export interface AskpassOptions {
  /** Where the program and the pipes are: 0700, made at the first use. */
  readonly folder: string;
  readonly searchPath: string;
}

export interface Given extends ForgeCredentials {
  /** The only host that is answered for, as the URL writes it. */
  readonly host: string;
}

/**
 * git runs it once for the name and once for the password, and says for whom: after a redirect that is another host. What is not
 * read from the pipe ends with the pipe.
 */
const PROGRAM = `#!/bin/sh
case "$1" in
  "Username for 'https://$TREEHOUSE_GIT_HOST': ") ;;
  "Password for 'https://"*"@$TREEHOUSE_GIT_HOST': ") ;;
  *) exit 1 ;;
esac
IFS= read -r word <"$TREEHOUSE_GIT_PIPE" && printf '%s\\n' "$word"
`;
/** Who asks more often than git does gets empty lines, rather than to wait for more. */
const REST = '\n'.repeat(8);
/** Longer than any git command takes: an older pipe has no owner, and is empty. */
const STALE_MS = 15 * 60_000;
const MKFIFO_MS = 10_000;

/** `act` with credentials that git finds while it runs, and nobody after it. */
export type WithAskpass = <T>(given: Given, act: (askpass: Askpass) => Promise<T>) => Promise<T>;

export function createAskpass({ folder, searchPath }: AskpassOptions): WithAskpass {
  const program = join(folder, 'askpass');
  let opened: Promise<void> | undefined;

  async function prepare(): Promise<void> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const found = path === program ? undefined : await stat(path).catch(() => undefined);
      if (found && Date.now() - found.mtimeMs > STALE_MS) await rm(path, { force: true });
    }
    const aside = `${program}.${randomUUID()}`;
    await writeFile(aside, PROGRAM, { mode: 0o700 });
    await rename(aside, program);
    await access(program, constants.X_OK).catch((cause: unknown) => {
      throw failure(`${program} cannot be run: no disk of TREEHOUSE_HOME may be mounted noexec`, cause);
    });
  }

  async function makePipe(): Promise<string> {
    const pipe = join(folder, randomUUID());
    try {
      await runProcess({
        command: 'mkfifo',
        args: ['-m', '600', pipe],
        env: { PATH: searchPath },
        timeoutMs: MKFIFO_MS,
        signal: new AbortController().signal,
      });
      return pipe;
    } catch (cause) {
      const said = cause instanceof ProcessError && cause.tail !== '' ? cause.tail : messageOf(cause);
      opened = undefined;
      throw failure(`no pipe could be made for the credentials of git: ${said}`, cause);
    }
  }

  return async (given, act) => {
    opened ??= prepare();
    opened.catch(() => {
      opened = undefined;
    });
    await opened;
    const pipe = await makePipe();
    try {
      // For reading too, so that neither this waits for a reader nor what was written is lost before there is one.
      const end = await open(pipe, constants.O_RDWR | constants.O_NOFOLLOW);
      try {
        await end.write(`${line(given.username)}\n${line(given.password)}\n${REST}`);
        return await act({
          environment: { GIT_ASKPASS: program, TREEHOUSE_GIT_PIPE: pipe, TREEHOUSE_GIT_HOST: given.host },
          secrets: formsOf(given),
        });
      } finally {
        await end.close();
      }
    } finally {
      await rm(pipe, { force: true });
    }
  };
}

/** Of this host, and so of no commit. */
function failure(why: string, cause: unknown): TreehouseError {
  return new TreehouseError('git-failed', why, { kind: 'transient', cause });
}

/** @throws `git-failed` where it is none, without saying what it is. */
function line(word: string): string {
  // Both together fit into the smallest pipe that Linux makes, so that writing never waits.
  if (/^[\x21-\x7e]{1,1900}$/.test(word)) return word;
  throw failure('the credentials for git are no line of text: see how the token was given', undefined);
}

function formsOf({ username, password }: ForgeCredentials): readonly string[] {
  return [password, encodeURIComponent(password), Buffer.from(`${username}:${password}`).toString('base64')];
}
