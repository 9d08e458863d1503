/** docs/security.md has every line of the talk, every rule as it is, and names no test that there is not. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { containerRules, DOCKERFILE_RULES, HOST_RULES, REPOSITORY_RULES } from '../../src/audit/rules.ts';
import { RECOMMENDATIONS, THREATS } from '../../src/audit/talk.ts';
import { GOOD } from '../support/audit.ts';

const root = new URL('../../', import.meta.url);
const page = readFileSync(new URL('docs/security.md', root), 'utf8');
const GROUPS = {
  'Host, engine and Treehouse': HOST_RULES,
  'A repository of the configuration': REPOSITORY_RULES,
  'A Dockerfile of a running preview': DOCKERFILE_RULES,
  'A running container and its image': containerRules(GOOD),
};
const ALL = Object.values(GROUPS).flat() as readonly { readonly id: string; readonly from: string }[];

function section(heading: string): string {
  const [level = ''] = /^#+/.exec(heading) ?? [];
  const after = page.split(`\n${heading}\n`)[1] ?? '';
  return after.split(new RegExp(`\n#{1,${level.length}} `))[0] ?? '';
}

/** Cells of a table's rows, without its head. */
function rowsOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => /^\| (?!-)/.test(line))
    .slice(1)
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

describe('docs/security.md', () => {
  it.each([
    ['## Threats', THREATS],
    ['## Recommendations', RECOMMENDATIONS],
  ])('has each line under %s, in order, with what is done and what shows it', (heading, lines) => {
    const rows = rowsOf(section(heading));
    expect(rows.map(([line]) => line)).toEqual([...lines]);
    for (const [line, does = '', shown = ''] of rows) {
      expect(does.length, line).toBeGreaterThan(20);
      expect(shown, line).toMatch(/`test\/|not yet/);
    }
  });

  it.each(Object.entries(GROUPS))('has the rules of: %s', (heading, rules) => {
    expect(rowsOf(section(`#### ${heading}`))).toEqual(
      rules.map((one) => [`\`${one.id}\``, one.severity, one.title, one.from, one.todo]),
    );
  });

  it('names no rule that there is not, and each beside its threat or recommendation or another', () => {
    const known = new Set(ALL.map((one) => one.id));
    const named = [...`${section('## Threats')}${section('## Recommendations')}`.matchAll(/Audit[^|]*/g)].flatMap(
      ([text]) => [...text.matchAll(/`([a-z0-9-]+)`/g)].map(([, id]) => id ?? ''),
    );
    for (const id of named) expect(known, id).toContain(id);
    expect(new Set(named)).toEqual(new Set([...known].filter((id) => id !== 'engine-seen')));
  });

  it('names only tests that exist, by words that are in them', () => {
    const cited = [...page.matchAll(/`(test\/[\w./-]+)`((?:,? “[^”]+”)*)/g)];
    expect(cited.length).toBeGreaterThan(40);
    for (const [, file = '', titles = ''] of cited) {
      expect(existsSync(new URL(file, root)), file).toBe(true);
      const text = readFileSync(new URL(file, root), 'utf8');
      for (const [, title = ''] of titles.matchAll(/“([^”]+)”/g)) {
        expect(text.includes(title), `${file} “${title}”`).toBe(true);
      }
    }
  });
});

it('every rule stands on a line of the talk', () => {
  for (const one of ALL) expect([...THREATS, ...RECOMMENDATIONS], one.id).toContain(one.from);
});
