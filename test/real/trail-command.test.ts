/** `treehouse trail` and the acts that it tells of, against an API in memory over real HTTP. */
import { stripVTControlCharacters } from 'node:util';
import { Command } from 'commander';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TrailView } from '../../src/api/trail.ts';
import { previewCommands } from '../../src/terminal/acts.ts';
import { trailCommand, trailTable } from '../../src/terminal/trail.ts';
import { createClient } from '../../src/web/client.ts';
import { type ApiWorld, startApiWorld } from '../support/api-world.ts';

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(() => world.close());

async function run(...args: readonly string[]): Promise<{ readonly out: string; readonly said: string }> {
  const out: string[] = [];
  const said: string[] = [];
  const program = new Command().exitOverride().configureOutput({ writeErr: (text) => said.push(text) });
  const deps = {
    client: () => createClient({ url: world.url, token: world.token('admin') }),
    print: (text: string) => out.push(text),
    confirm: async () => undefined,
  };
  trailCommand(program, deps);
  previewCommands(program, deps);
  for (const one of program.commands) one.exitOverride();
  await program.parseAsync(args, { from: 'user' }).catch((error: unknown) => said.push(String(error)));
  return { out: stripVTControlCharacters(out.join('\n')), said: said.join('\n') };
}

it('tells what was done, newest first, to a person and to a program', async () => {
  const id = (await createClient({ url: world.url, token: world.token('admin') }).previews())[0]?.id ?? '';
  expect(JSON.parse((await run('pin', id, '--json')).out)).toEqual({ act: 'pin', preview: id });
  expect((await run('unpin', id)).out).toBe(`${id} is not pinned any more`);
  const { entries } = JSON.parse((await run('trail', '-n', '2', '--json')).out) as { entries: TrailView[] };
  expect(entries.map(({ act, to, status }) => [act, to, status])).toEqual([
    ['unpin', id, 202],
    ['pin', id, 202],
  ]);
  const [, newest] = (await run('trail', '--count', '1')).out.split('\n');
  expect(newest).toMatch(/^ \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\s+\S.*unpin\s+\S+\s+done/);
});

it('shows what was refused, and no control characters of anybody', () => {
  const table = trailTable([
    {
      ...{ at: '2026-11-27T03:00:00.000Z', who: 'ada\u001b[2J', token: 't', act: 'exec', to: 'main--shop' },
      ...{ service: 'web', command: ['cat', '/etc/\u0007passwd'], status: 403 },
    },
  ]);
  for (const one of ['\u001b[2J', '\u0007']) expect(table).not.toContain(one);
  expect(stripVTControlCharacters(table)).toContain('main--shop web: cat /etc/');
  expect(stripVTControlCharacters(table)).toContain('refused (403)');
  expect(trailTable([])).toBe('Nobody did anything yet.');
});

it('says what is no number of entries', async () => {
  expect((await run('trail', '-n', '0')).said).toContain('It is a number from 1 to 1000.');
});
