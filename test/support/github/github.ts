/**
 * A fake GitHub on loopback. It holds each request, and each of its own answers, to GitHub's OpenAPI description and GraphQL
 * schema: what is not as described is kept, and `verify` throws it.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { GitHubSettings } from '../../../src/github/settings.ts';
import { answerFaults, findOperation, headerFaults, requestFaults } from './description.ts';
import { answerQuery, type Query } from './graphql.ts';
import { type Answer, PLAYED } from './operations.ts';
import {
  ALL,
  appKeys,
  emptyState,
  type FakeInstallation,
  type FakePull,
  type FakeRepository,
  newRepository,
  type Permissions,
  type State,
} from './state.ts';
import type { Rule, Trouble } from './troubles.ts';
import { mayAsk, NEEDS, whoAsks } from './who.ts';

/** A request as it came in. */
export interface Recorded {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly method: string;
  /** Without what Enterprise puts before it. */
  readonly path: string;
  /** Such as `issues/create-comment`; `graphql`; `` where GitHub has no such path. */
  readonly operation: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  /** Milliseconds since the epoch, and the status; undefined while it goes on, 0 where it was dropped. */
  ended?: { readonly at: number; readonly status: number };
}

export interface FakeGitHub {
  /** For GITHUB_API_URL. */
  readonly url: string;
  readonly state: State;
  readonly requests: readonly Recorded[];
  /** What was not as GitHub describes it. */
  readonly violations: string[];
  repository(name: string): FakeRepository;
  pull(repository: FakeRepository, more?: Partial<FakePull>): FakePull;
  comment(repository: FakeRepository, pull: number, author: string, body: string): number;
  /** Somebody's fine-grained token, and how to ask with it. */
  asUser(login?: string, permissions?: Permissions): GitHubSettings;
  /** How to ask as the App, which is installed for these repositories. */
  asApp(repositories: readonly FakeRepository[], permissions?: Permissions): GitHubSettings;
  install(repositories: readonly FakeRepository[], permissions?: Permissions): FakeInstallation;
  /** @returns takes the rule back */
  play(rule: Rule): () => void;
  /** The most requests in any time of this length. */
  busiest(ms: number, about?: (request: Recorded) => boolean): number;
  /** Every secret that was given out. */
  secrets(): readonly string[];
  /** @throws where anything was not as GitHub describes it. */
  verify(): void;
  close(): Promise<void>;
}

/** @param prefix what Enterprise has before its paths, `/api/v3` */
export async function startGitHub({ prefix = '' }: { readonly prefix?: string } = {}): Promise<FakeGitHub> {
  const state = emptyState();
  const requests: Recorded[] = [];
  const violations: string[] = [];
  const rules = new Set<Rule>();
  const used = new Map<string, number>();
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      violations.push(`the fake itself failed: ${String((error as Error).stack ?? error)}`);
      response.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${prefix}`;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = new URL(request.url ?? '/', url);
    const text = await textOf(request);
    const isQuery = asked.pathname === (prefix === '' ? '/graphql' : '/api/graphql');
    const path = asked.pathname.startsWith(prefix) ? asked.pathname.slice(prefix.length) : '';
    const operation = isQuery ? undefined : findOperation(request.method ?? '', path);
    const recorded: Recorded = {
      ...{ at: Date.now(), method: request.method ?? '', path, operation: isQuery ? 'graphql' : (operation?.id ?? '') },
      ...{ query: asked.searchParams, body: text === '' ? undefined : parsed(text) },
    };
    requests.push(recorded);

    const trouble = [...rules].map((rule) => rule(recorded)).find((one) => one !== undefined);
    if (trouble && 'slowMs' in trouble) await delay(trouble.slowMs);
    const isSpared = trouble === undefined || 'slowMs' in trouble || trouble.isDone;
    const result = isSpared ? await carryOut(request, recorded) : { status: 0 };
    if (trouble && 'isDropped' in trouble) {
      recorded.ended = { at: Date.now(), status: 0 };
      response.destroy();
      return;
    }
    send(recorded, response, trouble && 'status' in trouble ? troubled(trouble) : result);

    function troubled({ status, message, headers, body }: Extract<Trouble, { status: number }>): Answer {
      return { status, body: body ?? { message, status: String(status) }, ...(headers ? { headers } : {}) };
    }
  }

  async function carryOut(request: IncomingMessage, recorded: Recorded): Promise<Answer> {
    const { body, path, query } = recorded;
    const what = `${recorded.method} ${path}`;
    const operation = findOperation(recorded.method, path);
    const play = PLAYED[recorded.operation];
    if (recorded.operation !== 'graphql' && (!operation || !play)) {
      violations.push(`${what}: GitHub has no such path, or this fake does not play it`);
      return refused(404, 'Not Found');
    }
    const { headers } = request;
    const faults = operation ? requestFaults(operation, { query, headers, body }) : headerFaults(headers, body);
    if (faults.length > 0) {
      violations.push(...faults.map((fault) => `${what}: ${fault}`));
      return { status: 422, body: { message: 'Validation Failed', errors: faults, documentation_url: '' } };
    }
    const now = Date.now();
    const who = whoAsks(state, headers.authorization ?? '', now);
    if (typeof who === 'object' && 'status' in who) return refused(who.status, who.message);
    const { owner, repo } = operation?.path ?? {};
    const repository = state.repositories.get(`${owner}/${repo}`.toLowerCase());
    const no = mayAsk(recorded.operation, who, repository);
    if (no) return { ...refused(no.status, no.message), ...(no.headers ? { headers: no.headers } : {}) };
    const holder = who === 'app' ? 'app' : who.login;
    used.set(holder, (used.get(holder) ?? 0) + 1);
    const left = {
      'x-ratelimit-limit': `${state.hourly}`,
      'x-ratelimit-remaining': `${Math.max(0, state.hourly - (used.get(holder) ?? 0))}`,
    };
    const ends = {
      'x-ratelimit-reset': `${Math.floor(now / 1_000) + 1_800}`,
      'x-ratelimit-resource': operation ? 'core' : 'graphql',
    };
    const accepted = NEEDS[recorded.operation];
    const usual = {
      ...left,
      ...ends,
      ...(accepted === undefined ? {} : { 'x-accepted-github-permissions': accepted }),
    };
    if (!operation || !play) {
      const { faults, body: data } = await answerQuery(body as Query, {
        state,
        who: who as Exclude<typeof who, 'app'>,
        now,
      });
      violations.push(...faults.map((fault) => `${what}: ${fault}`));
      return { status: 200, body: data, headers: usual };
    }
    const given = (body ?? {}) as Record<string, unknown>;
    const result = play({ state, who, repository, path: operation.path, query, body: given, now, url, pathname: path });
    const wrong = answerFaults(operation, result.status, result.body);
    violations.push(...wrong.map((fault) => `the fake's answer to ${what} (${result.status}): ${fault}`));
    return { ...result, headers: { ...usual, ...result.headers } };
  }

  function send(recorded: Recorded, response: ServerResponse, { status, body, headers }: Answer): void {
    recorded.ended = { at: Date.now(), status };
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
    response.end(body === undefined ? undefined : JSON.stringify(body));
  }

  const fake: FakeGitHub = {
    url,
    state,
    requests,
    violations,
    repository(name) {
      const made = newRepository(name, state.nextId++);
      state.repositories.set(name.toLowerCase(), made);
      return made;
    },
    pull(repository, more = {}) {
      const number = more.number ?? repository.pulls.length + 1;
      const head = {
        repository: repository.name,
        branch: `feature-${number}`,
        commit: randomBytes(20).toString('hex'),
      };
      const made: FakePull = {
        ...{ id: state.nextId++, at: Date.now(), number, isOpen: true, isDraft: false, labels: [] },
        ...{ author: 'octocat', base: 'main', head },
        ...more,
      };
      repository.pulls.push(made);
      return made;
    },
    comment(repository, pull, author, body) {
      const id = state.nextId++;
      repository.comments.push({ id, at: Date.now(), pull, author, body, reactions: [] });
      return id;
    },
    asUser(login = 'octocat', permissions = ALL) {
      const token = `github_pat_${randomBytes(20).toString('hex')}`;
      state.tokens.set(token, {
        login,
        isApp: false,
        permissions,
        repositories: undefined,
        expiresAt: Number.POSITIVE_INFINITY,
      });
      return { apiUrl: url, credentials: { token } };
    },
    asApp(repositories, permissions = ALL) {
      fake.install(repositories, permissions);
      return { apiUrl: url, credentials: { appId: String(state.app.id), privateKey: appKeys().privateKey } };
    },
    install(repositories, permissions = ALL) {
      const id = state.nextId++;
      const made = { id, repositories: new Set(repositories.map((one) => one.name)), permissions };
      state.installations.set(id, made);
      return made;
    },
    play(rule) {
      rules.add(rule);
      return () => void rules.delete(rule);
    },
    busiest(ms, about = () => true) {
      const times = requests.filter(about).map((one) => one.at);
      return Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + ms).length));
    },
    secrets: () => [...state.tokens.keys(), appKeys().privateKey],
    verify() {
      if (violations.length > 0) throw new Error(`not as GitHub describes it:\n  ${violations.join('\n  ')}`);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return fake;
}

function refused(status: number, message: string): Answer {
  return { status, body: { message, documentation_url: 'https://docs.github.com/rest', status: String(status) } };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** What is no JSON is held to be what it is. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
