/** What GitHub does when it is asked: each operation that Treehouse uses, on the state, answered in GitHub's own shapes. */
import { randomBytes } from 'node:crypto';
import { example } from './description.ts';
import type { FakeComment, FakeDeployment, FakeRepository, FakeToken, Level, Permissions, State } from './state.ts';

export interface Asked {
  readonly state: State;
  readonly who: FakeToken | 'app';
  /** Of the path, where it names one that is there. */
  readonly repository: FakeRepository | undefined;
  readonly path: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: Readonly<Record<string, unknown>>;
  readonly now: number;
  /** Without a slash at its end. */
  readonly url: string;
  /** Of the API with the path. */
  readonly pathname: string;
}

export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

type Play = (asked: Asked) => Answer;

const NOT_FOUND: Answer = { status: 404, body: { message: 'Not Found', status: '404' } };
const GONE = (what: string): Answer => ({ status: 404, body: { message: what, status: '404' } });
const invalid = (message: string): Answer => ({
  status: 422,
  body: { message, documentation_url: 'https://docs.github.com' },
});
/** The most that GitHub takes. */
const DESCRIPTION_MAX = 140;
const COMMENT_MAX = 65_536;

export const PLAYED: Readonly<Record<string, Play>> = {
  'apps/get-authenticated': ({ state }) => ({
    status: 200,
    body: { ...example('integration'), id: state.app.id, slug: state.app.slug },
  }),
  'apps/get-repo-installation': ({ state, repository }) => {
    const found = [...state.installations.values()].find((one) => repository && one.repositories.has(repository.name));
    return found
      ? { status: 200, body: { ...example('installation'), id: found.id, app_id: state.app.id } }
      : NOT_FOUND;
  },
  'apps/create-installation-access-token': createToken,
  'apps/list-webhook-deliveries': listDeliveries,
  'apps/redeliver-webhook-delivery'({ state, path, now }) {
    const old = state.deliveries.find((one) => one.id === Number(path.delivery_id));
    if (!old) return { status: 400, body: { message: 'no such delivery' } };
    state.deliveries.push({ ...old, id: state.nextId++, at: now, status: 202, isAgain: true });
    return { status: 202, body: {} };
  },
  'users/get-authenticated': ({ who }) => ({
    status: 200,
    body: { ...example('private-user-response-with-public-profile-information'), ...user(loginOf(who)) },
  }),
  'repos/get-collaborator-permission-level': inRepository((repository, { state, path }) => {
    const login = path.username ?? '';
    if (!state.people.has(login.toLowerCase()) && !repository.collaborators.has(login))
      return GONE(`${login} is not a user`);
    const role = repository.collaborators.get(login);
    return {
      status: 200,
      body: {
        permission: legacy(role),
        role_name: role ?? 'none',
        user: { ...user(login), role_name: role ?? 'none' },
      },
    };
  }),
  'repos/compare-commits-with-basehead': inRepository((repository, { path }) => {
    const files = repository.comparisons.get(path.basehead ?? '');
    if (!files) return NOT_FOUND;
    const whole = example<{ files: Record<string, unknown>[] }>('commit-comparison');
    const shape = whole.files[0];
    const shown = files.slice(0, 300).map(({ filename, previous }) => ({
      ...shape,
      filename,
      ...(previous === undefined ? {} : { previous_filename: previous, status: 'renamed' }),
    }));
    return { status: 200, body: { ...whole, files: shown } };
  }),
  'repos/create-commit-status': inRepository((repository, { state, path, body, now, who }) => {
    const text = body.description as string | undefined;
    if ((text ?? '').length > DESCRIPTION_MAX) return invalid('description is too long (maximum is 140 characters)');
    const made = {
      ...{ id: state.nextId++, at: now, commit: path.sha ?? '', state: String(body.state) },
      ...{ description: text, url: body.target_url as string | undefined, context: String(body.context ?? 'default') },
    };
    repository.statuses.push(made);
    const shown = { state: made.state, description: text ?? null, target_url: made.url ?? null, context: made.context };
    return { status: 201, body: { ...example('status'), id: made.id, ...shown, creator: user(loginOf(who)) } };
  }),
  'checks/list-for-ref': inRepository((repository, asked) => {
    const name = asked.query.get('check_name');
    const runs = visible(repository.checkRuns, asked).filter(
      (run) => run.commit === asked.path.ref && (name === null || run.fields.name === name),
    );
    // `latest`, which is usual: of each name the newest.
    const newest = new Map(runs.map((run) => [run.fields.name, run]));
    const shown = asked.query.get('filter') === 'all' ? runs : [...newest.values()];
    return { status: 200, body: { total_count: shown.length, check_runs: shown.map(checkRun) } };
  }),
  'checks/create': inRepository((repository, { state, body, now, who }) => {
    const { head_sha: commit, ...fields } = body;
    const made = { id: state.nextId++, at: now, commit: String(commit), by: loginOf(who), fields: withStatus(fields) };
    repository.checkRuns.push(made);
    return { status: 201, body: checkRun(made) };
  }),
  'checks/update': inRepository((repository, { path, body, who }) => {
    const run = repository.checkRuns.find((one) => one.id === Number(path.check_run_id));
    if (!run) return NOT_FOUND;
    if (run.by !== loginOf(who))
      return {
        status: 403,
        body: { message: 'Invalid app_id `4711` - check run can only be modified by the GitHub App that created it.' },
      };
    run.fields = withStatus({ ...run.fields, ...body });
    return { status: 200, body: checkRun(run) };
  }),
  'repos/list-deployments': inRepository((repository, asked) => {
    const environment = asked.query.get('environment');
    const all = visible(repository.deployments, asked).filter(
      (one) => environment === null || one.environment === environment,
    );
    return paged(asked, all.toReversed().map(deployment));
  }),
  'repos/create-deployment': inRepository((repository, { state, body, now }) => {
    const description = String(body.description ?? '');
    if (description.length > DESCRIPTION_MAX) return invalid('description is too long (maximum is 140 characters)');
    if (body.auto_merge !== false)
      return { status: 202, body: { message: 'Auto-merged main into topic on deployment.' } };
    if (!Array.isArray(body.required_contexts) || body.required_contexts.length > 0) {
      return { status: 409, body: { message: 'Conflict: Commit status checks failed for topic' } };
    }
    const made: FakeDeployment = {
      ...{
        id: state.nextId++,
        at: now,
        commit: String(body.ref),
        environment: String(body.environment ?? 'production'),
      },
      ...{ isTransient: body.transient_environment === true, isProduction: body.production_environment === true },
      ...{ description, statuses: [] },
    };
    repository.deployments.push(made);
    repository.environments.add(made.environment);
    return { status: 201, body: deployment(made) };
  }),
  'repos/create-deployment-status': inRepository((repository, { path, body, who }) => {
    const of = repository.deployments.find((one) => one.id === Number(path.deployment_id));
    if (!of) return NOT_FOUND;
    const description = String(body.description ?? '');
    if (description.length > DESCRIPTION_MAX) return invalid('description is too long (maximum is 140 characters)');
    const said = {
      state: String(body.state),
      url: String(body.environment_url ?? ''),
      logUrl: String(body.log_url ?? ''),
      description,
    };
    of.statuses.push(said);
    if (said.state === 'success' && body.auto_inactive !== false) endOthers(repository, of);
    // GitHub has them empty where they were not said; its description has them as addresses, or not at all.
    const { environment_url: _, log_url: __, ...shape } = example('deployment-status');
    const links = {
      ...(said.url ? { environment_url: said.url } : {}),
      ...(said.logUrl ? { log_url: said.logUrl } : {}),
    };
    const shown = { state: said.state, description, environment: of.environment, creator: user(loginOf(who)) };
    return { status: 201, body: { ...shape, ...shown, ...links } };
  }),
  'repos/delete-deployment': inRepository((repository, { path }) => {
    const of = repository.deployments.find((one) => one.id === Number(path.deployment_id));
    if (!of) return NOT_FOUND;
    // docs.github.com: one that is active goes only where it is the only one.
    if (of.statuses.at(-1)?.state !== 'inactive' && repository.deployments.length > 1) {
      return invalid('We cannot delete an active deployment unless it is the only deployment in a given environment.');
    }
    repository.deployments = repository.deployments.filter((one) => one !== of);
    return { status: 204 };
  }),
  'repos/delete-an-environment': inRepository((repository, { path }) =>
    repository.environments.delete(path.environment_name ?? '') ? { status: 204 } : NOT_FOUND,
  ),
  'issues/list-comments': inRepository((repository, asked) => {
    const number = Number(asked.path.issue_number);
    if (!repository.pulls.some((one) => one.number === number)) return NOT_FOUND;
    const all = visible(repository.comments, asked).filter((one) => one.pull === number);
    return paged(asked, all.map(comment));
  }),
  'issues/create-comment': inRepository((repository, { state, path, body, now, who }) => {
    const pull = Number(path.issue_number);
    if (!repository.pulls.some((one) => one.number === pull)) return NOT_FOUND;
    if (String(body.body).length > COMMENT_MAX) return invalid('body is too long (maximum is 65536 characters)');
    const made: FakeComment = {
      id: state.nextId++,
      at: now,
      pull,
      author: loginOf(who),
      body: String(body.body),
      reactions: [],
    };
    repository.comments.push(made);
    return { status: 201, body: comment(made) };
  }),
  'issues/update-comment': inRepository((repository, { path, body, who }) => {
    const found = repository.comments.find((one) => one.id === Number(path.comment_id));
    if (!found) return NOT_FOUND;
    if (found.author !== loginOf(who))
      return { status: 403, body: { message: 'Must have admin rights to Repository.' } };
    if (String(body.body).length > COMMENT_MAX) return invalid('body is too long (maximum is 65536 characters)');
    found.body = String(body.body);
    return { status: 200, body: comment(found) };
  }),
  'reactions/create-for-issue-comment': inRepository((repository, { path, body, who }) => {
    const found = repository.comments.find((one) => one.id === Number(path.comment_id));
    if (!found) return NOT_FOUND;
    const by = loginOf(who);
    const isNew = !found.reactions.some((one) => one.by === by && one.content === body.content);
    if (isNew) found.reactions.push({ by, content: String(body.content) });
    const shown = { ...example('reaction'), user: user(by), content: body.content };
    return { status: isNew ? 201 : 200, body: shown };
  }),
};

function inRepository(play: (repository: FakeRepository, asked: Asked) => Answer): Play {
  return (asked) => (asked.repository ? play(asked.repository, asked) : NOT_FOUND);
}

/** A list may not show yet what was just made. */
function visible<T extends { readonly at: number }>(all: readonly T[], { state, now }: Asked): T[] {
  return all.filter((one) => one.at <= now - state.lagMs);
}

function paged(asked: Asked, all: readonly unknown[]): Answer {
  const { query, url, pathname } = asked;
  const size = Number(query.get('per_page') ?? 30);
  const page = Number(query.get('page') ?? 1);
  const shown = all.slice((page - 1) * size, page * size);
  if (page * size >= all.length) return { status: 200, body: shown };
  const next = new URLSearchParams(query);
  next.set('page', String(page + 1));
  return { status: 200, body: shown, headers: { link: `<${url}${pathname}?${next}>; rel="next"` } };
}

function createToken({ state, path, body, now }: Asked): Answer {
  const installation = state.installations.get(Number(path.installation_id));
  if (!installation) return NOT_FOUND;
  const asked = (body.permissions ?? {}) as Permissions;
  const lacks = Object.entries(asked).filter(([name, level]) => {
    const has = installation.permissions[name];
    return has !== 'write' && has !== level;
  });
  if (lacks.length > 0) return invalid('The permissions requested are not granted to this installation.');
  const names = (body.repositories as string[] | undefined)?.map((name) => name.toLowerCase());
  const repositories = [...installation.repositories].filter(
    (one) => !names || names.includes(one.split('/')[1]?.toLowerCase() ?? ''),
  );
  if (names && repositories.length < names.length) {
    return invalid(
      'There is at least one repository that does not exist or is not accessible to the parent installation.',
    );
  }
  const permissions = body.permissions === undefined ? installation.permissions : asked;
  const token = `ghs_${randomBytes(18).toString('hex')}`;
  const expiresAt = now + state.tokenMs;
  const login = `${state.app.slug}[bot]`;
  state.tokens.set(token, { login, isApp: true, permissions, repositories: new Set(repositories), expiresAt });
  const { repositories: _, ...shape } = example('installation-token');
  return { status: 201, body: { ...shape, token, expires_at: new Date(expiresAt).toISOString(), permissions } };
}

function listDeliveries({ state, query, url, pathname }: Asked): Answer {
  const size = Number(query.get('per_page') ?? 30);
  const all = state.deliveries.toReversed();
  const from = Number(query.get('cursor') ?? 0);
  const shape = example<Record<string, unknown>[]>('hook-delivery-items')[0];
  const shown = all.slice(from, from + size).map((one) => ({
    ...shape,
    ...{ id: one.id, guid: one.guid, delivered_at: new Date(one.at).toISOString(), redelivery: one.isAgain },
    ...{ status_code: one.status, status: one.status < 300 ? 'OK' : 'Service Unavailable' },
  }));
  const more = from + size < all.length;
  const link = `<${url}${pathname}?per_page=${size}&cursor=${from + size}>; rel="next"`;
  return { status: 200, body: shown, ...(more ? { headers: { link } } : {}) };
}

/** docs.github.com, "Create a deployment status", auto_inactive: those before, which are neither transient nor production. */
function endOthers(repository: FakeRepository, of: FakeDeployment): void {
  for (const one of repository.deployments) {
    const isOther = one.id < of.id && one.environment === of.environment && !one.isTransient && !one.isProduction;
    if (isOther && one.statuses.at(-1)?.state === 'success') {
      one.statuses.push({ state: 'inactive', url: '', logUrl: '', description: '' });
    }
  }
}

export function loginOf(who: FakeToken | 'app'): string {
  return who === 'app' ? '' : who.login;
}

export function user(login: string): Record<string, unknown> {
  const { user: shape } = example<{ user: Record<string, unknown> }>('issue-comment');
  return { ...shape, login, type: login.endsWith('[bot]') ? 'Bot' : 'User' };
}

function legacy(role: Level | undefined): string {
  return role === 'maintain' ? 'write' : role === 'triage' ? 'read' : (role ?? 'none');
}

function comment({ id, body, author, at }: FakeComment): Record<string, unknown> {
  const time = new Date(at).toISOString();
  return { ...example('issue-comment'), id, body, user: user(author), created_at: time, updated_at: time };
}

function deployment({ id, commit, environment, description, isTransient, isProduction }: FakeDeployment) {
  const flags = { transient_environment: isTransient, production_environment: isProduction };
  return { ...example('deployment-simple-example'), id, sha: commit, ref: commit, environment, description, ...flags };
}

/** A conclusion ends it, whatever was said of its status. */
function withStatus(fields: Record<string, unknown>): Record<string, unknown> {
  return fields.conclusion === undefined ? { status: 'queued', ...fields } : { ...fields, status: 'completed' };
}

function checkRun({ id, commit, fields }: { id: number; commit: string; fields: Record<string, unknown> }) {
  const shape = example<Record<string, unknown> & { output: object }>('check-run');
  const { title = null, summary = null, text = null } = (fields.output ?? {}) as Record<string, unknown>;
  const shown = { name: fields.name, status: fields.status, conclusion: fields.conclusion ?? null };
  return { ...shape, id, head_sha: commit, ...shown, output: { ...shape.output, title, summary, text } };
}
