/** What git asks of a remote, with the credentials that the remote wants: no sooner, and of no other host. */
import type { CredentialsAsked, ForgeCredentials } from '../domain/forge.ts';
import type { RepositoryName } from '../domain/names.ts';
import type { Repository } from '../domain/ports.ts';
import { TreehouseError } from '../errors.ts';
import { type Askpass, createAskpass } from './git-askpass.ts';
import type { Mirror } from './git-mirror.ts';
import { type GitSurroundings, refusalOf, runGit } from './git-process.ts';
import { urlForm } from './repository-url.ts';

/** By what git reads the private repositories of one host. */
export interface GitForge {
  /** Of the URLs that people clone from, `github.com`; with its port where it has one. */
  readonly host: string;
  /**
   * What reads the repository now; undefined where there is nothing. `refused` is what the host has just not taken: a new one is
   * asked for, whatever is kept.
   */
  credentials(repository: RepositoryName, how: CredentialsAsked): Promise<ForgeCredentials | undefined>;
}

/** The remote does not let us in; the message says why, and the way out. */
export class NotLetIn extends Error {}

export interface RemoteOptions {
  readonly around: GitSurroundings;
  readonly forge: GitForge | undefined;
  /** For what git is told: 0700. */
  readonly folder: string;
}

export interface RemoteCall {
  readonly mirror: Mirror;
  readonly repository: Repository;
  readonly args: readonly string[];
  readonly signal: AbortSignal;
  /** Of one git; there may be three of them. */
  readonly timeoutMs: number;
}

/**
 * Runs a command that speaks with a repository's remote: without credentials until it has once asked for some. What it does not
 * take is asked for anew, once.
 * @returns stdout.
 * @throws {NotLetIn} where it lets nobody in with what there is; what `runGit` and the forge throw otherwise.
 */
export type AskRemote = (call: RemoteCall) => Promise<string>;

export function createRemote({ around, forge, folder }: RemoteOptions): AskRemote {
  const withAskpass = createAskpass({ folder, searchPath: around.searchPath });
  /** URLs of those that asked: what is public is read without. */
  const asking = new Set<string>();

  return async (call) => {
    const { url } = call.repository;
    const isAsked = (error: unknown) => {
      const refusal = refusalOf(error);
      return refusal?.kind === 'who' && refusal.host === forge?.host;
    };
    const own = forge !== undefined && opensTo(url) === forge.host ? forge : undefined;
    if (!own || !asking.has(url)) {
      try {
        return await run(call);
      } catch (error) {
        if (!own || !isAsked(error)) throw explained(error, call.repository, undefined);
        asking.add(url);
      }
    }
    const host = asWritten(url);
    const given = await credentials(own, call);
    try {
      return await withAskpass({ ...given, host }, (askpass) => run(call, askpass));
    } catch (error) {
      if (!isAsked(error)) throw explained(error, call.repository, given);
    }
    const anew = await credentials(own, call, given);
    try {
      return await withAskpass({ ...anew, host }, (askpass) => run(call, askpass));
    } catch (error) {
      throw explained(error, call.repository, anew);
    }
  };

  function run({ mirror, args, signal, timeoutMs }: RemoteCall, askpass?: Askpass): Promise<string> {
    return runGit(around, { ...mirror, args, signal, timeoutMs, askpass });
  }
}

async function credentials(
  forge: GitForge | undefined,
  { repository, signal }: RemoteCall,
  refused?: ForgeCredentials,
): Promise<ForgeCredentials> {
  const how = { signal, ...(refused && { refused }) };
  const found = await forge?.credentials(repository.name, how).catch((error: unknown) => {
    if (!(error instanceof TreehouseError) || error.kind === 'transient') throw error;
    // What credentials may is no matter of the commit: it may be given at any time.
    throw new TreehouseError(error.code, error.message, { kind: 'transient', cause: error });
  });
  if (found) return found;
  throw new NotLetIn(`${hostOf(repository.url)} asks who reads it, and ${NOBODY}`);
}

const NOBODY =
  'there is nothing to say: it is private, or not there. What is on GitHub is read by an App (treehouse github init) or GITHUB_TOKEN, all else by ssh or by a name and a password in its url';

/** The same error where it is about something else. */
function explained(error: unknown, repository: Repository, given: ForgeCredentials | undefined): unknown {
  const refusal = refusalOf(error);
  if (refusal === undefined) return error;
  const host = hostOf(repository.url);
  const say = (why: string) => new NotLetIn(`${host} ${why}`, { cause: error });
  if (refusal.host !== host) {
    return say(
      `sends us on to ${refusal.host}, which does not let us in; credentials are never taken along: give the repository its new url`,
    );
  }
  if (given === undefined) {
    if (refusal.kind !== 'who') return error;
    return say(
      opensTo(repository.url) ? `asks who reads it, and ${NOBODY}` : 'refuses the name and the password in its url',
    );
  }
  switch (refusal.kind) {
    case 'who':
      return say(
        'refuses the token for it, and the one that was asked for anew: see whether GITHUB_TOKEN has ended, or the App was uninstalled or its key withdrawn',
      );
    case 'forbidden':
      return say('knows the token, which may not read it: it needs the permission "Contents: read"');
    case 'not found':
      return say(
        `shows no ${repository.name} to the token: see its name, and whether the App is installed for it, or the token made for it`,
      );
  }
}

/** The host of an https URL that says itself who reads it to nobody. */
function opensTo(text: string): string | undefined {
  const { transport, url } = urlForm(text);
  if (transport !== 'https') return undefined;
  const { host, username, password } = new URL(url);
  return username === '' && password === '' ? host : undefined;
}

/** The host as git names it where it asks: in the URL's own letters, and with a port that need not be said. */
function asWritten(text: string): string {
  return /^https:\/\/([^/?#]+)/i.exec(text.trim())?.[1] ?? '';
}

function hostOf(text: string): string {
  const { transport, url } = urlForm(text);
  return transport === 'https' ? new URL(url).host : 'its remote';
}
