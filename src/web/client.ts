/** The API, from the command line's side. */

import type { PreviewAct } from '../api/acts.ts';
import type { ForgeView, HostView } from '../api/host.ts';
import type { LinkView, NewLink } from '../api/links.ts';
import type { RepositoryView } from '../api/repositories.ts';
import type { PreviewView } from '../api/schemas.ts';
import type { NewToken, TokenView } from '../api/tokens.ts';
import type { TrailView } from '../api/trail.ts';
import type { BuildEvent } from '../domain/events.ts';
import type { SweepReport } from '../domain/sweep.ts';
import { TreehouseError } from '../errors.ts';

export interface Client {
  /** @param isAll also those that were removed in the last days */
  previews(isAll?: boolean): Promise<readonly PreviewView[]>;
  /** How far all is as the forge has it; undefined without credentials there, or where the host is not told of: previews are shown all the same. */
  forge(): Promise<ForgeView | undefined>;
  preview(id: string): Promise<PreviewView & { readonly builds: readonly string[] }>;
  events(id: string, build: string, after: string | null): Promise<EventPage>;
  act(act: PreviewAct, id: string): Promise<void>;
  /** Of what runs; of all services where none is named. */
  composeFile(id: string, services: readonly string[]): Promise<string>;
  sweep(options: { readonly dryRun: boolean }): Promise<SweepReport>;
  tokens(): Promise<readonly TokenView[]>;
  createToken(wanted: NewToken): Promise<TokenView & { readonly token: string }>;
  revokeToken(id: string): Promise<void>;
  repositories(): Promise<readonly RepositoryView[]>;
  putRepository(name: string, section: Readonly<Record<string, unknown>>): Promise<RepositoryView>;
  removeRepository(name: string): Promise<void>;
  /** Of one preview, or of all that the token reaches. */
  links(preview?: string): Promise<readonly LinkView[]>;
  createLink(preview: string, wanted: { readonly expiresAt: string }): Promise<NewLink>;
  revokeLink(preview: string, id: string): Promise<void>;
  setPassword(repository: string, password: string): Promise<void>;
  clearPassword(repository: string): Promise<void>;
  /** The newest entries, newest first. */
  trail(count: number): Promise<readonly TrailView[]>;
}

export interface EventPage {
  readonly events: readonly (BuildEvent & { readonly cursor: string })[];
  readonly next: string | null;
}

interface PreviewPage {
  readonly previews: readonly PreviewView[];
  readonly next: string | null;
}

const LIMIT = 30_000;
const REPOSITORIES = '/api/v1/repositories';
/** A sweep asks every remote, and stops containers one after the other. */
const SWEEP_LIMIT = 600_000;

/** @throws {TreehouseError} from each call, naming the server or repeating what it said. */
export function createClient(options: { readonly url: string; readonly token: string }): Client {
  async function call<T>(
    method: string,
    path: string,
    { limit = LIMIT, body }: { readonly limit?: number; readonly body?: unknown } = {},
  ): Promise<T> {
    const answer = await fetch(new URL(path, options.url), {
      method,
      headers: {
        Authorization: `Bearer ${options.token}`,
        Accept: 'application/json, application/yaml',
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(limit),
    }).catch((cause: unknown) => {
      throw new TreehouseError(
        'stopped',
        `no Treehouse answers at ${options.url}: start it with npm start, or set TREEHOUSE_URL`,
        { cause },
      );
    });
    if (answer.status === 204) return undefined as T;
    const isJson = /\bjson\b/.test(answer.headers.get('content-type') ?? '');
    const said = (isJson ? await answer.json() : await answer.text()) as T & { detail?: string };
    if (!answer.ok) throw new TreehouseError('stopped', said.detail ?? `${options.url} answered ${answer.status}`);
    return said;
  }
  const at = (id: string) => `/api/v1/previews/${encodeURIComponent(id)}`;
  return {
    async previews(isAll = false) {
      const all: PreviewView[] = [];
      let after: string | null = null;
      do {
        const page: PreviewPage = await call(
          'GET',
          `/api/v1/previews?limit=1000${isAll ? '&all=true' : ''}${after === null ? '' : `&after=${after}`}`,
        );
        all.push(...page.previews);
        after = page.next;
      } while (after !== null);
      return all;
    },
    forge: () =>
      call<HostView>('GET', '/api/v1/host').then(
        (host) => host.forge,
        () => undefined,
      ),
    preview: (id) => call('GET', at(id)),
    events: (id, build, after) =>
      call('GET', `${at(id)}/builds/${encodeURIComponent(build)}/events${after === null ? '' : `?after=${after}`}`),
    act: async (act, id) => void (await call('POST', `${at(id)}/${act}`)),
    composeFile(id, services) {
      const query = new URLSearchParams(services.map((one): [string, string] => ['service', one])).toString();
      return call('GET', `${at(id)}/compose.yml${query === '' ? '' : `?${query}`}`);
    },
    sweep: ({ dryRun }) => call(dryRun ? 'GET' : 'POST', '/api/v1/sweep', { limit: SWEEP_LIMIT }),
    tokens: async () => (await call<{ tokens: TokenView[] }>('GET', '/api/v1/tokens')).tokens,
    createToken: (body) => call('POST', '/api/v1/tokens', { body }),
    revokeToken: (id) => call('DELETE', `/api/v1/tokens/${encodeURIComponent(id)}`),
    repositories: async () => (await call<{ repositories: RepositoryView[] }>('GET', REPOSITORIES)).repositories,
    putRepository: (name, body) => call('PUT', repositoryAt(name), { body }),
    removeRepository: (name) => call('DELETE', repositoryAt(name)),
    links: async (preview) => {
      const query = preview === undefined ? '' : `?preview=${encodeURIComponent(preview)}`;
      return (await call<{ links: LinkView[] }>('GET', `/api/v1/links${query}`)).links;
    },
    createLink: (preview, body) => call('POST', `${at(preview)}/links`, { body }),
    revokeLink: (preview, id) => call('DELETE', `${at(preview)}/links/${encodeURIComponent(id)}`),
    setPassword: (repository, password) => call('PUT', `${repositoryAt(repository)}/password`, { body: { password } }),
    clearPassword: (repository) => call('DELETE', `${repositoryAt(repository)}/password`),
    trail: async (count) => (await call<{ entries: TrailView[] }>('GET', `/api/v1/trail?limit=${count}`)).entries,
  };
}

/** What is no name of a repository is so at the server too. */
function repositoryAt(name: string): string {
  const [owner = '', ...rest] = name.split('/');
  return `${REPOSITORIES}/${encodeURIComponent(owner)}/${encodeURIComponent(rest.join('/'))}`;
}
