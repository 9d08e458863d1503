/** The systemd unit agrees with the code: what it starts is there, and its times and paths are those of the defaults. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../src/config.ts';

const run = promisify(execFile);
const project = fileURLToPath(new URL('../..', import.meta.url));
const read = (name: string) => readFileSync(path.join(project, name), 'utf8');
const text = read('templates/install/treehouse.service');
const page = read('docs/install.md');
const settings = new Map(
  [...text.matchAll(/^([A-Z][A-Za-z]+)=(.*)$/gm)].map(([, key = '', value = '']) => [key, value] as const),
);
const at = (key: string) => settings.get(key) ?? '';
/** Where the page puts Treehouse. */
const PLACE = '/opt/treehouse';

it('starts what the build makes, by a verb that there is', () => {
  const [command, program, ...args] = at('ExecStart').split(' ');
  expect(command).toBe('node');
  const { bin } = JSON.parse(read('package.json')) as { bin: { treehouse: string } };
  expect(program).toBe(path.join(PLACE, bin.treehouse));
  expect(args).toEqual(['up', '--json']);
  const cli = read('src/cli.ts');
  expect(cli).toContain(".command('up')");
  expect(cli).toContain("'--json'");
});

it('has the home and the configuration where the page puts them', () => {
  const yml = parse(read('templates/install/treehouse.yml')) as Record<string, unknown>;
  expect(yml.home).toBe(path.join('/var/lib', at('StateDirectory')));
  expect(at('Environment')).toBe(`TREEHOUSE_CONFIG=${at('WorkingDirectory')}/treehouse.yml`);
  expect(at('EnvironmentFile')).toBe(`-${at('WorkingDirectory')}/treehouse.env`);
  // As secrets/memory.ts names it, of root.
  expect(at('RuntimeDirectory')).toBe('treehouse-0');
  expect(at('RuntimeDirectoryPreserve')).toBe('yes');
  const file = path.join(project, 'templates/install/treehouse.yml');
  expect(readConfig({ env: {}, cwd: '/etc/treehouse', file })).toMatchObject({
    home: '/var/lib/treehouse',
    host: '127.0.0.1',
  });
  expect(page).toContain('http://127.0.0.1:4000/readyz');
});

it('gives a stop more time than the builds have', () => {
  const { stopLimit, port } = readConfig({ env: {}, cwd: '/nonexistent' });
  expect(Number(at('TimeoutStopSec'))).toBeGreaterThanOrEqual(stopLimit + 60);
  expect(text).toContain(`stopLimit (${stopLimit} s)`);
  expect(page).toContain(`\`stopLimit\` (${stopLimit} s)`);
  expect(page).toContain(`127.0.0.1:${port}`);
  // All children at once would have builds fail that are to end.
  expect(at('KillMode')).toBe('mixed');
});

it('knows each setting of the environment that its example names', () => {
  const names = [...read('templates/install/treehouse.env').matchAll(/^#?([A-Z_]+)=/gm)].map(([, name = '']) => name);
  expect(names.length).toBeGreaterThan(3);
  const sources = ['src/config.ts', 'src/config/schema.ts', 'src/config/github.ts'].map(read).join('\n');
  for (const name of names) expect(sources).toContain(name.replace(/_FILE$/, ''));
});

it('is understood by systemd, which grades it as the page says', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'treehouse-unit-'));
  const file = path.join(folder, 'treehouse.service');
  try {
    // It looks for the page at its place.
    await writeFile(file, text.replace(`file://${PLACE}/`, `file://${project}`));
    const there = await run('systemd-analyze', ['--version']).catch(() => undefined);
    if (!there) return;
    const { stderr } = await run('systemd-analyze', ['verify', '--man=no', file]);
    expect(stderr).toBe('');
    const { stdout } = await run('systemd-analyze', ['security', '--offline=true', '--no-pager', file]);
    const level = /Overall exposure level[^:]*: ([\d.]+)/.exec(stdout)?.[1];
    expect(Number(level)).toBeLessThanOrEqual(Number(/gives it ([\d.]+)/.exec(page)?.[1]));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
