/** What GitHub refuses, in words for people: the act, the repository, GitHub's reason and the way out. */
import { ForgeFault } from '../domain/forge.ts';
import type { FaultKind } from '../errors.ts';
import { limitOf } from './transport.ts';

/** Of which act and whose repository a fault is. */
export interface Act {
  /** Such as `setting the status of 0123456789ab`. */
  readonly act: string;
  /** Undefined where it is of the App or the token itself. */
  readonly repository: string | undefined;
}

/** A fault with GitHub's own status; 0 where there was no answer. */
export class GitHubFault extends ForgeFault {
  readonly status: number;

  constructor(message: string, options: { kind: FaultKind; status: number; retryAt?: number | undefined }) {
    super(message, options);
    this.status = options.status;
  }
}

/** Whether what was asked for is not there, or not for these credentials: GitHub tells them apart to nobody. */
export function isGone(error: unknown): boolean {
  return error instanceof GitHubFault && (error.status === 404 || error.status === 410);
}

/** The same of something that had to be asked first: its status says nothing of what was to be asked. */
export function onTheWay(error: unknown): unknown {
  return error instanceof GitHubFault
    ? new GitHubFault(error.message, { kind: error.kind, status: 0, retryAt: error.retryAt })
    : error;
}

export function isForbidden(error: unknown): boolean {
  return error instanceof GitHubFault && error.status === 403 && error.kind === 'terminal';
}

/** What octokit throws, as far as it is read here. */
interface Thrown {
  readonly name?: unknown;
  readonly status?: unknown;
  readonly message?: unknown;
  readonly response?: { readonly headers?: Record<string, unknown>; readonly data?: unknown };
  /** Of a query: one for each thing that went wrong. */
  readonly errors?: readonly QueryError[];
  readonly data?: { readonly errors?: readonly QueryError[] };
}

interface QueryError {
  readonly type?: unknown;
  readonly message?: unknown;
}

const SAID_MAX = 300;

/**
 * @param around `hide` takes secrets out of a text; `queriesUntil` says when queries may be asked again, in milliseconds since
 * the epoch
 */
export function faultOf(
  error: unknown,
  { act, repository }: Act,
  around: { readonly hide: (text: string) => string; readonly queriesUntil: () => number | undefined },
): GitHubFault {
  const thrown = (typeof error === 'object' && error !== null ? error : { message: String(error) }) as Thrown;
  const what = repository === undefined ? act : `${act} in ${repository}`;
  const say = (why: string) => around.hide(`${what} failed at GitHub: ${why}`);

  const errors = thrown.errors ?? thrown.data?.errors;
  if (errors && thrown.status === undefined) return queryFault(errors, say, around.queriesUntil);
  const { response } = thrown;
  const said = sentence(response ? saidBy(response.data, thrown.message) : thrown.message);
  if (!response) return new GitHubFault(say(`it is away: ${said}`), { kind: 'transient', status: 0 });
  const status = Number(thrown.status);
  const headers = new Headers(
    Object.entries(response.headers ?? {}).map(([name, value]): [string, string] => [name, String(value)]),
  );
  const limit = limitOf(headers, said);
  if (limit) {
    const when = new Date(limit.until).toISOString();
    const text = say(`${limit.said} (${status}); it may be tried again at ${when}`);
    return new GitHubFault(text, { kind: 'transient', status, retryAt: limit.until });
  }
  const kind = status >= 500 || status === 408 ? 'transient' : 'terminal';
  return new GitHubFault(say(`${said} (${status})${wayOut(status, headers, said)}`), { kind, status });
}

/** Of a query's errors: they come with a 200. */
function queryFault(
  errors: readonly QueryError[],
  say: (why: string) => string,
  queriesUntil: () => number | undefined,
): GitHubFault {
  const said = sentence(errors.map((one) => String(one.message)).join('; '));
  const types = errors.map((one) => one.type);
  if (types.includes('RATE_LIMITED')) {
    return new GitHubFault(say(said), { kind: 'transient', status: 200, retryAt: queriesUntil() });
  }
  if (types.includes('NOT_FOUND'))
    return new GitHubFault(say(`${said} (404)${NOT_SEEN}`), { kind: 'terminal', status: 404 });
  if (types.includes('FORBIDDEN') || types.includes('INSUFFICIENT_SCOPES')) {
    return new GitHubFault(say(`${said} (403): see docs/github.md for the permissions`), {
      kind: 'terminal',
      status: 403,
    });
  }
  return new GitHubFault(say(said), { kind: 'transient', status: 200 });
}

const NOT_SEEN = ': it is not there, or not for these credentials';

function wayOut(status: number, headers: Headers, said: string): string {
  const needed = permissionsOf(headers.get('x-accepted-github-permissions'));
  if (status === 401) return ': see whether GITHUB_TOKEN has ended, or the key of the App was withdrawn';
  if (/^Resource not accessible by/.test(said)) {
    return needed === '' ? ': the credentials lack a permission' : `: the credentials lack the permission ${needed}`;
  }
  if (status !== 404) return '';
  return needed === '' ? NOT_SEEN : `${NOT_SEEN}, which need ${needed}`;
}

/** As GitHub's pages call them. */
const NAMES: Readonly<Record<string, string>> = {
  administration: 'Administration',
  checks: 'Checks',
  contents: 'Contents',
  deployments: 'Deployments',
  issues: 'Issues',
  metadata: 'Metadata',
  pull_requests: 'Pull requests',
  statuses: 'Commit statuses',
};

/** Of `a=read,b=write; c=read`: both of the first, or the last. */
function permissionsOf(header: string | null): string {
  const sets = (header ?? '').split(';').map((set) =>
    set
      .split(',')
      .map((one) => /^\s*([a-z_]+)=([a-z]+)\s*$/.exec(one))
      .flatMap((match) => (match ? [`"${NAMES[match[1] ?? ''] ?? match[1]}: ${match[2]}"`] : []))
      .join(' and '),
  );
  return sets.filter((set) => set !== '').join(' or ');
}

/** GitHub's own words: the message, and what it says of single fields. */
function saidBy(data: unknown, otherwise: unknown): string {
  if (typeof data !== 'object' || data === null) return String(otherwise);
  const { message, errors } = data as { message?: unknown; errors?: unknown };
  const more = Array.isArray(errors) ? errors.map((one) => fieldText(one)) : [];
  return [typeof message === 'string' ? message : String(otherwise), ...more].join('; ');
}

function fieldText(one: unknown): string {
  if (typeof one !== 'object' || one === null) return String(one);
  const { field, code, message } = one as Record<string, unknown>;
  return [field, message ?? code].filter((part) => typeof part === 'string').join(' ');
}

function sentence(text: unknown): string {
  return String(text)
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .slice(0, SAID_MAX);
}
