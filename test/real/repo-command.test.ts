/** `treehouse repo`, against an API in memory over real HTTP. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { Command } from 'commander';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { repositoryCommands } from '../../src/terminal/repositories.ts';
import { createClient } from '../../src/web/client.ts';
import { type ApiWorld, startApiWorld } from '../support/api-world.ts';

let world: ApiWorld;
let folder: string;
beforeAll(async () => {
  world = await startApiWorld();
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-command-'));
});
afterAll(async () => {
  await world.close();
  await rm(folder, { recursive: true, force: true });
});

async function run(...args: readonly string[]): Promise<string> {
  const out: string[] = [];
  const program = new Command().exitOverride();
  repositoryCommands(program, {
    client: () => createClient({ url: world.url, token: world.token('admin') }),
    print: (text) => out.push(text),
    async confirm(lost, yes) {
      if (!yes) throw new Error(`${lost} Say --yes to do it`);
    },
  });
  await program.parseAsync(['repo', ...args], { from: 'user' });
  // Where CI is said to run, colours are on.
  return stripVTControlCharacters(out.join('\n'));
}

it('lists, adds and takes out', async () => {
  expect(await run('list')).toMatch(
    /NAME +BRANCHES +SLEEPS AFTER.*\n *acme\/shop +\* +never +never +API +\/srv\/acme\/shop/,
  );
  const json = JSON.parse(await run('list', '--json')) as { repositories: unknown[] };
  expect(json.repositories).toHaveLength(2);
  expect(await run('add', 'acme/shop', '--branch', 'main', '--branch', 'feature/*')).toMatch(/^acme\/shop is there: /);
  await expect(run('remove', 'acme/shop')).rejects.toThrow('The previews of acme/shop go, with their data.');
  expect(await run('remove', 'acme/shop', '--yes')).toBe('acme/shop is out; its previews are being removed');
  await expect(run('remove', 'acme/none', '--yes')).rejects.toThrow('There is no repository of this name.');
  await expect(run('add', 'nonsense')).rejects.toThrow();
});

it('says what is wrong with a file of settings', async () => {
  const file = path.join(folder, 'settings.yml');
  await writeFile(file, '- one\n');
  await expect(run('add', 'acme/shop', '--settings', file)).rejects.toThrow(`--settings ${file}: it holds no keys`);
  await writeFile(file, 'previews: {ttl: 14d}\n');
  expect(await run('add', 'acme/shop', '--settings', file)).toContain('get previews');
});
