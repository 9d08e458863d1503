/** What an admin sees: the table of previews, and builds as they go. */
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PreviewView } from '../../src/api/schemas.ts';
import { age } from '../../src/domain/duration.ts';
import type { BuildEvent } from '../../src/domain/events.ts';
import { branchName, buildId, commitId, previewId } from '../../src/domain/names.ts';
import { forgeLines } from '../../src/terminal/forge.ts';
import { startProgress } from '../../src/terminal/progress.ts';
import { statusTable } from '../../src/terminal/status.ts';
import { sweepTable } from '../../src/terminal/sweep.ts';

const COMMIT = commitId('0123456789'.repeat(4));
const [MAIN, OTHER] = [previewId('shop', branchName('main')), previewId('shop', branchName('other'))];
const BUILD = buildId(1, 0);
const URLS = ['http://main--shop.localhost/', 'http://api--main--shop.localhost/'];

function view(id: PreviewView['id'], more: Partial<PreviewView>): PreviewView {
  return {
    ...{ id, repository: 'acme/shop', branch: 'main', state: 'live', reason: 'serves the newest commit' },
    ...{ changedAt: '1970-01-01T00:00:00.000Z', url: URLS[0] ?? null, urls: URLS, commit: COMMIT },
    ...{ since: '1970-01-01T00:00:00.000Z', build: null, position: null, about: null, pinned: false, expiresAt: null },
    ...more,
  };
}

describe('the table of a sweep', () => {
  const rows = (text: string) =>
    stripVTControlCharacters(text)
      .split('\n')
      .map((line) => line.trim().split(/ {2,}/));

  it('says what would be done, and why', () => {
    const table = sweepTable({
      dryRun: true,
      lines: [
        { what: 'preview', name: MAIN, action: 'hint', why: 'nothing serves it' },
        { what: 'folder', name: '/h/builds/\u001b[2Jx', action: 'wait', why: 'it goes in 120 s' },
      ],
    });
    expect(rows(table)).toEqual([
      ['WOULD', 'WHAT', 'NAME', 'WHY'],
      ['look at', 'preview', 'main--shop', 'nothing serves it'],
      ['wait', 'folder', '/h/builds/x', 'it goes in 120 s'],
    ]);
    expect(table).not.toContain('\u001b[2J');
  });

  it('says what was done, and below it what could not be', () => {
    const gone = { what: 'volume', why: 'the branch was deleted', action: 'remove' } as const;
    const table = sweepTable({
      dryRun: false,
      lines: [
        { ...gone, name: 'a' },
        { ...gone, name: 'b', failed: 'a container uses it' },
        { what: 'repository', name: 'acme/shop', action: 'leave', why: 'nothing of it is touched: no route to host' },
      ],
    });
    expect(rows(table)).toEqual([
      ['DID', 'WHAT', 'NAME', 'WHY'],
      ['removed', 'volume', 'a', 'the branch was deleted'],
      ['failed', 'volume', 'b', 'the branch was deleted'],
      ['left', 'repository', 'acme/shop', 'nothing of it is touched: no route to host'],
      ['✘ volume b: a container uses it'],
    ]);
  });

  it('says that all is well', () => {
    expect(sweepTable({ dryRun: true, lines: [] })).toMatch(/^All is as it should be/);
  });
});

describe('the table of previews', () => {
  it('has a line for each, and below it what went wrong', () => {
    const none = { url: null, urls: [], commit: null, since: null };
    const table = statusTable(
      [
        view(MAIN, {}),
        view(OTHER, { state: 'outdated', reason: 'test failed: the tests are red' }),
        view(previewId('shop', branchName('new')), { ...none, state: 'waiting', reason: 'waiting to be looked at' }),
        view(previewId('shop', branchName('kept')), { pinned: true, expiresAt: '1970-01-01T05:02:00.000Z' }),
        view(previewId('shop', branchName('late')), {
          ...none,
          ...{ state: 'waiting', reason: 'third in the queue, about 4 min: two builds run', position: 3, about: 240 },
        }),
        view(previewId('shop', branchName('bad')), {
          ...none,
          state: 'failed',
          reason: `build failed: \u001b[2Jno\u0007 such file\n${'x'.repeat(80)}`,
        }),
      ],
      90_000,
    );
    expect(
      stripVTControlCharacters(table)
        .split('\n')
        .map((line) => line.trimEnd()),
    ).toEqual([
      ' PREVIEW        STATE           COMMIT          AGE      URL',
      ' main--shop     live            012345678901    1 min    http://main--shop.localhost/',
      ' other--shop    outdated        012345678901    1 min    http://main--shop.localhost/',
      ' new--shop      waiting         –               –        waiting to be looked at',
      ' kept--shop     live, pinned    012345678901    1 min    http://main--shop.localhost/',
      ' late--shop     waiting         –               –        third in the queue, about 4 min: two builds run',
      ' bad--shop      failed          –               –        build failed: no such file',
      '✘ other--shop: test failed: the tests are red',
      '… late--shop: third in the queue, about 4 min: two builds run',
      '✘ bad--shop: build failed: no such file',
      'x'.repeat(80),
      '! kept--shop goes in 5 h unless somebody uses it; treehouse pin kept--shop keeps it',
    ]);
    // Nothing of a message moves the cursor.
    expect(table).not.toContain('\u001b[2J');
    expect(table).not.toContain('\u0007');
  });

  it('has below it when it was last agreed with the forge, and why not', () => {
    expect(forgeLines(undefined, 0)).toEqual([]);
    const forge = {
      host: 'github.com',
      installations: [
        { owner: 'acme', agreedAt: '1970-01-01T00:01:00.000Z', faults: [] },
        { owner: 'rho', agreedAt: null, faults: [{ repositories: ['rho/a', 'rho/b'], why: 'away\u001b[2J' }] },
      ],
      deliveries: { doneAt: null, fault: 'it is away' },
    };
    expect(forgeLines(forge, 120_000).map(stripVTControlCharacters)).toEqual([
      'agreed with github.com about acme 1 min ago',
      'agreed with github.com about rho never yet',
      '! rho/a, rho/b: away',
      '! lost deliveries could not be asked for again: it is away',
    ]);
    const token = { ...forge, installations: [{ owner: null, agreedAt: null, faults: [] }], deliveries: null };
    expect(forgeLines(token, 0)).toEqual(['agreed with github.com never yet']);
  });

  it('says of those that are not there why, in whole', () => {
    const reason = `pull request #9 is a draft, and ${'x'.repeat(60)} leaves those out`;
    const table = statusTable([view(MAIN, { state: 'removed', reason, url: null, commit: null, since: null })], 0);
    expect(stripVTControlCharacters(table)).toContain(`○ main--shop: ${reason}`);
  });

  it('says what to do where there is none', () => {
    expect(statusTable([], 0)).toBe('There are no previews. Push a branch, and it gets one.');
  });

  it.each([
    [-5, '0 s'],
    [0, '0 s'],
    [59_400, '59 s'],
    [59_500, '1 min'],
    [3_599_000, '59 min'],
    [3_600_000, '1 h'],
    [86_399_000, '23 h'],
    [86_400_000, '1 d'],
    [40 * 86_400_000, '40 d'],
  ])('tells %d ms as %s', (ms, text) => expect(age(ms)).toBe(text));
});

/** A terminal of endless height that knows carriage return, line feed and "clear the line". */
function terminal() {
  const lines = [''];
  return {
    write(text: string) {
      for (const part of text.split(/(\r|\n|.\[2K)/)) {
        const at = lines.length - 1;
        if (part === '\n') lines.push('');
        else if (part === '\u001b[2K') lines[at] = '';
        // A return alone would let what is written next stand in what was there.
        else if (part !== '\r') lines[at] += stripVTControlCharacters(part);
      }
    },
    lines: () => [...lines],
  };
}

const of = { preview: MAIN, build: BUILD };
const log: readonly BuildEvent[] = [
  { type: 'build.started', at: 0, ...of, commit: COMMIT, cause: 'it was pushed' },
  { type: 'stage.started', at: 0, ...of, stage: 'checkout' },
  { type: 'log', at: 5, ...of, stage: 'checkout', source: 'git', line: 'never shown' },
  { type: 'stage.finished', at: 70, ...of, stage: 'checkout', ms: 70 },
  { type: 'change', at: 80, ...of, path: 'services.web.ports', message: 'not published' },
  { type: 'stage.started', at: 80, ...of, stage: 'push' },
  { type: 'stage.started', at: 80, ...of, stage: 'start' },
  { type: 'stage.finished', at: 1_580, ...of, stage: 'push', ms: 1_500, note: '2 images' },
];
const live: BuildEvent = { type: 'build.live', at: 2_000, ...of, commit: COMMIT, urls: URLS, ms: 2_000 };
const failed: BuildEvent = {
  ...{ type: 'build.failed', at: 2_000, ...of, stage: 'build', code: 'build-failed', kind: 'terminal', ms: 900 },
  message: 'no \u001b[2Jsuch file',
};

const SO_FAR = [
  '● main--shop 012345678901 it was pushed',
  '  ✓ main--shop checkout   70 ms',
  '  ~ main--shop services.web.ports: not published',
  '  ✓ main--shop push       1.5 s  2 images',
];
const LIVE = [
  '✔ main--shop is live after 2.0 s: http://main--shop.localhost/',
  '    http://api--main--shop.localhost/',
];

function begin(live: boolean, columns = 80) {
  const screen = terminal();
  const progress = startProgress({
    write: screen.write,
    live,
    columns: () => columns,
    now: () => Date.now(),
    tail: async () => ['\u001b[31mstep 3\u001b[0m', 'it broke'],
  });
  const show = async (events: readonly BuildEvent[]) => {
    for (const event of events) await progress.show(event);
  };
  return { screen, progress, show };
}

describe('builds as they go', () => {
  beforeEach(() => void vi.useFakeTimers({ now: 1_000 }));
  afterEach(() => void vi.useRealTimers());

  it('are plain lines where the output is no terminal', async () => {
    const { screen, progress, show } = begin(false);
    await show([...log, live]);
    vi.advanceTimersByTime(1_000);
    progress.stop();
    expect(screen.lines()).toEqual([...SO_FAR, ...LIVE, '']);
  });

  it('have one moving line below on a terminal, which goes when they end', async () => {
    const { screen, progress, show } = begin(true);
    await show(log);
    expect(screen.lines()).toEqual([...SO_FAR, '⠋ main--shop start 1.0 s']);
    vi.advanceTimersByTime(240);
    expect(screen.lines().at(-1)).toBe('⠹ main--shop start 1.2 s');
    await show([
      { type: 'build.started', at: 1_000, preview: OTHER, build: BUILD, commit: COMMIT, cause: 'it was created' },
    ]);
    expect(screen.lines().slice(-2)).toEqual([
      '● other--shop 012345678901 it was created',
      '⠹ main--shop start 1.2 s  │  other--shop … 0.2 s',
    ]);
    await show([
      live,
      { type: 'build.superseded', at: 2_000, preview: OTHER, build: BUILD, message: 'the branch moved on', ms: 30 },
    ]);
    vi.advanceTimersByTime(1_000);
    const all = [
      ...SO_FAR,
      '● other--shop 012345678901 it was created',
      ...LIVE,
      '↷ other--shop build ended after 30 ms: the branch moved on',
      '',
    ];
    expect(screen.lines()).toEqual(all);
    progress.stop();
    expect(screen.lines()).toEqual(all);
  });

  it('never need more than a line of the terminal', async () => {
    const { screen, show } = begin(true, 24);
    await show(log);
    expect(screen.lines().at(-1)).toBe('⠋ main--shop start 1.0 ');
  });

  it('show the end of the log of one that failed, without what would move the cursor', async () => {
    const { screen, progress, show } = begin(true);
    await show([...log.slice(0, 2), failed]);
    expect(screen.lines()).toEqual([
      '● main--shop 012345678901 it was pushed',
      '    │ step 3',
      '    │ it broke',
      '✘ main--shop build failed after 900 ms: no such file',
      '',
    ]);
    progress.stop();
  });

  it('fail as well where their log cannot be read', async () => {
    const screen = terminal();
    const progress = startProgress({
      write: screen.write,
      live: false,
      columns: () => 80,
      now: () => 0,
      tail: () => Promise.reject(new Error('Redis is away')),
    });
    await progress.show(failed);
    expect(screen.lines()).toEqual(['✘ main--shop build failed after 900 ms: no such file', '']);
  });

  it('leave room for what is said beside them, and clear the line when they are stopped', async () => {
    const { screen, progress, show } = begin(true);
    await show(log.slice(0, 2));
    progress.say('Stopping');
    expect(screen.lines()).toEqual([
      '● main--shop 012345678901 it was pushed',
      'Stopping',
      '⠋ main--shop checkout 1.0 s',
    ]);
    progress.stop();
    expect(screen.lines().at(-1)).toBe('');
    vi.advanceTimersByTime(1_000);
    expect(screen.lines().at(-1)).toBe('');
  });

  it('tell of removals and of what was found without a build', async () => {
    const { screen, show } = begin(true);
    await show([
      { type: 'preview.removing', at: 0, preview: MAIN, cause: 'it was merged' },
      { type: 'preview.removed', at: 0, preview: MAIN, cause: 'it was merged', ms: 12 },
      { type: 'preview.observed', at: 0, preview: OTHER, state: 'live', cause: 'it was found so', urls: URLS },
    ]);
    expect(screen.lines()).toEqual([
      '○ main--shop is gone: it was merged 12 ms',
      '✔ other--shop live: http://main--shop.localhost/',
      '',
    ]);
  });
});
