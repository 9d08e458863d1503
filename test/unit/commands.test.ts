/** What a command in a comment does, for whom, and how it is answered. The forge is all that is not real about it, beside ports that remember. */
import { describe, expect, it } from 'vitest';
import type { Answer } from '../../src/commands/answer.ts';
import { carryOut } from '../../src/commands/carry-out.ts';
import type { CommandDeps } from '../../src/commands/deps.ts';
import { type CommandOrder, commandIn } from '../../src/domain/comment-commands.ts';
import type { ForgePermission, OpenPullRequest } from '../../src/domain/forge.ts';
import { type Approval, type ForkFact, forkState, laterFork } from '../../src/domain/forks.ts';
import { branchName, commitId, forkBranch, previewId, repositoryName } from '../../src/domain/names.ts';
import type { Note } from '../../src/domain/notes.ts';
import type { Repository } from '../../src/domain/ports.ts';
import { newRecord, type PreviewRecord } from '../../src/domain/preview.ts';
import type { PullRequestFact } from '../../src/domain/pull-requests.ts';
import { EVERY_BRANCH } from '../../src/domain/selection.ts';
import type { TrailEntry } from '../../src/domain/trail.ts';
import { TreehouseError } from '../../src/errors.ts';
import { interpret } from '../../src/webhook/interpret.ts';
import { keyOf, repository, whole } from '../support/sweep-world.ts';

const SHOP = repository('acme/shop');
const HEAD = commitId('a'.repeat(40));
const PUSHED = commitId('b'.repeat(40));
const TOPIC = keyOf('topic');
/** When comments are written, and pull requests were last pushed to; milliseconds. */
const WRITTEN = 1_000_000;
const BEFORE = WRITTEN - 60_000;

function pullRequest(number: number, more: Partial<OpenPullRequest> = {}): OpenPullRequest {
  return {
    ...{ number, head: { repository: SHOP.name, branch: TOPIC.branch, commit: HEAD }, base: branchName('main') },
    ...{ isDraft: false, labels: [], author: { login: 'eve', isBot: false }, updatedAt: BEFORE },
    ...more,
  };
}
function fromFork(commit = HEAD): OpenPullRequest {
  return pullRequest(7, { head: { repository: repositoryName('eve/shop'), branch: branchName('main'), commit } });
}
function heardOf(commit: ForkFact['head'], since: number): ForkFact {
  const fork = { repository: 'eve/shop', branch: 'main' };
  return { number: 7, open: true, merged: false, head: commit, updatedAt: since, headSince: since, fork };
}

interface Given {
  readonly open?: readonly OpenPullRequest[];
  readonly permissions?: Readonly<Record<string, ForgePermission>>;
  readonly record?: Partial<PreviewRecord>;
  readonly forks?: readonly ForkFact[];
  readonly repository?: Repository;
}

/** Ports that remember what was asked of them. */
function world(given: Given = {}) {
  const done: string[] = [];
  const asked: string[] = [];
  const reactions: string[] = [];
  const notes: Note[] = [];
  const trail: TrailEntry[] = [];
  const approvals: Approval[] = [];
  const facts: PullRequestFact[] = [];
  const forks = new Map((given.forks ?? []).map((one) => [one.number, one]));
  const record: PreviewRecord = { ...newRecord(TOPIC, 0), ...given.record };
  const say = (what: string) => async (of: string | { readonly id: string }) =>
    void done.push(`${what} ${typeof of === 'string' ? of : of.id}`);
  const state = { open: given.open ?? [pullRequest(5)], isAway: false };
  const deps: CommandDeps = {
    forge: {
      pullRequests: async () => state.open,
      permission: async (_repository, login) => {
        asked.push(login);
        return given.permissions?.[login] ?? 'none';
      },
      react: async (_repository, comment, reaction) => {
        if (state.isAway) throw new TreehouseError('forge-failed', 'GitHub is away', { kind: 'transient' });
        reactions.push(`${comment} ${reaction}`);
      },
    },
    store: {
      record: async () => record,
      know: say('know'),
      notePullRequest: async (_repository, _branch, fact) => void facts.push(fact),
      pullRequests: async () => facts,
      requestRedeploy: say('redeploy'),
      requestReset: say('reset'),
      requestCancel: say('cancel'),
      wantRest: say('rest'),
      setAside: async (_key, aside) => void done.push(`aside ${aside.commit} ${aside.cause}`),
    },
    hints: { hint: say('hint') },
    wake: say('wake'),
    pins: { pin: async (id, until) => void done.push(`pin ${id} until ${until}`), unpin: say('unpin') },
    forks: {
      note: async (_repository, fact) => void forks.set(fact.number, laterFork(forks.get(fact.number), fact)),
      all: async () => [...forks.values()],
      approve: async (_repository, approval) => void approvals.push(approval),
      approvals: async () => approvals,
    },
    notes: { put: async (_repository, _number, note) => void notes.push(note) },
    trail: { note: async (entry) => void trail.push(entry) },
    engine: {
      observe: async () => whole(TOPIC).stack,
      logs: async (_container, options, onLine) => {
        for (let at = 0; at < (options.tail ?? 0) + 5; at += 1) onLine(`\u001b[31mline ${at}\u001b[0m hunter2`);
      },
    },
    redactor: async () => (text) => text.replaceAll('hunter2', '[secret PASSWORD]'),
    clock: { now: () => WRITTEN + 5_000 },
    repositories: () => [given.repository ?? SHOP],
  };

  /** A comment of somebody's. */
  async function say_(body: string, more: Partial<CommandOrder> = {}, before?: Answer): Promise<Answer | undefined> {
    const command = commandIn(body);
    if (!command) throw new Error(`${body} holds no command`);
    const author = { login: 'ada', isBot: false };
    const order: CommandOrder = {
      repository: SHOP.name,
      pullRequest: 5,
      comment: 9,
      author,
      command,
      at: WRITTEN,
      ...more,
    };
    let kept = before;
    const signal = new AbortController().signal;
    const onAnswer = async (answer: Answer) => {
      kept = answer;
    };
    try {
      return await carryOut(deps, order, { signal, before, onAnswer });
    } catch (error) {
      if (state.isAway) return kept;
      throw error;
    }
  }
  return { done, asked, reactions, notes, trail, approvals, forks, state, say: say_ };
}

const ADA = { permissions: { ada: 'write' } } as const;
const LIVE = { ...whole(TOPIC, HEAD).record };

describe('who may', () => {
  it.each<[ForgePermission, readonly string[]]>([
    ['admin', ['9 eyes', '9 rocket']],
    ['write', ['9 eyes', '9 rocket']],
    ['read', ['9 -1']],
    ['none', ['9 -1']],
  ])('is asked of the forge: %s', async (permission, signs) => {
    const { say, reactions, done, trail, notes } = world({ permissions: { ada: permission }, record: LIVE });
    await say('/preview redeploy');
    const may = permission === 'admin' || permission === 'write';
    expect(reactions).toEqual(signs);
    expect(done).toEqual(may ? [`know ${TOPIC.id}`, `redeploy ${TOPIC.id}`, `hint ${TOPIC.id}`] : []);
    expect(notes).toEqual([]);
    expect(trail).toMatchObject([
      { who: 'ada on GitHub', token: 'github:ada', act: 'redeploy', status: may ? 202 : 403, repository: SHOP.name },
    ]);
  });

  it('is asked again for each comment', async () => {
    const { say, asked } = world({ ...ADA, record: LIVE });
    await say('/preview sleep');
    await say('/preview wake');
    expect(asked).toEqual(['ada', 'ada']);
  });

  it('no bot may, whatever the forge says of it', async () => {
    const { say, reactions, asked, done } = world({ permissions: { 'robot[bot]': 'admin' } });
    await say('/preview up', { author: { login: 'robot[bot]', isBot: true } });
    expect([reactions, asked, done]).toEqual([['9 -1'], [], []]);
  });

  it('and nothing is done where the forge does not say', async () => {
    const { say, done, state } = world(ADA);
    state.isAway = true;
    await say('/preview down');
    expect(done).toEqual([]);
  });
});

describe('a command', () => {
  const asleep = { ...LIVE, state: 'asleep' } as const;
  const removed = { ...LIVE, state: 'removed', reason: 'ada took it down' } as const;
  it.each<[string, Partial<PreviewRecord>, string, readonly string[]]>([
    ['/preview up', removed, 'rocket', [`redeploy ${TOPIC.id}`, `hint ${TOPIC.id}`]],
    ['/preview up', { ...LIVE, state: 'failed' }, 'rocket', [`redeploy ${TOPIC.id}`, `hint ${TOPIC.id}`]],
    ['/preview up', asleep, 'rocket', [`wake ${TOPIC.id}`]],
    ['/preview up', LIVE, '+1', [`hint ${TOPIC.id}`]],
    ['/preview up', { state: 'building' }, '+1', [`hint ${TOPIC.id}`]],
    ['/preview sleep', LIVE, '+1', [`rest ${TOPIC.id}`, `hint ${TOPIC.id}`]],
    ['/preview wake', asleep, 'rocket', [`wake ${TOPIC.id}`]],
    ['/preview down', LIVE, '+1', [`aside ${'1'.repeat(40)} ada on GitHub took it down`, `hint ${TOPIC.id}`]],
    ['/preview pin 8h', LIVE, '+1', [`pin ${TOPIC.id} until ${WRITTEN + 5_000 + 8 * 3_600_000}`]],
    ['/preview unpin', LIVE, '+1', [`unpin ${TOPIC.id}`]],
  ])('%s of one that is %j', async (body, record, sign, expected) => {
    const { say, done, reactions } = world({
      ...ADA,
      record: { ...record, ...(record === LIVE ? whole(TOPIC).record : {}) },
    });
    await say(body);
    expect(reactions.at(-1)).toBe(`9 ${sign}`);
    expect(done).toEqual([`know ${TOPIC.id}`, ...expected]);
  });

  it.each<[string, Given, string]>([
    ['/preview sleep', { record: removed }, 'There is no preview: ada took it down. /preview up asks for it.'],
    ['/preview down', { record: {} }, 'Nothing of it was built yet.'],
    ['/preview up', { open: [] }, 'This pull request is not open.'],
    ['/preview logs nope', { record: LIVE }, 'It has no service of this name; it has `web`.'],
    [
      '/preview up',
      {
        open: [pullRequest(5, { isDraft: true })],
        repository: { ...SHOP, selection: { ...EVERY_BRANCH, drafts: false } },
      },
      'There is no preview: pull request #5 is a draft, and `drafts: false` leaves those out.',
    ],
    [
      '/preview up',
      { repository: { ...SHOP, branches: ['main'] } },
      "There is no preview: the configuration's branches leave 'topic' out.",
    ],
    ['/preview approve', {}, 'Its branch is of this repository itself: nothing of it waits for approval.'],
  ])('%s that cannot be done says why', async (body, given, text) => {
    const { say, reactions, notes, trail } = world({ ...ADA, ...given });
    await say(body);
    expect(reactions).toEqual(['9 eyes', '9 confused']);
    expect(notes).toEqual([{ text, by: 'ada', at: WRITTEN + 5_000 }]);
    expect(trail).toMatchObject([{ status: 409 }]);
  });

  it('shows the last lines, few, plain and without secrets', async () => {
    const { say, notes } = world({ ...ADA, record: LIVE });
    await say('/preview logs');
    expect(notes[0]?.text).toBe('The last lines of `web`:');
    expect(notes[0]?.lines).toHaveLength(20);
    expect(notes[0]?.lines?.at(-1)).toBe('line 24 [secret PASSWORD]');
  });

  it('that is not understood is answered with the help, and the help with itself', async () => {
    const { say, notes, reactions } = world(ADA);
    await say('/preview frobnicate');
    await say('/preview');
    const help = expect.stringContaining('| `/preview redeploy` |');
    expect(notes).toMatchObject([
      { text: "there is no command 'frobnicate'.", markdown: help },
      { text: 'What can be asked for:', markdown: help },
    ]);
    expect(reactions).toEqual(['9 eyes', '9 confused', '9 eyes', '9 +1']);
  });

  it('that was done before its answer could be given is answered, and not done again', async () => {
    const { say, done, trail, reactions, state } = world({ ...ADA, record: LIVE });
    const before: Answer = { status: 202, reaction: 'rocket' };
    await say('/preview redeploy', {}, before);
    expect([done, trail, reactions]).toEqual([[], [], ['9 rocket']]);
    expect(state.isAway).toBe(false);
  });
});

const FORKED = previewId(SHOP.slug, forkBranch(7));

describe('an approval', () => {
  const ask = (body: string, given: Given = {}, more: Partial<CommandOrder> = {}) => {
    const made = world({ ...ADA, open: [fromFork()], forks: [heardOf(HEAD, BEFORE)], ...given });
    return made.say(body, { pullRequest: 7, ...more }).then(() => made);
  };

  it('is of exactly the head that the pull request had', async () => {
    const { approvals, reactions, trail, forks, done } = await ask('/preview approve');
    expect(approvals).toEqual([{ pullRequest: 7, commit: HEAD, by: 'ada', at: WRITTEN }]);
    expect(reactions).toEqual(['9 eyes', '9 +1']);
    expect(trail).toMatchObject([{ act: 'approve', to: FORKED, command: [HEAD], status: 202 }]);
    expect(done).toEqual([`know ${FORKED}`, `hint ${FORKED}`]);
    const fact = forks.get(7);
    expect(fact && forkState(fact, approvals, undefined).kind).toBe('approved');
  });

  it('is not of a commit that is pushed after it', async () => {
    const { approvals, forks } = await ask('/preview approve');
    const pushed = laterFork(forks.get(7), heardOf(PUSHED, WRITTEN + 1));
    expect(forkState(pushed, approvals, undefined)).toMatchObject({ kind: 'waiting', commit: PUSHED });
  });

  it.each<[string, string, Given, Partial<CommandOrder>]>([
    ['a person with read access', '/preview approve', { permissions: { ada: 'read' } }, {}],
    ['nobody', '/preview approve', { permissions: {} }, {}],
    ['a bot', '/preview approve', {}, { author: { login: 'ada', isBot: true } }],
    [
      'a comment before a push that the forge has and nobody told of',
      '/preview approve',
      { open: [fromFork(PUSHED)] },
      {},
    ],
    [
      'a comment before a push that was told of',
      '/preview approve',
      { open: [fromFork(PUSHED)], forks: [heardOf(PUSHED, WRITTEN + 1)] },
      {},
    ],
    ['a comment of the second of a push', '/preview approve', { forks: [heardOf(HEAD, WRITTEN)] }, {}],
    ['a comment on a pull request of which nothing was heard', '/preview approve', { forks: [] }, {}],
    ['a comment that names another commit', `/preview approve ${PUSHED.slice(0, 12)}`, {}, {}],
    ['a comment on one that is closed', '/preview approve', { open: [] }, {}],
  ])('cannot be had by %s', async (_what, body, given, more) => {
    const { approvals, reactions } = await ask(body, given, more);
    expect(approvals).toEqual([]);
    expect(reactions.at(-1)).toMatch(/^9 (?:-1|confused)$/);
  });

  it.each([
    ['edited', 'a comment that was "edited" asks for nothing: only new ones do'],
    ['deleted', 'a comment that was "deleted" asks for nothing: only new ones do'],
  ])('cannot be had by a comment that was %s', (action, reason) => {
    expect(interpret('issue_comment', commentPayload('/preview approve', { action }), [SHOP])).toEqual({
      kind: 'ignored',
      reason,
    });
  });

  it('cannot be had by a command that is quoted', () => {
    const payload = commentPayload('> /preview approve\n\nNo!');
    expect(interpret('issue_comment', payload, [SHOP])).toMatchObject({ kind: 'ignored' });
  });

  it('is asked for in the name of who wrote the comment, whoever sends it', () => {
    const payload = { ...commentPayload('/preview approve'), sender: { login: 'ada', type: 'User' } };
    expect(interpret('issue_comment', payload, [SHOP])).toMatchObject({
      order: { author: { login: 'eve', isBot: false } },
    });
  });

  it('names the commit, where it is not known what the head was', async () => {
    const { approvals } = await ask(`/preview approve ${HEAD}`, { forks: [] });
    expect(approvals).toMatchObject([{ commit: HEAD }]);
  });

  it('comes before all else that a fork can be asked', async () => {
    const made = await ask('/preview redeploy');
    expect(made.done).toEqual([`know ${FORKED}`]);
    expect(made.notes[0]?.text).toBe('This pull request comes from a fork: waiting for approval of aaaaaaaaaaaa.');
    await made.say('/preview approve', { pullRequest: 7 });
    await made.say('/preview redeploy', { pullRequest: 7 });
    expect(made.done.slice(-3)).toEqual([`know ${FORKED}`, `redeploy ${TOPIC.id}`, `hint ${TOPIC.id}`]);
    expect(made.reactions.at(-1)).toBe('9 rocket');
  });
});

function commentPayload(body: string, more: object = {}): object {
  return {
    action: 'created',
    issue: { number: 7, pull_request: {} },
    comment: {
      id: 9,
      body,
      created_at: '2026-01-02T03:04:05Z',
      user: { login: 'eve', type: 'User' },
      author_association: 'OWNER',
    },
    repository: { full_name: 'acme/shop' },
    ...more,
  };
}
