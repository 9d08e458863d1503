/** Every example of @octokit/webhooks-examples, and what it lacks, is answered as the table in docs/webhooks.md says. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EVERY_BRANCH } from '../../src/domain/selection.ts';
import { TreehouseError } from '../../src/errors.ts';
import { answersTable, type Row } from '../support/answers-table.ts';
import { heard } from '../support/fakes.ts';
import { repository, startReceiver, type TestReceiver } from '../support/receiver.ts';
import { deliver, signed } from '../support/signed.ts';

/** Only what these tests read and change. */
interface Payload {
  readonly action?: string;
  readonly ref?: string;
  readonly ref_type?: string;
  readonly created?: boolean;
  readonly deleted?: boolean;
  readonly forced?: boolean;
  readonly commits?: readonly unknown[];
  readonly repository?: { readonly full_name: string };
  readonly issue?: { readonly pull_request?: object };
  readonly comment?: { readonly body: string };
  readonly label?: { readonly name: string };
  readonly changes?: {
    readonly base?: unknown;
    readonly title?: unknown;
    readonly repository?: { readonly name: { readonly from: string } };
    readonly owner?: { readonly from: { readonly user?: { readonly login: string } } };
  };
  readonly installation?: { readonly account?: { readonly login: string } };
  readonly repositories_removed?: readonly { readonly full_name: string }[];
  readonly pull_request?: {
    readonly merged?: boolean;
    readonly head: { readonly ref: string; readonly repo: { readonly full_name: string } | null };
  };
}

const KNOWN = ['Codertocat/Hello-World', 'Octocoders/Hello-World'];
const LEFT_OUT = 'dependabot/npm';
const TAKEN = 'taken';
const BAD = 'a..b';
const ACTIONS = [
  ...['opened', 'reopened', 'synchronize', 'edited'],
  ...['labeled', 'unlabeled', 'converted_to_draft', 'ready_for_review'],
];
const OF_REPOSITORY = ['push', 'create', 'delete', 'pull_request', 'issue_comment'];
const table = answersTable();
// Read, not imported: vite would take seconds to transform 4 MB of JSON.
const collection = createRequire(import.meta.url).resolve('@octokit/webhooks-examples');
const definitions: readonly { name: string; examples: Payload[] }[] = JSON.parse(readFileSync(collection, 'utf8'));
const examples = definitions.flatMap((one) =>
  one.examples.map((payload, at) => ({ name: `${one.name} example ${at + 1}`, event: one.name, payload })),
);

const made = makeMissing();
const port = heard();
const rowsSeen = new Set<Row>();
let receiver: TestReceiver;

beforeAll(async () => {
  receiver = await startReceiver({
    store: {
      ...port.store,
      know: async (key) => {
        const says = `branch "${key.branch}" of ${key.repository} can have no preview: its name x is taken by another`;
        if (key.branch === TAKEN) throw new TreehouseError('bad-branch', says);
        await port.store.know(key);
      },
    },
    hints: port.hints,
    forks: port.forks,
    commands: port.commands,
    // Spelled otherwise than GitHub does: names of repositories do not tell case.
    repositories: () => [
      {
        ...repository('codertocat/hello-world', ['*', '!dependabot/**']),
        selection: { ...EVERY_BRANCH, drafts: false },
      },
      repository('Octocoders/Hello-World'),
    ],
  });
});

afterAll(async () => {
  await receiver.close();
});

describe('a delivery is answered as docs/webhooks.md says', () => {
  test.each([...examples, ...made])('$name', async ({ event, payload }) => {
    const row = rowOf(event, payload);
    const hintsBefore = port.hinted.length;
    const { status, body } = await deliver(receiver.url, signed(event, payload));
    expect(status).toBe(row.status);
    expect(body).toHaveProperty(row.outcome);
    expect(body).toHaveProperty('delivery');
    if (row.text) expect(row.outcome === 'hinted' ? body.cause : body[row.outcome]).toMatch(row.text);
    expect(port.hinted.slice(hintsBefore)).toEqual(row.outcome === 'hinted' ? body.hinted : []);
    rowsSeen.add(row);
  });

  test('no row of the table is untested', () => {
    expect(table.filter((row) => !rowsSeen.has(row))).toEqual([]);
  });

  test('GitHub’s collection has examples of every event that matters, and of many that do not', () => {
    const names = new Set(examples.map((one) => one.event));
    for (const name of [...OF_REPOSITORY, 'ping', 'repository', 'installation', 'installation_repositories'])
      expect(names).toContain(name);
    expect(names.size).toBeGreaterThan(50);
  });
});

test('a pull request’s facts are kept as it says them', async () => {
  const example = find('pull_request', (payload) => payload.action === 'closed');
  port.facts.length = 0;
  await deliver(receiver.url, signed('pull_request', example));
  expect(port.facts).toEqual([
    {
      repository: 'codertocat/hello-world',
      branch: 'changes',
      fact: {
        number: 2,
        open: false,
        merged: false,
        head: 'ec26c3e57ca3a959ca5aad62de7213c562f8c821',
        updatedAt: Date.parse('2019-05-15T15:21:18Z'),
        base: 'master',
        draft: false,
        labels: ['bug'],
        bot: false,
      },
    },
  ]);
});

function rowOf(event: string, payload: Payload): Row {
  const wanted = caseOf(event, payload);
  const rows = table.filter((row) => row.case === wanted && row.events.includes(event));
  const [row, second] = rows.length > 0 ? rows : table.filter((one) => one.events.length === 0);
  if (!row || second) throw new Error(`${rows.length} rows of docs/webhooks.md are about ${event}: ${wanted}`);
  return row;
}

/** The words of the table's second column that describe a delivery. */
function caseOf(event: string, payload: Payload): string {
  if (event.startsWith('installation')) return ofInstallation(event, payload);
  if (event === 'repository') return ofRepository(payload);
  if (!OF_REPOSITORY.includes(event)) return 'any';
  if (!KNOWN.includes(payload.repository?.full_name ?? '')) return 'of a repository that is not configured';
  if (event === 'issue_comment') {
    if (payload.action !== 'created') return 'edited or deleted';
    if (!payload.issue?.pull_request) return 'on an issue';
    return payload.comment?.body.startsWith('/preview') ? 'a command' : 'without a command';
  }
  if (payload.pull_request) {
    const action = payload.action ?? '';
    if (action !== 'closed' && !ACTIONS.includes(action)) return 'any other action';
    const { repo } = payload.pull_request.head;
    if (!repo) return 'from a repository that is gone';
    if (repo.full_name !== payload.repository?.full_name) return 'from a fork';
  }
  const ref = payload.pull_request?.head.ref ?? payload.ref?.replace('refs/heads/', '') ?? '';
  if (ref === LEFT_OUT && payload.pull_request) return 'of a branch that branches leave out';
  if (ref === LEFT_OUT) return "a branch that the repository's branches leave out";
  if (ref === BAD) return 'a branch whose name git would refuse';
  if (ref === TAKEN) return "a branch whose preview's name another branch has";
  if (payload.pull_request) {
    if (payload.action === 'edited' && payload.changes?.base) return 'edited: another base';
    if (payload.action === 'edited' && payload.changes?.title) return 'edited: another title';
    if (payload.action !== 'closed') return payload.action ?? '';
    return payload.pull_request.merged ? 'closed, merged' : 'closed, not merged';
  }
  if (payload.ref_type) return `a ${payload.ref_type}`;
  if (payload.ref?.startsWith('refs/tags/')) return 'a tag';
  if (payload.deleted) return 'a branch, deleted';
  if (payload.created) return 'a branch, created';
  return payload.forced ? 'a branch, forced' : 'a branch, updated';
}

function ofRepository({ action = '', changes, repository }: Payload): string {
  if (action === 'renamed' || action === 'transferred') {
    const [login, name] = repository?.full_name.split('/') ?? [];
    const before = `${changes?.owner?.from.user?.login ?? login}/${changes?.repository?.name.from ?? name}`;
    return KNOWN.includes(before) ? 'renamed or transferred' : 'of a repository that is not configured';
  }
  if (!KNOWN.includes(repository?.full_name ?? '')) return 'of a repository that is not configured';
  return ['archived', 'deleted', 'privatized'].includes(action) ? action : 'any other action';
}

function ofInstallation(event: string, payload: Payload): string {
  const { action = '' } = payload;
  const isTaken = event === 'installation' ? ['deleted', 'suspend'].includes(action) : action === 'removed';
  if (!isTaken) return 'given, or given back';
  const names = payload.repositories_removed?.map((one) => one.full_name) ?? [];
  const isOurs =
    event === 'installation'
      ? KNOWN.some((one) => one.startsWith(`${payload.installation?.account?.login}/`))
      : names.some((one) => KNOWN.includes(one));
  if (!isOurs) return 'taken from others';
  return action === 'suspend' ? 'suspended' : 'taken away';
}

function find(event: string, which: (payload: Payload) => boolean): Payload {
  const found = examples.find((one) => one.event === event && which(one.payload));
  if (!found) throw new Error(`GitHub's collection has no such example of ${event}`);
  return found.payload;
}

/** What the collection has no example of, made from the nearest that it has. */
function makeMissing(): { name: string; event: string; payload: Payload }[] {
  const push = find('push', (payload) => payload.ref === 'refs/heads/master');
  const updated = { ...push, created: false, before: 'f'.repeat(40) };
  const opened = find('pull_request', (payload) => payload.action === 'opened');
  const closed = find('pull_request', (payload) => payload.action === 'closed');
  const create = find('create', () => true);
  const comment = find('issue_comment', (payload) => payload.action === 'created');
  const repo = find('repository', (payload) => payload.action === 'privatized');
  const removed = find('installation_repositories', (payload) => payload.action === 'removed');
  const onPullRequest = (payload: Payload, body: string): Payload => ({
    ...payload,
    issue: { ...payload.issue, pull_request: {} },
    comment: { ...payload.comment, body },
  });
  const head = (payload: Payload, change: object): Payload => ({
    ...payload,
    pull_request: { ...payload.pull_request, head: { ...payload.pull_request?.head, ...change } } as never,
  });
  const commits = [...(push.commits ?? []), ...(push.commits ?? []), ...(push.commits ?? [])];
  return [
    { name: 'a push of one commit', event: 'push', payload: updated },
    { name: 'a push of several commits', event: 'push', payload: { ...updated, commits } },
    { name: 'a forced push', event: 'push', payload: { ...updated, forced: true } },
    {
      name: 'a branch deleted by a push',
      event: 'push',
      payload: {
        ...push,
        created: false,
        deleted: true,
        after: '0'.repeat(40),
        commits: [],
        head_commit: null,
      } as Payload,
    },
    { name: 'a branch created', event: 'create', payload: { ...create, ref: 'Feature/Ä', ref_type: 'branch' } },
    { name: 'a branch deleted', event: 'delete', payload: { ...create, ref: 'Feature/Ä', ref_type: 'branch' } },
    { name: 'a pull request edited', event: 'pull_request', payload: { ...opened, action: 'edited' } },
    {
      name: 'a pull request merged',
      event: 'pull_request',
      payload: { ...closed, pull_request: { ...closed.pull_request, merged: true } as never },
    },
    {
      name: 'a pull request of a fork',
      event: 'pull_request',
      payload: head(opened, { repo: { full_name: 'stranger/Hello-World' } }),
    },
    ...['base', 'title'].map((what) => ({
      name: `a pull request with another ${what}`,
      event: 'pull_request',
      payload: { ...opened, action: 'edited', changes: { [what]: { from: 'before' } } },
    })),
    { name: 'a command', event: 'issue_comment', payload: onPullRequest(comment, '/preview redeploy') },
    { name: 'a comment', event: 'issue_comment', payload: onPullRequest(comment, 'What about /preview redeploy?') },
    ...['archived', 'deleted'].map((action) => ({
      name: `a repository ${action}`,
      event: 'repository',
      payload: { ...repo, action },
    })),
    ...(
      [
        ['renamed', { repository: { name: { from: 'Hello-World' } } }],
        ['transferred', { owner: { from: { user: { login: 'Codertocat' } } } }],
      ] as const
    ).map(([action, changes]) => ({
      name: `a known repository ${action}`,
      event: 'repository',
      payload: {
        ...repo,
        action,
        changes,
        repository: { ...repo.repository, full_name: action === 'renamed' ? 'Codertocat/Bye' : 'other/Hello-World' },
      },
    })),
    {
      name: 'the App taken from a known repository',
      event: 'installation_repositories',
      payload: {
        ...removed,
        repositories_removed: [{ full_name: 'codertocat/hello-world' }, { full_name: KNOWN[0] ?? '' }],
      },
    },
    {
      name: 'the App taken from another repository',
      event: 'installation_repositories',
      payload: { ...removed, repositories_removed: [{ full_name: 'Codertocat/other' }] },
    },
    ...['deleted', 'suspend'].flatMap((action) =>
      ['Codertocat', 'somebody'].map((login) => ({
        name: `the App ${action} for ${login}`,
        event: 'installation',
        payload: { action, installation: { account: { login } }, repositories: [] },
      })),
    ),
    { name: 'a pull request of a fork that is gone', event: 'pull_request', payload: head(opened, { repo: null }) },
    {
      name: 'a push to a repository that is not configured',
      event: 'push',
      payload: { ...push, repository: { ...push.repository, full_name: 'Codertocat/Goodbye-World' } },
    },
    ...[LEFT_OUT, TAKEN, BAD].flatMap((ref) => [
      { name: `a push to ${ref}`, event: 'push', payload: { ...updated, ref: `refs/heads/${ref}` } },
      { name: `the creation of ${ref}`, event: 'create', payload: { ...create, ref, ref_type: 'branch' } },
      { name: `a pull request of ${ref}`, event: 'pull_request', payload: head(opened, { ref }) },
    ]),
  ];
}
