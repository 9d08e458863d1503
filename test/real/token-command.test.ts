/** `treehouse token`, against an API in memory over real HTTP. */
import { Command } from 'commander';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TokenView } from '../../src/api/tokens.ts';
import { tokenCommands, tokenTable } from '../../src/terminal/tokens.ts';
import { createClient } from '../../src/web/client.ts';
import { type ApiWorld, startApiWorld } from '../support/api-world.ts';

const NOW = 1_700_000_000_000;
let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(() => world.close());

async function run(...args: readonly string[]): Promise<{ readonly out: string; readonly said: string }> {
  const out: string[] = [];
  const said: string[] = [];
  const program = new Command().exitOverride().configureOutput({ writeErr: (text) => said.push(text) });
  tokenCommands(program, {
    client: () => createClient({ url: world.url, token: world.token('admin') }),
    print: (text) => out.push(text),
    say: (text) => said.push(text),
    now: () => NOW,
  });
  for (const one of program.commands.flatMap((command) => [command, ...command.commands])) one.exitOverride();
  await program.parseAsync(['token', ...args], { from: 'user' }).catch((error: unknown) => said.push(String(error)));
  return { out: out.join('\n'), said: said.join('\n') };
}

it('makes a token that can be used, lists it, and ends it', async () => {
  const made = await run('create', 'the CI', '--role', 'reader', '--repo', 'acme/shop', '--for', '30d');
  const client = createClient({ url: world.url, token: made.out });
  expect((await client.previews()).every((one) => one.repository === 'acme/shop')).toBe(true);
  const id = made.out.split('_')[1] ?? '';
  expect(made.said).toContain(`treehouse token revoke ${id}`);
  const row = (await run('list')).out.split('\n').find((line) => line.includes(id));
  expect(row).toMatch(/the CI\s+reader\s+acme\/shop\s+0 s ago\s+in 30 d/);
  expect((await run('revoke', id)).out).toBe(`${id} is no token any more`);
  await expect(client.previews()).rejects.toThrow('The API needs a token');
});

it('is JSON for a program', async () => {
  const made = JSON.parse((await run('create', 'a robot', '--role', 'operator', '--json')).out) as TokenView;
  expect(made).toMatchObject({ name: 'a robot', role: 'operator', repositories: [], expiresAt: null });
  const { tokens } = JSON.parse((await run('list', '--json')).out) as { tokens: TokenView[] };
  expect(tokens.map((one) => one.name)).toContain('a robot');
});

it.each([
  [['create', 'x'], "required option '--role <role>' not specified"],
  [['create', 'x', '--role', 'king'], 'Allowed choices are reader, operator, admin'],
  [['create', 'x', '--role', 'reader', '--for', 'soon'], 'It is a time such as 30d or 12h.'],
  [['create', 'x', '--role', 'reader', '--repo', 'acme/none'], "the configuration has no repository 'acme/none'"],
  [['create', 'x', '--role', 'reader', '--repo', 'none'], 'it has the form owner/name'],
  [['revoke', 'nobody12'], 'There is no token with this id.'],
])('says what is wrong with %s', async (args, text) => {
  const { out, said } = await run(...args);
  expect(said).toContain(text);
  expect(out).toBe('');
});

it('says which have ended, and how to make the first', () => {
  const common = { id: 'a1b2c3d4', role: 'admin' as const, repositories: [], createdAt: new Date(NOW).toISOString() };
  const ended = { ...common, name: 'old', expiresAt: new Date(NOW - 1).toISOString(), expired: true };
  expect(tokenTable([ended], NOW)).toMatch(/old\s+admin\s+everything\s+0 s ago\s+.*has ended/);
  expect(tokenTable([], NOW)).toContain('treehouse token create NAME --role reader');
});
