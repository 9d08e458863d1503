/** Which Treehouse this is, wherever it is said. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { COMMIT, FULL_VERSION, VERSION } from '../../src/version.ts';

const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
const changelog = read('CHANGELOG.md');
/** Headings of versions, as Keep a Changelog has them, newest first. */
const headings = [...changelog.matchAll(/^## \[(.+?)\](.*)$/gm)].map(([, name = '', rest = '']) => ({ name, rest }));

it('is that of package.json, its lock file and the newest one in the CHANGELOG', () => {
  const lock = JSON.parse(read('package-lock.json')) as { version: string; packages: { '': { version: string } } };
  expect(VERSION).toMatch(/^\d+\.\d+\.\d+$/);
  expect(JSON.parse(read('package.json'))).toMatchObject({ version: VERSION });
  expect([lock.version, lock.packages[''].version]).toEqual([VERSION, VERSION]);
  expect(headings.find((one) => one.name !== 'Unreleased')).toEqual({ name: VERSION, rest: expect.any(String) });
});

it('of the sources names no commit', () => {
  expect(COMMIT).toBeUndefined();
  expect(FULL_VERSION).toBe(VERSION);
});

it('has a CHANGELOG that begins with what is coming, and says of each version when and under which headings', () => {
  expect(headings[0]).toEqual({ name: 'Unreleased', rest: '' });
  for (const { rest } of headings.slice(1)) expect(rest).toMatch(/^ - \d{4}-\d{2}-\d{2}$/);
  const kinds = [...changelog.matchAll(/^### (.+)$/gm)].map(([, kind]) => kind);
  expect(['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security']).toEqual(expect.arrayContaining(kinds));
});
