/** What a compose file for elsewhere says, as Compose itself reads it; and what is read of a checkout for it. */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { Command } from 'commander';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { double } from '../../src/domain/dollars.ts';
import { embedder } from '../../src/pull/embed.ts';
import { yamlText } from '../../src/pull/safe-yaml.ts';
import { pullCommand } from '../../src/terminal/pull.ts';
import { createClient } from '../../src/web/client.ts';
import { type ApiWorld, PULLED, startApiWorld } from '../support/api-world.ts';

interface Model {
  readonly services: {
    readonly a: { readonly environment: Record<string, string>; readonly command: readonly string[] };
  };
  readonly configs: Record<string, { readonly content: string }>;
}

async function asComposeReads(file: string): Promise<Model> {
  const child = spawn('docker', ['compose', '-f', '-', 'config', '--format', 'json'], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.end(file);
  const [out, said] = await Promise.all([text(child.stdout), text(child.stderr)]);
  if (child.exitCode !== 0 && out === '') throw new Error(`${said}\n${file}`);
  return JSON.parse(out.replaceAll('$$', '$')) as Model;
}

describe('what a stranger wrote', () => {
  const odd = fc.constantFrom(
    ...[
      '\u0085',
      '\u2028',
      '\u2029',
      '\ufeff',
      '\u00a0',
      '\t',
      '\r',
      '\n',
      ' ',
      '#',
      ':',
      '-',
      '"',
      "'",
      '\\',
      '$',
      '${',
      '|',
      '>',
    ],
    ...[
      '\n\n',
      ' \n',
      '\n ',
      '---\n',
      '...\n',
      'yes',
      '0x1',
      '1e3',
      '{{',
      '%',
      '&a',
      '*a',
      '!',
      '?',
      '\u007f',
      '\u009f',
      '\ue000',
      '\ufffd',
      '😀',
      'ß',
    ],
  );
  const written = fc
    .array(fc.oneof(odd, fc.string({ maxLength: 6 }), fc.constant('word\n')), { maxLength: 12 })
    .map((all) => all.join(''));

  it('is read by Compose as it was', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(written, { minLength: 60, maxLength: 60 }), async (all) => {
        const values = all.map((one) => one.replaceAll('\0', ''));
        const file = yamlText(
          {
            name: 'x',
            services: {
              a: {
                image: 'x',
                command: values.map(double),
                configs: values.map((_one, index) => `c${index}`),
                environment: Object.fromEntries(values.map((one, index) => [`V${index}`, double(one)])),
              },
            },
            configs: Object.fromEntries(values.map((one, index) => [`c${index}`, { content: `${double(one)}\n` }])),
          },
          values,
          new Map([['a', values]]),
        );
        const read = await asComposeReads(file);
        expect(Object.keys(read.services)).toEqual(['a']);
        expect(read.services.a.command).toEqual(values);
        for (const [index, one] of values.entries()) {
          expect(read.services.a.environment[`V${index}`]).toBe(one);
          expect(read.configs[`c${index}`]?.content).toBe(`${one}\n`);
        }
      }),
      { numRuns: 15 },
    );
  });
});

describe('a checkout', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'treehouse-pull-'));
    await mkdir(path.join(folder, 'conf/deep'), { recursive: true });
    await writeFile(path.join(folder, 'conf/a.txt'), 'a\n');
    await writeFile(path.join(folder, 'conf/run.sh'), '#!/bin/sh\n', { mode: 0o755 });
    await writeFile(path.join(folder, 'conf/deep/logo.png'), Buffer.from([0x89, 0x50, 0xff]));
    await writeFile(path.join(folder, 'conf/nul'), 'a\0b');
    await writeFile(path.join(folder, 'conf/large'), 'x'.repeat(101));
    await symlink('/etc/passwd', path.join(folder, 'conf/out'));
    await symlink('/etc', path.join(folder, 'etc'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const limits = { file: 100, all: 1_000, count: 10 };

  it('gives texts, and names the rest', async () => {
    const { files, leftOut } = await embedder(limits).take(folder, 'conf', '/etc/app');
    expect(files).toEqual([
      { path: 'conf/a.txt', target: '/etc/app/a.txt', content: 'a\n', isExecutable: false },
      { path: 'conf/run.sh', target: '/etc/app/run.sh', content: '#!/bin/sh\n', isExecutable: true },
    ]);
    expect(leftOut.map(({ path, why }) => `${path}: ${why}`)).toEqual([
      'conf/deep/logo.png: it is no text',
      'conf/large: it has more than 0.09765625 kB',
      'conf/nul: it is no text',
      'conf/out: it is a link or something else than a file',
    ]);
  });

  it('leads nowhere else, and is bounded', async () => {
    const { take } = embedder({ ...limits, all: 5, count: 2 });
    expect((await take(folder, 'etc/passwd', '/x')).leftOut).toEqual([
      expect.objectContaining({ why: 'it cannot be read (it is behind a link)' }),
    ]);
    expect((await take(folder, 'none', '/x')).leftOut[0]?.why).toBe('it cannot be read (ENOENT)');
    expect((await take(folder, 'conf', '/x')).leftOut[0]?.why).toBe('it has more than 2 files');
    expect((await take(folder, 'conf/a.txt', '/x')).files).toHaveLength(1);
    expect((await take(folder, 'conf/run.sh', '/x')).leftOut[0]?.why).toBe('there is too much of it all');
  });
});

describe('the command', () => {
  let world: ApiWorld;
  /** With a docker that writes down what it is asked for. */
  let bin: string;
  beforeAll(async () => {
    world = await startApiWorld();
    bin = await mkdtemp(path.join(tmpdir(), 'treehouse-bin-'));
    const script = `#!/bin/sh\necho "$@" >> ${bin}/asked\n[ ! -e ${bin}/red ]\n`;
    await writeFile(path.join(bin, 'docker'), script, { mode: 0o755 });
  });
  afterAll(async () => {
    await world.close();
    await rm(bin, { recursive: true, force: true });
  });

  async function run(...args: readonly string[]): Promise<string> {
    const out: string[] = [];
    const program = new Command().exitOverride();
    pullCommand(program, {
      client: () => createClient({ url: world.url, token: world.token('reader') }),
      write: (text) => out.push(text),
      say: (text) => out.push(`said: ${text}`),
      resolve: (file) => path.join(tmpdir(), file),
      env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
    });
    await program.parseAsync(['pull', ...args], { from: 'user' });
    return out.join('\n');
  }

  it('writes the file, or JSON, or into a file', async () => {
    expect(await run('main--shop', 'web', 'db')).toBe(PULLED);
    expect(JSON.parse(await run('main--shop', '--json'))).toMatchObject({ name: 'x' });
    const file = `treehouse-pull-${process.pid}.yml`;
    expect(await run('main--shop', '-o', file)).toBe(`said: docker compose -f ${file} up starts it`);
    expect(await readFile(path.join(tmpdir(), file), 'utf8')).toBe(PULLED);
    await rm(path.join(tmpdir(), file));
    await expect(run('none--shop')).rejects.toThrow('There is no preview with this id.');
  });

  it('pulls the images that a registry has', async () => {
    const said = await run('main--shop', '--images');
    expect(said).toBe(`said: sha256:2 is in no registry: the file says what to do\n${PULLED}`);
    expect(await readFile(path.join(bin, 'asked'), 'utf8')).toBe('pull -- reg/x@sha256:1\n');
    await writeFile(path.join(bin, 'red'), '');
    await expect(run('main--shop', '--images')).rejects.toThrow('pulling reg/x@sha256:1 failed');
  });
});
