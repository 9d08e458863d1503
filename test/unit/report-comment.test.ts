/** The comment on a pull request: what it says, and that nobody else says anything through it. */
import fc from 'fast-check';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { gfmFromMarkdown } from 'mdast-util-gfm';
import { gfm } from 'micromark-extension-gfm';
import { describe, expect, it } from 'vitest';
import type { PreviewRecord } from '../../src/domain/preview.ts';
import { COMMENT_MAX, commentOf, markerOf, withNote } from '../../src/report/comment.ts';
import type { Known } from '../../src/report/known.ts';
import { cell, code, fence } from '../../src/report/markdown.ts';
import {
  FIRST,
  failed,
  KEY,
  live,
  ONE,
  recordOf,
  removed,
  SECOND,
  started,
  TWO,
  URLS,
} from '../support/preview-life.ts';

const NOTHING: Known = { pullRequests: [], changes: [], tail: [] };

describe('the comment', () => {
  it('of a preview that is live says where it is and what it took', () => {
    const known: Known = {
      ...NOTHING,
      changes: [{ path: 'services.web.ports', message: 'not opened on the host' }],
      size: 210_400_000,
      dashboard: 'https://treehouse.example.com/',
    };
    expect(
      commentOf(recordOf(started(FIRST), ...live(FIRST, ONE, { login: ['demo / demo', 'admin / admin'] })), known),
    ).toBe(`<!-- treehouse:feature-a--shop -->

### Preview: live

| service | where |
| --- | --- |
| \`web\` | https://feature-a--shop.preview.example.com/ |
| \`api\` | https://api--feature-a--shop.preview.example.com/ |

111111111111 was built in 5.0 s: build 12 s, test 0.9 s. Its images take 210 MB.

To sign in: \`demo / demo\` or \`admin / admin\`

<details><summary>What Treehouse changed of the compose file: 1</summary>

| where | what |
| --- | --- |
| \`services.web.ports\` | \`not opened on the host\` |

</details>

<details><summary>The same on your machine</summary>

\`\`\`sh
treehouse pull feature-a--shop | docker compose -f - up
\`\`\`

</details>

[The whole log](https://treehouse.example.com/previews/feature-a--shop?build=${FIRST})`);
  });

  it('says below what somebody was answered', () => {
    const note = { text: 'There is no command ‘dance’.', markdown: '| what |', lines: ['one', 'two'], by: 'ada' };
    expect(withNote('body', { ...note, at: 1_795_782_660_000 })).toBe(
      'body\n\n---\n\nTo `ada`, 27 Nov 2026, 12:31 UTC: `There is no command ‘dance’.`\n\n| what |\n\n```text\none\ntwo\n```',
    );
    expect(withNote('body', undefined)).toBe('body');
  });

  it('of a red build says where it failed and why, and keeps the URLs of what serves', () => {
    const record = recordOf(started(FIRST), ...live(FIRST), started(SECOND, TWO), failed(SECOND));
    const text = commentOf(record, { ...NOTHING, tail: ['1 passed', '1 failed'] });
    expect(text).toContain('### Preview: live with an earlier commit, the newest failed');
    expect(text).toContain(`| \`web\` | ${URLS[0]} |`);
    expect(text).toContain('111111111111 serves since 27 Nov 2026, 12:31 UTC.');
    expect(text).toContain('222222222222 failed at **test**: `it is red`');
    expect(text).toContain('```text\n1 passed\n1 failed\n```');
  });

  it.each<[string, PreviewRecord, string[]]>([
    [
      'is being built',
      recordOf(started(FIRST)),
      ['### Preview: being built', '111111111111 is being built since 27 Nov 2026, 12:31 UTC.'],
    ],
    ['failed', recordOf(started(FIRST), failed(FIRST)), ['### No preview: the build failed', 'failed at **test**']],
    [
      'waits',
      recordOf({
        ...{ type: 'preview.waiting', purpose: 'build', commit: ONE, position: 3, aboutMs: 240_000 },
        because: '2 builds run, and there may be 2 at once',
      }),
      [
        '### No preview yet: it waits for its turn',
        'In its way: `third in the queue, about 4 min: 2 builds run, and there may be 2 at once`',
      ],
    ],
    [
      'sleeps',
      recordOf(started(FIRST), ...live(FIRST), {
        ...{ type: 'preview.observed', state: 'asleep', cause: 'nobody visited it', urls: URLS },
        serving: { build: FIRST, commit: ONE, since: 1 },
      }),
      ['### Preview: asleep', 'The next visitor wakes it', `| \`web\` | ${URLS[0]} |`],
    ],
    [
      'is gone',
      recordOf(started(FIRST), ...live(FIRST), ...removed()),
      ['### Preview: removed', 'Removed 27 Nov 2026, 12:31 UTC: `pull request #7 was merged`'],
    ],
    [
      'never was',
      recordOf(...removed("the configuration's branches leave 'feature-a' out").slice(1)),
      ['### No preview', "None since 27 Nov 2026, 12:31 UTC: `the configuration's branches leave 'feature-a' out`"],
    ],
  ])('of one that %s says so', (_, record, parts) => {
    const text = commentOf(record, NOTHING);
    for (const part of parts) expect(text).toContain(part);
    expect(text.startsWith(`${markerOf(KEY.id)}\n`)).toBe(true);
  });
});

/** Stands in all that strangers wrote. */
const SIGN = 'QzQ';
const ATTACKS = [
  '@everyone @acme/team',
  'https://evil.example www.evil.example mail@evil.example',
  '[click](https://evil.example) ![x](https://evil.example/x.png) [a]: https://evil.example',
  '<img src=x onerror=alert(1)><a href="https://evil.example">x</a><script>',
  '<!-- treehouse:main--shop -->',
  '</code></summary></details><b>',
  '```\n# heading\n```',
  '~~~\n````````\n`````',
  '` `` ``` \\` \\` | \\| \\\\| ||',
  '\r\n\r\n### heading\n\n- list\n\n| a | b |\n| - | - |\n',
  '#1 GH-1 acme/shop#1 1234567890abcdef1234567890abcdef12345678 :tada: $x$ $`x`$ [^1]',
  '&lt;b&gt; &#64;everyone &amp;',
  '\u202eabc\u2066\u200b\u0000\u0007\u001b]8;;https://evil.example\u0007x\u001b]8;;\u0007',
  '\u2028\u2029\u0085\v\f',
  '\ud83d half',
];
const hostile = fc
  .array(fc.oneof(fc.constantFrom(...ATTACKS), fc.string({ unit: 'binary', maxLength: 40 })), { maxLength: 4 })
  .chain((parts) => fc.constantFrom('', ' ', '\n', '|', '`').map((glue) => [SIGN, ...parts, SIGN].join(glue)));

interface Node {
  readonly type: string;
  readonly value?: string;
  readonly url?: string;
  readonly children?: readonly Node[];
}

const MADE = new Set([markerOf(KEY.id), '</details>', '<details><summary>The same on your machine</summary>']);
const PAGE = `https://treehouse.example.com/previews/${KEY.id}`;
const LINKS = new Set([...URLS, PAGE, `${PAGE}?build=${FIRST}`, `${PAGE}?build=${SECOND}`]);

/** What markdown makes of it, but for what stands in code. */
function outsideCode(text: string): readonly Node[] {
  const isCode = ({ type }: Node) => type === 'code' || type === 'inlineCode';
  const below = (node: Node): Node[] =>
    (node.children ?? []).filter((one) => !isCode(one)).flatMap((one) => [one, ...below(one)]);
  return below(fromMarkdown(text, { extensions: [gfm()], mdastExtensions: [gfmFromMarkdown()] }) as Node);
}

const NODES = 'html heading text paragraph table tableRow tableCell link strong thematicBreak'.split(' ');

function expectQuiet(text: string): void {
  expect(text.length).toBeLessThanOrEqual(COMMENT_MAX);
  for (const { type, value = '', url } of outsideCode(text)) {
    expect(NODES).toContain(type);
    if (type === 'link') expect(LINKS).toContain(url);
    if (
      type === 'html' &&
      !/^<details><summary>What Treehouse changed of the compose file: \d+<\/summary>$/.test(value)
    ) {
      expect(MADE).toContain(value);
    }
    if (type === 'text') expect(value).not.toMatch(/QzQ|@|#\d|:\w+:|\$|evil/);
  }
}

describe('what strangers wrote', () => {
  it('is text wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.record({
          ...{ message: hostile, reason: hostile, because: hostile, service: hostile },
          ...{ login: fc.array(hostile, { maxLength: 5 }), tail: fc.array(hostile, { maxLength: 4 }) },
          changes: fc.array(fc.record({ path: hostile, message: hostile }), { maxLength: 3 }),
        }),
        ({ message, reason, because, service, login, tail, changes }) => {
          const known: Known = {
            pullRequests: [],
            changes,
            tail,
            size: 1,
            dashboard: 'https://treehouse.example.com/',
          };
          const shown = { services: [service, service], login };
          const isLive = [started(FIRST), ...live(FIRST, ONE, shown)];
          const serving = { build: FIRST, commit: ONE, since: 1 };
          const records = [
            recordOf(started(SECOND), failed(SECOND, message)),
            { ...recordOf(...isLive, started(SECOND, TWO), failed(SECOND, message)), ...shown },
            recordOf(...isLive, { type: 'preview.waiting', purpose: 'build', position: 1, because, commit: TWO }),
            recordOf(...isLive, {
              ...{ type: 'preview.observed', state: 'failed', cause: reason, urls: URLS, unwoken: tail, serving },
            }),
            recordOf({ type: 'preview.observed', state: 'failed', cause: reason, urls: [] }),
            recordOf(...isLive, ...removed(reason)),
          ];
          const note = { text: message, by: service, lines: tail, at: 1 };
          for (const record of records) expectQuiet(withNote(commentOf(record, known), note));
        },
      ),
      { numRuns: 20 },
    );
  });

  it('is shown whole where it is harmless, and cut where it is long', () => {
    expect(code('feature/a')).toBe('`feature/a`');
    expect(code('a|b')).toBe('`a|b`');
    expect(code('`a` ``b``')).toBe('``` `a` ``b`` ```');
    expect(cell('a|b \\|')).toBe('`a\\|b \\\u200b\\|`');
    expect(code('  \n ')).toBe('–');
    expect(code('x'.repeat(400))).toBe(`\`${'x'.repeat(299)}…\``);
    expect(code('👍'.repeat(200), 10)).toBe('`👍👍👍👍…`');
    expect(fence(['a ``` b', 'c'])).toBe('````text\na ``` b\nc\n````');
  });

  it('does not make it longer than GitHub takes, however much there is', () => {
    const much = `${'@|`'.repeat(2_000)}`;
    const known: Known = {
      ...NOTHING,
      tail: Array.from({ length: 500 }, () => much),
      changes: Array.from({ length: 500 }, () => ({ path: much, message: much })),
    };
    const all = { login: Array.from({ length: 5 }, () => much) };
    const many = Array.from({ length: 200 }, (_, at) => `https://s${at}--feature-a--shop.preview.example.com/`);
    const record = recordOf(started(FIRST), ...live(FIRST, ONE, all), started(SECOND, TWO), failed(SECOND, much));
    const body = commentOf({ ...record, urls: many, services: many.map(() => much) }, known);
    const lines = Array.from({ length: 500 }, () => much);
    const text = withNote(body, { text: much, by: much, lines, markdown: '| a |', at: 1 });
    expect(text.length).toBeLessThan(COMMENT_MAX);
    expect(text).toContain('more, in the log of the build.');
    expect(text).toContain('treehouse pull feature-a--shop');
  });
});
