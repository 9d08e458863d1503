/** Secrets at rest: real files in a folder of their own. */
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryName } from '../../src/domain/names.ts';
import { secretCommands } from '../../src/secrets/command.ts';
import { choose } from '../../src/secrets/scope.ts';
import { MAX_BYTES, openSecretStore, type SecretStore } from '../../src/secrets/store.ts';
import { readValue, type ValueInput } from '../../src/secrets/value.ts';

const SHOP = repositoryName('acme/shop');
const VALUE = 'correct horse battery staple';
const ANY = { service: '*', branch: '*' };

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'treehouse-secrets-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
let now = 1_700_000_000_000;
function fresh(): { home: string; store: SecretStore; file: string; key: string } {
  count += 1;
  const home = path.join(folder, String(count));
  return {
    home,
    store: openSecretStore(home, { now: () => now++ }),
    file: path.join(home, 'secrets', 'acme_shop.json'),
    key: path.join(home, 'secrets', 'key'),
  };
}

async function withOne(value = VALUE): Promise<ReturnType<typeof fresh>> {
  const made = fresh();
  await made.store.set(SHOP, { name: 'password', ...ANY }, Buffer.from(value));
  return made;
}

async function values(store: SecretStore): Promise<Record<string, string>> {
  const { secrets } = await store.read(SHOP);
  return Object.fromEntries(secrets.map((one) => [`${one.name} ${one.service} ${one.branch}`, one.value().toString()]));
}

describe('the store of secrets', () => {
  it('keeps values, and shows none on the disk', async () => {
    const { home, store, file, key } = await withOne();
    expect(await store.set(SHOP, { name: 'password', service: 'web', branch: 'main' }, Buffer.from('other'))).toBe(
      false,
    );
    expect(await store.set(SHOP, { name: 'password', ...ANY }, Buffer.from(`${VALUE}!`))).toBe(true);
    expect(await values(store)).toEqual({ 'password * *': `${VALUE}!`, 'password web main': 'other' });
    for (const one of [file, key]) expect(statSync(one).mode & 0o777).toBe(0o600);
    expect(statSync(path.join(home, 'secrets')).mode & 0o777).toBe(0o700);
    expect(readdirSync(path.join(home, 'secrets')).sort()).toEqual(['acme_shop.json', 'key']);
    expect(Buffer.from(readFileSync(key, 'utf8').trim(), 'hex').length).toBe(32);
    const text = readFileSync(file, 'utf8');
    for (const form of [VALUE, Buffer.from(VALUE).toString('base64')]) expect(text).not.toContain(form);
  });

  it('forgets exactly what was named', async () => {
    const { store } = await withOne();
    await expect(store.remove(SHOP, { name: 'password', service: 'web', branch: '*' })).rejects.toMatchObject({
      code: 'secret-missing',
      message: 'acme/shop has no secret password (service web); there is password',
    });
    await store.remove(SHOP, { name: 'password', ...ANY });
    expect(await values(store)).toEqual({});
  });

  it.each<[string, (text: string) => string]>([
    ['a value of other bytes', (text) => text.replace(/("text": ")(.)/, (_, a, b) => a + (b === 'A' ? 'B' : 'A'))],
    ['another name', (text) => text.replace('"password"', '"passport"')],
    ['another scope', (text) => text.replace('"branch": "*"', '"branch": "main"')],
    ['an entry less', (text) => JSON.stringify({ ...JSON.parse(text), secrets: [] })],
    ['another repository', (text) => text.replace('acme/shop', 'acme/evil')],
    ['half of it', (text) => text.slice(0, text.length / 2)],
    ['no signature', (text) => text.replace(/"signature": "\w+"/, '"signature": ""')],
  ])('notices %s', async (_, change) => {
    const { store, file } = await withOne();
    const before = readFileSync(file, 'utf8');
    const after = change(before);
    expect(after).not.toBe(before);
    writeFileSync(file, after);
    await expect(store.read(SHOP)).rejects.toMatchObject({
      code: 'secret-failed',
      message: expect.stringContaining(`${file} was changed by something else than Treehouse`),
    });
    await expect(store.set(SHOP, { name: 'b', ...ANY }, Buffer.from('b'))).rejects.toThrow('was changed');
  });

  it('notices entries that were swapped, though the signature were forged', async () => {
    // As far as the seal goes: the name is bound to the text, so each opens only in its own place.
    const { keyOf } = await import('../../src/secrets/key.ts');
    const key = keyOf(Buffer.alloc(32, 1));
    const sealed = key.seal(Buffer.from(VALUE), 'a');
    expect(key.open(sealed, 'a')?.toString()).toBe(VALUE);
    expect(key.open(sealed, 'b')).toBeUndefined();
    expect(keyOf(Buffer.alloc(32, 2)).open(sealed, 'a')).toBeUndefined();
    expect(key.open({ ...sealed, tag: sealed.tag.slice(0, 8) }, 'a')).toBeUndefined();
  });

  it("notices another repository's file in its place", async () => {
    const { store, file } = await withOne();
    await store.set(repositoryName('acme/other'), { name: 'password', ...ANY }, Buffer.from('other value'));
    renameSync(file.replace('shop', 'other'), file);
    await expect(store.read(SHOP)).rejects.toThrow('was changed by something else');
  });

  it('says when the key is missing, wrong, no key or open to others', async () => {
    const { store, key, file } = await withOne();
    const right = readFileSync(key, 'utf8');
    const fails = (message: string) =>
      expect(store.read(SHOP)).rejects.toMatchObject({
        code: 'secret-failed',
        message: expect.stringContaining(message),
      });
    rmSync(key);
    await fails(`the key ${key} is missing`);
    await expect(store.set(SHOP, { name: 'b', ...ANY }, Buffer.from('b'))).rejects.toThrow('is missing');
    await expect(store.rotateKey()).rejects.toThrow('is missing');
    writeFileSync(key, 'ab'.repeat(32), { mode: 0o600 });
    await fails(`${file} was sealed with another key than ${key}`);
    writeFileSync(key, 'no key');
    await fails('is not a key of Treehouse');
    writeFileSync(key, right);
    chmodSync(key, 0o640);
    await fails(`run chmod 600 ${key}`);
    chmodSync(key, 0o600);
    expect(await values(store)).toEqual({ 'password * *': VALUE });
  });

  it('seals all anew with another key, and keeps the fingerprints', async () => {
    const { home, store, file, key } = await withOne();
    await store.set(repositoryName('acme/other'), { name: 'x', ...ANY }, Buffer.from('x'));
    const { mark } = await store.read(SHOP);
    const [before, sealed] = [readFileSync(key, 'utf8'), readFileSync(file, 'utf8')];
    expect(await store.rotateKey()).toBe(2);
    expect(readFileSync(key, 'utf8')).not.toBe(before);
    expect(readFileSync(file, 'utf8')).not.toBe(sealed);
    expect(await values(store)).toEqual({ 'password * *': VALUE });
    expect((await store.read(SHOP)).mark).toEqual(mark);
    expect(readdirSync(path.join(home, 'secrets')).sort()).toEqual(['acme_other.json', 'acme_shop.json', 'key']);
  });

  it('goes on with a rotation that was ended in the middle', async () => {
    const { store, file, key } = await withOne();
    const sealed = readFileSync(file, 'utf8');
    const old = readFileSync(key, 'utf8');
    await store.rotateKey();
    // As if only the first of two files had been sealed anew.
    renameSync(key, `${key}.next`);
    writeFileSync(key, old, { mode: 0o600 });
    expect(await values(store)).toEqual({ 'password * *': VALUE });
    writeFileSync(file, sealed);
    expect(await values(store)).toEqual({ 'password * *': VALUE });
    expect(await store.rotateKey()).toBe(1);
    expect(await values(store)).toEqual({ 'password * *': VALUE });
    expect(readFileSync(key, 'utf8')).not.toBe(old);
  });

  it('lets many write at once', async () => {
    const { store } = await withOne();
    await Promise.all(
      Array.from({ length: 8 }, (_, index) => store.set(SHOP, { name: `s${index}`, ...ANY }, Buffer.from('value'))),
    );
    expect(Object.keys(await values(store)).length).toBe(9);
  });

  it.each<[string, object, Buffer]>([
    ["is not a secret's name", { name: '../key' }, Buffer.from('x')],
    ["is not a secret's name", { name: '..' }, Buffer.from('x')],
    ['is not a glob', { branch: '!main' }, Buffer.from('x')],
    ['is not a glob', { service: '' }, Buffer.from('x')],
    ['the value is empty', {}, Buffer.alloc(0)],
    ['longer than 64 kB', {}, Buffer.alloc(MAX_BYTES + 1)],
  ])('refuses: %s', async (message, more, value) => {
    const { store } = fresh();
    const named = { name: 'a', ...ANY, ...more };
    await expect(store.set(SHOP, named, value)).rejects.toMatchObject({
      code: 'bad-config',
      message: expect.stringContaining(message),
    });
  });

  it('takes bytes of every kind, up to its bound', async () => {
    const { store } = fresh();
    const bytes = Buffer.alloc(MAX_BYTES, Buffer.from([0, 255, 10, 128]));
    await store.set(SHOP, { name: 'a', ...ANY }, bytes);
    expect((await store.read(SHOP)).secrets[0]?.value().equals(bytes)).toBe(true);
  });
});

describe('of several scopes', () => {
  const entry = (service: string, branch: string, setAt = 0) => ({ name: 'a', service, branch, setAt });
  it.each<[string, ReturnType<typeof entry>[], string | undefined]>([
    ['the only one', [entry('*', '*')], '* *'],
    ['none that does not match', [entry('api', '*'), entry('*', 'release/*')], undefined],
    ['the branch before a glob', [entry('*', 'feature/*'), entry('*', 'feature/a'), entry('*', '*')], '* feature/a'],
    ['the longer glob', [entry('*', 'f*'), entry('*', 'feature/*')], '* feature/*'],
    ['the service before any', [entry('*', '*'), entry('web', '*'), entry('w*', '*')], 'web *'],
    ['the branch counts first', [entry('web', '*'), entry('*', 'feature/a')], '* feature/a'],
    ['of equal ones the last set', [entry('*', 'feature/?', 2), entry('*', '?eature/a', 1)], '* feature/?'],
  ])('takes %s', (_, entries, expected) => {
    const chosen = choose(entries, { name: 'a', service: 'web', branch: 'feature/a' });
    expect(chosen && `${chosen.service} ${chosen.branch}`).toBe(expected);
  });
});

describe('a value', () => {
  const piped = (text: string): ValueInput => {
    const stream = new PassThrough();
    stream.end(text);
    return stream;
  };
  it.each([
    ['abc\n', 'abc'],
    ['abc\r\n', 'abc'],
    ['abc\n\n', 'abc\n\n'],
    ['a\nb\n', 'a\nb\n'],
    ['abc', 'abc'],
  ])('of %j on standard input is %j', async (text, value) => {
    expect((await readValue(piped(text), () => undefined)).toString()).toBe(value);
  });

  it('is typed unseen, and can be corrected', async () => {
    const raw: boolean[] = [];
    const said: string[] = [];
    const input: ValueInput = Object.assign(new PassThrough(), {
      isTTY: true,
      setRawMode(on: boolean) {
        raw.push(on);
        return input as never;
      },
    });
    (input as PassThrough).write('wrong\u0015pass\u00e9\u007fwordX\u007f\r');
    expect((await readValue(input, (text) => said.push(text))).toString()).toBe('password');
    expect(raw).toEqual([true, false]);
    expect(said).toEqual(['Value (not shown): ', '\n']);
  });

  it('of more than there is room for is refused', async () => {
    await expect(readValue(piped('x'.repeat(MAX_BYTES + 3)), () => undefined)).rejects.toThrow('longer than 64 kB');
  });
});

describe('the command line', () => {
  async function run(home: string, argv: readonly string[], input = ''): Promise<string> {
    const stream = new PassThrough();
    stream.end(input);
    const lines: string[] = [];
    const program = new Command('treehouse').exitOverride();
    secretCommands(program, {
      config: () => ({ home }),
      isKnown: async (one) => one === 'acme/shop',
      input: stream,
      print: (text) => lines.push(text),
      say: (text) => lines.push(text.trim()),
      now: () => Date.UTC(2026, 0, 2),
    });
    await program.parseAsync(['node', 'treehouse', 'secret', ...argv]);
    return lines.join('\n');
  }

  it('sets, lists, removes and renews the key, and shows no value', async () => {
    const { home } = fresh();
    const said = [
      await run(home, ['set', 'acme/shop', 'password'], `${VALUE}\n`),
      await run(home, ['set', 'acme/shop', 'password', '--service', 'web', '--branch', 'feature/*'], VALUE),
      await run(home, ['set', 'acme/shop', 'token'], 'vault:kv/shop#token\n'),
      await run(home, ['set', 'acme/elsewhere', 'token'], VALUE),
    ];
    expect(said[0]).toBe('set password\nRunning previews keep what they have until their next redeploy.');
    expect(said[2]).toContain('which Vault is asked for');
    expect(said[3]).toContain('acme/elsewhere is not in the configuration');
    const listed = await run(home, ['list', 'acme/shop']);
    expect(listed.split('\n')).toEqual([
      'NAME      SERVICE  BRANCH     SET                       KEPT',
      'password  *        *          2026-01-02T00:00:00.000Z  here',
      'password  web      feature/*  2026-01-02T00:00:00.000Z  here',
      'token     *        *          2026-01-02T00:00:00.000Z  vault',
    ]);
    const json = await run(home, ['list', 'acme/shop', '--json']);
    expect(JSON.parse(json)).toMatchObject({ repository: 'acme/shop', secrets: [{ name: 'password' }, {}, {}] });
    expect(await run(home, ['rotate-key'])).toBe('the key is new; the secrets of 2 repositories are sealed with it');
    expect(await run(home, ['rm', 'acme/shop', 'token'])).toBe('removed token');
    await expect(run(home, ['rm', 'acme/shop', 'token'])).rejects.toMatchObject({ code: 'secret-missing' });
    for (const text of [...said, listed, json]) expect(text).not.toContain('horse');
  });

  it('refuses what looks like a place in Vault and is none, before it is kept', async () => {
    await expect(run(fresh().home, ['set', 'acme/shop', 'a'], 'vault:kv/shop')).rejects.toThrow('vault:MOUNT/PATH#KEY');
    await expect(run(fresh().home, ['set', 'acme', 'a'], 'x')).rejects.toMatchObject({ code: 'bad-config' });
  });
});
