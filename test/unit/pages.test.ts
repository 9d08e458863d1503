import { describe, expect, it } from 'vitest';
import { type Branch, branchName, buildId, commitId, previewId, repositoryName } from '../../src/domain/names.ts';
import { plain } from '../../src/domain/plain.ts';
import { newRecord, type PreviewRecord, type PreviewState } from '../../src/domain/preview.ts';
import { waitText } from '../../src/domain/waiting.ts';
import { type PageInput, pageFor } from '../../src/web/pages.ts';

const HOST = 'main--shop.preview.localhost';
const HOSTILE = "<img/src=x&\"onerror='x'>";

function record(state: PreviewState, more: Partial<PreviewRecord> = {}): PreviewRecord {
  const branch = branchName('main');
  const key = { id: previewId('shop', branch), repository: repositoryName('acme/shop'), branch };
  return { ...newRecord(key, 1), state, reason: 'it was pushed', ...more };
}

const WAIT = { wait: { position: 3, because: 'two builds run', aboutMs: 240_000 } };

function input(more: Partial<PageInput>): PageInput {
  return { host: HOST, record: undefined, tail: [], unreachable: false, ...more };
}

const resetting = {
  build: buildId(1_700_000_000_000, 7),
  commit: commitId('1'.repeat(40)),
  startedAt: 0,
  resets: true,
  stages: {},
} as const;

/** Status, title, seconds until another look and what a program reads, as one line. */
function summary(given: Partial<PageInput>): string {
  const { status, title, detail, retryAfter } = pageFor(input(given));
  return `${status} ${title} | ${retryAfter ?? 'never'} | ${detail}`;
}

describe('a page', () => {
  it.each<[string, Partial<PageInput>, string]>([
    ['unknown', {}, `404 No preview lives here | never | There is no preview at ${HOST}.`],
    [
      'waiting',
      { record: record('waiting') },
      '503 Waiting to be built | 2 | The preview of main is not ready yet: it was pushed.',
    ],
    [
      'third in the queue',
      { record: record('waiting', { ...WAIT, reason: waitText(WAIT.wait) }) },
      '503 Waiting to be built | 2 | The preview of main is not ready yet: third in the queue, about 4 min: two builds run.',
    ],
    [
      'waiting to be woken',
      { record: record('waking', { ...WAIT, reason: waitText(WAIT.wait) }) },
      '503 The house wakes up | 2 | The preview of main was asleep and waits to be started: third in the queue, about 4 min: two builds run.',
    ],
    [
      'building',
      { record: record('building') },
      '503 The house is being built | 2 | The preview of main is not ready yet: it was pushed.',
    ],
    [
      'being reset',
      { record: { ...record('building'), attempt: resetting } },
      '503 Its data is made anew | 2 | The preview of main is not ready yet: it was pushed.',
    ],
    [
      'failed',
      { record: record('failed', { reason: 'build failed: no such file' }) },
      '503 The build failed | never | The preview of main could not be built: build failed: no such file',
    ],
    ['live', { record: record('live') }, '503 One moment | 2 | The preview of main is being put in order.'],
    ['outdated', { record: record('outdated') }, '503 One moment | 2 | The preview of main is being put in order.'],
    [
      'not woken, whatever the gateway meets',
      { record: record('failed', { reason: 'web is unhealthy', unwoken: ['web: no key'] }), unreachable: true },
      '503 The house did not wake up | 5 | The preview of main slept, and did not come up again: web is unhealthy. It is tried once more, then built anew.',
    ],
    [
      'removing',
      { record: record('removing', { attempt: resetting }) },
      '404 This preview is gone | never | The preview of main was removed: it was pushed.',
    ],
    [
      'removed',
      { record: record('removed', { attempt: resetting }) },
      '404 This preview is gone | never | The preview of main was removed: it was pushed.',
    ],
    [
      'left out, and was never built',
      { record: record('removed', { reason: 'it is a draft' }) },
      '404 This branch has no preview | never | There is no preview of main: it is a draft.',
    ],
    [
      'out of reach',
      { record: record('live'), unreachable: true },
      '502 The preview does not answer | 5 | The preview of main is routed, but its service does not accept connections.',
    ],
    [
      'out of reach, and unknown',
      { unreachable: true },
      `404 No preview lives here | never | There is no preview at ${HOST}.`,
    ],
  ])('says what is with a preview that is %s', (_state, given, text) => {
    expect(summary(given)).toBe(text);
    const { body, retryAfter } = pageFor(input(given));
    expect(body).toContain('<meta name="robots" content="noindex">');
    expect(body.includes('http-equiv="refresh"')).toBe(retryAfter !== undefined);
  });

  it('escapes what strangers wrote, wherever it stands', () => {
    const branch = HOSTILE as Branch;
    const commit = commitId('1'.repeat(40));
    const attempt = {
      build: buildId(1, 0),
      commit,
      startedAt: 1,
      stages: { checkout: { startedAt: 1, ms: 1_234 }, plan: { startedAt: 2 } },
    };
    for (const state of ['waiting', 'building', 'failed', 'live', 'outdated', 'removing', 'removed'] as const) {
      for (const unreachable of [true, false]) {
        const hostile = record(state, { branch, reason: HOSTILE, attempt });
        const { body } = pageFor(
          input({ host: HOSTILE, record: hostile, tail: [HOSTILE, '</pre><script>'], unreachable }),
        );
        expect(body).not.toContain('<img');
        expect(body).not.toContain('<script');
        expect(body).toContain('&lt;img/src=x&amp;&quot;onerror=&#39;x&#39;&gt;');
      }
    }
    expect(pageFor(input({ host: HOSTILE })).body).not.toContain('<img');
  });

  it('shows stages as done, now and to do, and the last lines of the log without colours', () => {
    const commit = commitId('1'.repeat(40));
    const attempt = {
      build: buildId(1, 0),
      commit,
      startedAt: 1,
      stages: { checkout: { startedAt: 1, ms: 1_234 }, plan: { startedAt: 2 } },
    };
    const { body } = pageFor(
      input({ record: record('building', { attempt }), tail: ['\u001b[31mred\u001b[0m', 'two\r'] }),
    );
    expect(body).toContain(
      '<li class="done">checkout <small>1.2 s</small></li><li class="now" aria-current="step">plan …</li><li class="todo">build</li>',
    );
    expect(body).toContain('<pre tabindex="0">red\ntwo</pre>');
    expect(pageFor(input({ record: record('building') })).body).not.toContain('<pre');
    // Of a build before.
    const ended = { ...attempt, outcome: 'superseded' } as const;
    const waits = pageFor(input({ record: record('waiting', { attempt: ended }), tail: ['old'] })).body;
    expect(waits).not.toMatch(/checkout|old/);
  });
});

describe('a plain line', () => {
  it.each([
    ['as it is\twith tabs', 'as it is\twith tabs'],
    ['\u001b[1;31mred\u001b[0m', 'red'],
    ['\u001b[2J\u001b[Hcleared', 'cleared'],
    ['\u001b]8;;https://evil.example\u0007link\u001b]8;;\u0007', 'link'],
    ['\u009b31mred', 'red'],
    ['a\u0000\u0007\u0008\r\u007fb', 'ab'],
    ['left \u202eto\u2066right', 'left toright'],
    ['木🌳', '木🌳'],
  ])('of %j is %j', (line, expected) => {
    expect(plain(line)).toBe(expected);
  });
});
