/** The projects of test/policy, judged as the plan stage does it: each hostile one at its own place, each harmless one not at all. */
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { harden } from '../../src/policy/harden.ts';
import { COMPOSE_FILES } from '../../src/policy/sources.ts';
import { filesOf, harmlessProjects, hostileProjects } from '../support/corpus.ts';
import { type Court, type Layout, openCourt } from '../support/judge.ts';

const hostile = await hostileProjects();
const harmless = await harmlessProjects();

let court: Court;
beforeAll(async () => {
  court = await openCourt();
});
afterAll(() => court?.close());

it('is of a size that says something', () => {
  expect(hostile.length).toBeGreaterThanOrEqual(60);
  expect(harmless.length).toBeGreaterThanOrEqual(25);
});

describe.concurrent('hostile', () => {
  it.each(hostile)('$name: $why', async ({ files, expected }) => {
    const { verdict, lines, stack } = await court.judge(files);
    if (expected.refused.length > 0) {
      expect(lines.map((line) => line.replace(/\]: .*$/s, ']'))).toEqual(expected.refused);
      expect(verdict).toBe('refused');
    } else if (expected.unreadable.length > 0) {
      for (const text of expected.unreadable) expect(lines[0]).toContain(text);
      expect(verdict).toBe('unreadable');
    } else {
      expect([...lines].sort()).toEqual([...expected.neutralised].sort());
      expect(verdict).toBe('accepted');
      expect(stack).toMatchObject(expected.plan ?? {});
      // Its changes say what was left out.
      const runs = JSON.stringify({ ...stack, changes: [] });
      for (const text of expected.never) expect(runs).not.toContain(text);
    }
    for (const line of lines) expect(line).not.toContain(court.folder);
  });
});

const SERVICE = 'services: {web: {image: busybox}}\n';

/** What no checkout of git keeps as it is. */
const generated: Readonly<Record<string, { readonly files: Layout; readonly at: readonly string[] }>> = {
  'UTF-16, which Compose reads and we do not': {
    files: { 'compose.yml': Buffer.from(`\ufeff${SERVICE}`, 'utf16le') },
    at: ['compose.yml [files]'],
  },
  'a file of two megabytes': {
    files: { 'compose.yml': `${SERVICE}#${' '.repeat(2 * 1024 * 1024)}\n` },
    at: ['compose.yml [files]'],
  },
  'a pipe in place of the file': { files: { 'compose.yml': 'fifo' }, at: ['compose.yml [inside]'] },
  'a device in place of the file': { files: { 'compose.yml': { link: '/dev/zero' } }, at: ['compose.yml [inside]'] },
  "a neighbour's file in place of it": {
    files: { 'compose.yml': { link: '../neighbour.yml' }, '../neighbour.yml': SERVICE },
    at: ['compose.yml [inside]'],
  },
  'an override that is a link': {
    files: {
      'compose.yml': SERVICE,
      'compose.override.yml': { link: '../neighbour.yml' },
      '../neighbour.yml': SERVICE,
    },
    at: ['compose.override.yml [inside]'],
  },
  'lists in lists, a hundred thousand deep': {
    files: { 'compose.yml': `x-deep: ${'['.repeat(100_000)}${']'.repeat(100_000)}\n${SERVICE}` },
    at: ['compose.yml [yaml]'],
  },
  'a Dockerfile that is a link': {
    files: { 'compose.yml': 'services: {web: {build: .}}', Dockerfile: { link: '/etc/passwd' } },
    at: ['services.web.build.dockerfile [inside]'],
  },
  'a Dockerfile of UTF-16': {
    files: { 'compose.yml': 'services: {web: {build: .}}', Dockerfile: Buffer.from('FROM busybox\n', 'utf16le') },
    at: ['Dockerfile [dockerfile]'],
  },
};

describe('hostile and in no repository', () => {
  it.each(Object.keys(generated))('%s', async (name) => {
    const { files, at } = generated[name] ?? { files: {}, at: [] };
    const { lines } = await court.judge(files);
    expect(lines.map((line) => line.replace(/\]: .*$/s, ']'))).toEqual(at);
  });
});

/** Keys that this Compose does not know, or writes otherwise: what a newer one would print of a service. */
const newer: Readonly<Record<string, unknown>> = {
  provider: { type: 'sh', options: { c: ['id'] } },
  use_api_socket: true,
  gpus: [{ count: -1 }],
  post_start: [{ command: ['id'], privileged: true }],
  pre_stop: [{ command: ['id'], privileged: true }],
  models: { llm: { endpoint_var: 'LLM' } },
  escape_hatch: { wide: true },
};

describe('hostile to a newer Compose', () => {
  it.each(Object.keys(newer))('%s', async (key) => {
    const services = { web: { image: 'busybox', networks: { default: null }, [key]: newer[key] } };
    const result = await harden(court.folder, { name: 'x', services, networks: { default: { name: 'x_default' } } });
    expect(result.kind === 'refused' && result.refusals.map((one) => one.path)).toEqual([`services.web.${key}`]);
  });
});

describe.concurrent('harmless', () => {
  it.each(harmless)('$name', async ({ files }) => {
    const verdict = await court.judge({ ...(await templateOf(files)), ...files });
    expect(verdict.verdict === 'accepted' ? [] : verdict.lines).toEqual([]);
  });

  /** What the plan stage lays beside a project that has no compose file. */
  async function templateOf(files: Layout): Promise<Layout> {
    if (COMPOSE_FILES.some((one) => files[one])) return {};
    const template = files.Dockerfile ? 'dockerfile' : files['package.json'] ? 'node' : 'static';
    return filesOf(path.join(import.meta.dirname, '../../templates', template));
  }
});
