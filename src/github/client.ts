/** Asks GitHub: as who may, within its limits and within a time, and says in words what it refuses. */
import type { Octokit } from '@octokit/core';
import type { Endpoints } from '@octokit/types';
import type { RepositoryName } from '../domain/names.ts';
import { abortReason } from '../errors.ts';
import type { Logger } from '../log.ts';
import { timeLimit } from '../time-limit.ts';
import { type Act, faultOf, GitHubFault, isGone, onTheWay } from './faults.ts';
import { createKits, type Kit } from './octokit.ts';
import type { GitHubSettings, Pace } from './settings.ts';
import { createTokens, type Narrowed, type Token } from './tokens.ts';
import { createTurns, type Turns } from './turns.ts';

export interface Asked {
  /** Such as `setting the status of 0123456789ab`. */
  readonly act: string;
  readonly repository: RepositoryName;
  readonly signal: AbortSignal;
  /** What would make a second thing if it were sent again after an answer that got lost. */
  readonly once?: true;
}

/** `owner` and `repo` are added to what is asked of a repository. */
type Parameters<Route extends keyof Endpoints> = Omit<Endpoints[Route]['parameters'], 'owner' | 'repo'>;

export interface GitHubClient {
  readonly isApp: boolean;
  /** @throws {GitHubFault} */
  ask<Route extends keyof Endpoints>(
    route: Route,
    parameters: Parameters<Route>,
    asked: Asked,
  ): Promise<Endpoints[Route]['response']>;
  /** All pages of a list, one after the other. */
  pages<Route extends keyof Endpoints>(
    route: Route,
    parameters: Parameters<Route>,
    asked: Asked,
  ): AsyncGenerator<Endpoints[Route]['response']['data']>;
  /** One GraphQL query; `owner` and `name` are added to its variables. */
  query<Answer>(text: string, variables: Readonly<Record<string, unknown>>, asked: Asked): Promise<Answer>;
  /** As the App itself, by its key. */
  askAsApp<Route extends keyof Endpoints>(
    route: Route,
    parameters: Endpoints[Route]['parameters'],
    asked: { readonly act: string; readonly signal: AbortSignal },
  ): Promise<Endpoints[Route]['response']>;
  /** A token for something else that speaks to GitHub. */
  token(asked: Asked, how: { readonly refused?: string; readonly narrowed: Narrowed }): Promise<string>;
  close(): void;
}

export interface ClientOptions {
  readonly settings: GitHubSettings;
  readonly pace: Pace;
  readonly now: () => number;
  readonly log: Logger;
}

/** The most that a page holds. */
export const PER_PAGE = 100;

/** In octokit's own queue, which nobody can leave: the next one is there when the one before it is done. */
const READS_AT_ONCE = 10;
/** Queries too, which octokit spaces as what changes something. */
const WRITES_AT_ONCE = 3;

export function createClient({ settings, pace, now, log }: ClientOptions): GitHubClient {
  const { credentials, apiUrl } = settings;
  const closing = new AbortController();
  const tokens = createTokens(
    credentials,
    () => ({
      async find(repository) {
        const [owner = '', repo = ''] = repository.split('/');
        const act = { act: `looking for the App's installation`, repository };
        const found = await asApp(act, (octokit) =>
          octokit.request('GET /repos/{owner}/{repo}/installation', { owner, repo }),
        );
        return found.data.id;
      },
      async token(installationId, narrowed) {
        const act = { act: "asking for a token of the App's installation", repository: narrowed?.repositoryNames[0] };
        // `refresh`: what is kept is kept beside, by the end that GitHub gives it.
        const options = { type: 'installation', installationId, refresh: true, ...narrowed };
        return asApp(act, (octokit) => octokit.auth(options)) as Promise<{ token: string; expiresAt: string }>;
      },
      isGone,
    }),
    now,
  );
  const kits = createKits({ apiUrl, pace, now, log, hide: tokens.hide });
  const app = 'appId' in credentials ? kits.make(credentials) : undefined;
  const holders = new Map<string, Kit>();
  const reads = createTurns(READS_AT_ONCE);
  const writes = createTurns(WRITES_AT_ONCE);

  function kitOf(token: Token): Kit {
    const kit = holders.get(token.holder) ?? kits.make();
    holders.set(token.holder, kit);
    return kit;
  }

  function said(error: unknown, act: Act, kit: Kit): GitHubFault {
    return error instanceof GitHubFault
      ? error
      : faultOf(error, act, {
          hide: tokens.hide,
          queriesUntil: () => kit.limits.until('graphql', false),
        });
  }

  async function asApp<T>(act: Act, work: (octokit: Octokit) => Promise<T>): Promise<T> {
    if (!app) throw new GitHubFault(`${act.act} needs an App, and there is a token`, { kind: 'terminal', status: 0 });
    return work(app.octokit).catch((error: unknown) => {
      throw said(error, act, app);
    });
  }

  /** Whatever work does with its signal, nobody waits longer than is said. */
  async function bounded<T>(
    { act, repository }: Act,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const limit = timeLimit(AbortSignal.any([signal, closing.signal]), pace.actMs);
    const ended = new Promise<never>((_resolve, reject) => {
      const end = () => {
        const what = repository === undefined ? act : `${act} in ${repository}`;
        const late = `${what} failed at GitHub: it did not come to its turn and an answer within ${pace.actMs / 1_000} s`;
        if (signal.aborted) reject(abortReason(signal));
        else if (closing.signal.aborted) reject(abortReason(closing.signal));
        else reject(new GitHubFault(late, { kind: 'transient', status: 0, retryAt: now() + pace.secondMs }));
      };
      if (limit.signal.aborted) end();
      else limit.signal.addEventListener('abort', end, { once: true });
    });
    // Also where nobody comes to wait for it.
    ended.catch(() => undefined);
    try {
      limit.signal.throwIfAborted();
      return await Promise.race([work(limit.signal), ended]);
    } catch (error) {
      return limit.signal.aborted ? await ended : Promise.reject(error);
    } finally {
      limit.clear();
    }
  }

  /** With a token of the repository; with a new one, once, where it is not taken. */
  function withToken<T>(asked: Asked, turns: Turns, work: (octokit: Octokit, how: object) => Promise<T>): Promise<T> {
    return bounded(asked, asked.signal, async (signal) => {
      const send = async (token: Token): Promise<T> => {
        const kit = kitOf(token);
        const request = { signal, ...(asked.once ? { retries: 0 } : {}) };
        try {
          const how = { headers: { authorization: `token ${token.token}` }, request };
          return await turns.take(signal, () => work(kit.octokit, how));
        } catch (error) {
          throw signal.aborted ? error : said(error, asked, kit);
        }
      };
      const tokenOf = (how: { readonly refused?: string }) =>
        tokens.of(asked.repository, how).catch((error: unknown) => Promise.reject(onTheWay(error)));
      const token = await tokenOf({});
      try {
        return await send(token);
      } catch (error) {
        if (!app || !(error instanceof GitHubFault) || error.status !== 401) throw error;
        return send(await tokenOf({ refused: token.token }));
      }
    });
  }

  const client: GitHubClient = {
    isApp: app !== undefined,
    ask(route, parameters, asked) {
      const of = String(route).includes('{owner}') ? ownerAndRepo(asked.repository) : {};
      const all = { ...of, ...parameters };
      const turns = String(route).startsWith('GET ') ? reads : writes;
      return withToken(asked, turns, (octokit, how) => octokit.request(String(route), { ...all, ...how })) as never;
    },
    async *pages(route, parameters, asked) {
      for (let page = 1; ; page += 1) {
        const answer = await client.ask(route, { ...parameters, per_page: PER_PAGE, page } as never, asked);
        yield answer.data;
        if (!/;\s*rel="next"/.test(String(answer.headers.link ?? ''))) return;
      }
    },
    query(text, variables, asked) {
      const { owner, repo } = ownerAndRepo(asked.repository);
      const all = { owner, name: repo, ...variables };
      return withToken(asked, writes, (octokit, how) => octokit.graphql(text, { ...all, ...how }));
    },
    askAsApp(route, parameters, { act, signal }) {
      const what = { act, repository: undefined };
      return bounded(what, signal, (until) =>
        asApp(what, (octokit) => octokit.request(String(route), { ...parameters, request: { signal: until } })),
      ) as never;
    },
    token(asked, { refused, narrowed }) {
      const how = { narrowed, ...(refused === undefined ? {} : { refused }) };
      return bounded(asked, asked.signal, async () => (await tokens.of(asked.repository, how)).token);
    },
    close: () => closing.abort(),
  };
  return client;
}

function ownerAndRepo(repository: RepositoryName): { readonly owner: string; readonly repo: string } {
  const [owner = '', repo = ''] = repository.split('/');
  return { owner, repo };
}
