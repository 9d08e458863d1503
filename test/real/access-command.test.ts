/** `treehouse link` and `treehouse password`, against an API in memory over real HTTP; and what is kept of passwords. */
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BASE } from '../../src/api/document.ts';
import type { NewLink } from '../../src/api/links.ts';
import type { Guard, OpenLink } from '../../src/domain/guards.ts';
import { type PreviewId, repositoryName } from '../../src/domain/names.ts';
import { openDoors } from '../../src/doors.ts';
import { linkCommand } from '../../src/terminal/links.ts';
import { passwordCommands } from '../../src/terminal/passwords.ts';
import { createClient } from '../../src/web/client.ts';
import { type ApiWorld, startApiWorld } from '../support/api-world.ts';
import { keptLog } from '../support/log.ts';

const NOW = 1_700_000_000_000;
let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(() => world.close());

async function run(args: readonly string[], { input = '', token = world.token('admin') } = {}) {
  const out: string[] = [];
  const said: string[] = [];
  const program = new Command().exitOverride().configureOutput({ writeErr: (text) => said.push(text) });
  const common = {
    client: () => createClient({ url: world.url, token }),
    print: (text: string) => out.push(text),
    say: (text: string) => said.push(text),
    now: () => NOW,
  };
  linkCommand(program, common);
  passwordCommands(program, { ...common, input: Readable.from([Buffer.from(input)]) });
  for (const one of program.commands.flatMap((command) => [command, ...command.commands])) one.exitOverride();
  await program.parseAsync(args, { from: 'user' }).catch((error: unknown) => said.push(String(error)));
  return { out: out.join('\n'), said: said.join('\n') };
}

describe('treehouse link', () => {
  it('makes a link for each host, shows it once, lists it without its secret, and ends it', async () => {
    const made = await run(['link', 'main--shop', '--for', '2h']);
    expect(made.out).toMatch(/^http:\/\/main--shop\.preview\.localhost\/\.treehouse\/link\/[a-z0-9]{8}_[\w-]{43}$/);
    const [id = '', secret = ''] = made.out.split('/').at(-1)?.split(/_(.*)/s) ?? [];
    expect(made.said).toContain(`It opens main--shop for 2 h`);
    expect(made.said).toContain(`treehouse link --revoke ${id}`);
    for (const args of [
      ['link', '--list', 'main--shop'],
      ['link', '--list'],
      ['link', '--list', '--json'],
    ]) {
      const listed = (await run(args, { token: world.token('reader') })).out;
      expect(listed).toContain(id);
      expect(listed).not.toContain(secret);
    }
    expect((await run(['link', '--list'])).out).toMatch(
      new RegExp(`${id}\\s+main--shop\\s+admin undefined\\s+0 s ago\\s+in 2 h`),
    );
    expect((await run(['link', '--list', 'main--blog'])).out).toContain('There are no links.');
    expect((await run(['link', '--list'], { token: world.token('reader', 'acme/blog') })).out).not.toContain(id);
    expect((await run(['link', '--revoke', id])).out).toBe(`${id} opens nothing any more`);
    expect((await run(['link', '--list'])).out).toContain('treehouse link PREVIEW --for 3d');
  });

  it('is JSON for a program, and three days unless told', async () => {
    const made = JSON.parse((await run(['link', 'main--shop', '--json'])).out) as NewLink;
    expect(made).toMatchObject({ preview: 'main--shop', expiresAt: new Date(NOW + 3 * 86_400_000).toISOString() });
    expect((await run(['link', '--revoke', made.id, '--json'])).out).toBe(JSON.stringify({ revoked: made.id }));
  });

  it.each([
    [['link'], 'say which preview'],
    [['link', 'none--shop'], 'There is no preview with this id.'],
    [['link', 'main--shop', '--for', 'ever'], 'It is a time such as 3d or 12h.'],
    [['link', 'main--shop', '--for', '91d'], 'it is in more than 90 days'],
    [['link', '--revoke', 'nothing1'], 'there is no link nothing1'],
  ])('says what is wrong with %s', async (args, text) => {
    const { out, said } = await run(args);
    expect(said).toContain(text);
    expect(out).toBe('');
  });

  it('takes an operator to make and to end', async () => {
    expect((await run(['link', 'main--shop'], { token: world.token('reader') })).said).toContain('may operate');
    const made = JSON.parse((await run(['link', 'main--shop', '--json'])).out) as NewLink;
    expect((await run(['link', '--revoke', made.id], { token: world.token('reader') })).said).toContain('may operate');
    // By way of another preview it is not reached either.
    const other = `${world.url}${BASE}/previews/main--blog/links/${made.id}`;
    const headers = { authorization: `Bearer ${world.token('operator', 'acme/blog')}` };
    expect((await fetch(other, { method: 'DELETE', headers })).status).toBe(204);
    expect((await run(['link', '--list'])).out).toContain(made.id);
  });
});

describe('treehouse password', () => {
  it('is read from standard input, and in no trail', async () => {
    expect((await run(['password', 'set', 'acme/shop'], { input: 'open sesame\n' })).out).toContain('is set');
    expect((await run(['password', 'clear', 'acme/shop'])).out).toBe('acme/shop has no password any more');
    const acts = world.trail.entries.slice(-2).map(({ act, to, status }) => [act, to, status]);
    expect(acts).toEqual([
      ['set password', 'acme/shop', 204],
      ['clear password', 'acme/shop', 204],
    ]);
    expect(JSON.stringify([world.trail.entries, world.logged])).not.toContain('sesame');
  });

  it.each([
    ['short', 'acme/shop', 'password'],
    ['a\tb\tc\td\te', 'acme/shop', 'it has no control characters'],
    ['long enough', 'acme/none', 'There is no repository of this name.'],
    ['long enough', 'none', 'it has the form owner/name'],
  ])('does not take %j for %s', async (input, repository, text) => {
    expect((await run(['password', 'set', repository], { input })).said).toContain(text);
  });
});

describe('what is kept', () => {
  it('of passwords and links is what they hash to, for the owner alone; the gateway is told of each change', async () => {
    const home = await mkdtemp(path.join(tmpdir(), 'treehouse-test-'));
    const shop = { name: repositoryName('acme/shop'), slug: 'shop', url: '', branches: ['*'] };
    const access = { mode: 'password', open: ['/hooks/'] } as const;
    const { log, logged } = keptLog();
    const input = { home, repositories: () => [{ ...shop, access }], clock: { now: () => NOW }, log };
    const doors = await openDoors(input);
    expect(doors.gateway).toEqual({
      key: expect.stringMatching(/^[0-9a-f]{64}$/),
      guards: [{ slug: 'shop', access, mark: undefined }],
    });
    expect(logged.map((one) => one.msg)).toEqual([expect.stringContaining('treehouse password set')]);
    await expect(doors.passwords.set(shop.name, 'Caf\u00e9 am Eck')).rejects.toThrow('not there yet');

    let guards: readonly Guard[] = [];
    let links: readonly OpenLink[] = [];
    await doors.lead({
      setGuards: async (all) => {
        guards = all;
      },
      setLinks: async (all) => {
        links = all;
      },
    });
    await doors.passwords.set(shop.name, 'Caf\u00e9 am Eck');
    const mark = guards[0]?.mark;
    expect(mark).toMatch(/^[0-9a-f]{16}$/);
    // An accent may be a letter of its own.
    expect(await doors.knock(shop.name, 'Cafe\u0301 am Eck')).toBe(mark);
    for (const wrong of ['', 'Cafe am Eck', 'Caf\u00e9 am Eck\0']) {
      expect(await doors.knock(shop.name, wrong)).toBeUndefined();
    }
    const { secret } = await doors.sharing.share({ preview: 'main--shop' as PreviewId, expiresAt: NOW + 1, by: 'ada' });
    expect(links).toHaveLength(1);

    const files = (await readdir(home, { recursive: true })).filter((name) => name.includes('.json'));
    expect(files).toHaveLength(2);
    for (const name of files) {
      const text = await readFile(path.join(home, name), 'utf8');
      for (const hidden of ['Eck', secret.split(/_(.*)/s)[1] ?? 'x']) expect(text).not.toContain(hidden);
      expect((await stat(path.join(home, name))).mode & 0o777).toBe(0o600);
    }

    // Another start finds them, and another setting ends what was.
    const again = await openDoors(input);
    expect(again.gateway).toEqual({ key: doors.gateway.key, guards });
    expect(await again.sharing.redeem(secret, ['main--shop' as PreviewId])).toBeDefined();
    await doors.passwords.set(shop.name, 'Caf\u00e9 am Eck');
    expect(guards[0]?.mark).not.toBe(mark);
    await doors.passwords.clear(shop.name);
    expect([guards[0]?.mark, await doors.knock(shop.name, 'Caf\u00e9 am Eck')]).toEqual([undefined, undefined]);
    await rm(home, { recursive: true });
  });
});
