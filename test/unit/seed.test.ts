/** Seeds: how they are written, when they are due, and what a build that died in one leaves in doubt. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BuildId } from '../../src/domain/names.ts';
import type { ObservedContainer, ObservedStack, ObservedVolume } from '../../src/domain/observed.ts';
import { halfSeeded, idleMarks, planSeeds, unseededBuilds } from '../../src/domain/seed.ts';
import type { StackService } from '../../src/domain/stack.ts';
import { commandWords, needsShell } from '../../src/policy/command-words.ts';
import { Notes } from '../../src/policy/notes.ts';
import { DEFAULT_POLICY } from '../../src/policy/policy.ts';
import { readSeeds } from '../../src/policy/seed.ts';

function service(name: string, volumes: readonly string[] = [], after: readonly string[] = []): StackService {
  return {
    name,
    definition: {},
    environment: {},
    dependsOn: after.map((one) => ({ service: one, condition: 'service_started' })),
    networks: {},
    mounts: volumes.map((volume) => ({ kind: 'volume', volume, target: `/${volume}`, readOnly: false })),
    files: [],
    ports: [],
  };
}
const SERVICES = [service('web', [], ['db']), service('db', ['data']), service('job', ['files'], ['db'])];

describe('a command line', () => {
  it.each([
    ['psql -f /seed.sql', ['psql', '-f', '/seed.sql']],
    ['  a\t b  ', ['a', 'b']],
    [`sh -c "echo 'it is' \\"well\\""`, ['sh', '-c', `echo 'it is' "well"`]],
    [`a '' ""`, ['a', '', '']],
    [`a'b'"c"\\ d`, ['abc d']],
    [`'\\'`, ['\\']],
    ['', []],
    [`a 'b`, undefined],
    ['a "b', undefined],
    ['a \\', undefined],
  ])('%j is cut into words', (line, words) => {
    expect(commandWords(line)).toEqual(words);
  });

  it('gives back any words that were quoted', () => {
    const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
    fc.assert(
      fc.property(fc.array(fc.string()), (words) => {
        expect(commandWords(words.map(quoted).join(' '))).toEqual(words);
      }),
    );
  });

  it.each(['a; b', 'a && b', 'a | b', 'a > b', 'echo $HOME', '`a`'])('%j needs a shell', (line) => {
    expect(needsShell(line)).toBe(true);
    expect(needsShell(`sh -c "${line}"`)).toBe(false);
  });
});

describe('x-treehouse.seed', () => {
  function read(raw: unknown) {
    const notes = new Notes(DEFAULT_POLICY);
    const waits: StackService = {
      ...service('late'),
      dependsOn: [{ service: 'migrate', condition: 'service_completed_successfully' }],
    };
    const seeds = readSeeds(raw, [...SERVICES, service('migrate'), waits], notes);
    return { seeds, refusals: notes.refusals.map((one) => `${one.path}: ${one.message}`) };
  }

  it.each([
    [undefined, []],
    [{ service: 'db', command: 'psql -c "select 1"' }, [{ service: 'db', command: ['psql', '-c', 'select 1'] }]],
    [
      [
        { service: 'db', command: ['sh', '-c', 'echo $$HOME'] },
        { service: 'web', command: ['load', 7] },
      ],
      [
        { service: 'db', command: ['sh', '-c', 'echo $HOME'] },
        { service: 'web', command: ['load', '7'] },
      ],
    ],
  ])('%j is read', (raw, seeds) => {
    expect(read(raw)).toEqual({ seeds, refusals: [] });
  });

  it.each([
    ['psql', /^x-treehouse\.seed: it is \{service: db/],
    [{ service: 'db' }, /^x-treehouse\.seed\.command: it is a list of words/],
    [{ service: 'db', command: '' }, /a list of words/],
    [{ service: 'db', command: ['a', ['b']] }, /a list of words/],
    [{ service: 'db', command: 'a "b' }, /quotes closed/],
    [{ service: 'db', command: 'a && b' }, /\["sh", "-c", "…"\]/],
    [{ service: 'db', command: 'a', user: 'root' }, /^x-treehouse\.seed\.user: it is/],
    [{ command: 'a' }, /runs here: web, db, job, migrate, late; undefined is not/],
    [
      [
        { service: 'db', command: 'a' },
        { service: 'no', command: 'a' },
      ],
      /^x-treehouse\.seed\[1\]\.service: .*"no" is not/,
    ],
    [{ service: 'migrate', command: 'a' }, /others wait for 'migrate' to end/],
    [{ service: 'db', command: ['a', 'x'.repeat(70_000)] }, /too long/],
    [Array.from({ length: 21 }, () => ({ service: 'db', command: 'a' })), /more than 20 seeds/],
  ])('%j is refused with a way out', (raw, message) => {
    expect(read(raw).refusals).toEqual([expect.stringMatching(message)]);
  });
});

describe('a seed is due', () => {
  const plan = (of: string, had: readonly string[], kept: readonly string[] = []) =>
    planSeeds({
      seeds: [{ service: of, command: ['x'] }],
      services: [...SERVICES, service('lone')],
      has: (one) => had.includes(one),
      keeps: (one) => kept.includes(one),
    }).map(({ due, cause }) => `${due}: ${cause}`)[0];

  it.each<[string, readonly string[], readonly string[], string]>([
    ['db', [], [], 'true: new: data'],
    ['db', ['data'], [], 'false: there before: data'],
    ['db', ['files'], [], 'true: new: data'],
    // A seed often runs where the code is, and fills what that depends on.
    ['web', [], [], 'true: new: data'],
    ['web', ['data'], [], 'false: there before: data'],
    ['job', [], [], 'true: new: data, files'],
    ['job', ['data'], [], 'false: there before: data'],
    ['lone', ['data'], [], 'true: it has no volume, and its container is new'],
    ['lone', [], ['lone'], 'false: its container goes on, and has its data'],
  ])('in %s, with %j there and %j kept', (of, had, kept, said) => {
    expect(plan(of, had, kept)).toBe(said);
  });
});

describe('a build whose seeds did not end', () => {
  const volume = (name: string, seededBy?: string): ObservedVolume =>
    seededBy === undefined ? { name } : { name, seededBy: seededBy as BuildId };
  const mark = (of: string): ObservedVolume => ({ name: `mark-${of}`, seededBy: of as BuildId, mark: 'seeded' });
  const container = (build: string, isSeeded = true) => ({ build: build as BuildId, isSeeded }) as ObservedContainer;
  const stack = (volumes: readonly ObservedVolume[], containers: readonly ObservedContainer[] = []) =>
    ({ volumes, containers }) as unknown as ObservedStack;

  it.each<[string, ObservedStack, readonly string[]]>([
    ['none had seeds', stack([volume('a')], [container('b1', false)]), []],
    ['one ended well', stack([volume('a', 'b1'), mark('b1')], [container('b1')]), []],
    ['one did not', stack([volume('a', 'b1'), volume('b', 'b2'), mark('b1')], [container('b2')]), ['b2']],
    ['one without volumes did not', stack([], [container('b1')]), ['b1']],
  ])('%s', (_what, seen, builds) => {
    expect([...unseededBuilds(seen)]).toEqual(builds);
  });

  it('leaves its volumes to be made anew, and none of what is live', () => {
    const seen = stack([volume('old'), volume('half', 'b2'), volume('whole', 'b1'), mark('b1'), volume('hand', 'b0')]);
    expect(halfSeeded(seen, [container('b0')])).toEqual(['half']);
  });

  it('leaves no marks of what is gone', () => {
    const seen = stack([volume('a', 'b1'), mark('b1'), mark('b2'), mark('b3')], [container('b2')]);
    expect(idleMarks(seen)).toEqual(['mark-b3']);
  });
});
