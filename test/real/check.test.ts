/** `treehouse check`: what a person, a program and CI are told of a working tree, by the real Compose. */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { composeCommands, findPlugin } from '../../src/adapters/compose.ts';
import type { CheckReport, RepositoryRules } from '../../src/check/check.ts';
import { checkCommand } from '../../src/check/command.ts';

let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-check-test-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function tree(files: Readonly<Record<string, string>>): Promise<string> {
  count += 1;
  const root = path.join(folder, `tree-${count}`);
  await mkdir(root);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    await writeFile(path.join(root, name), content);
  }
  return root;
}

interface Said {
  readonly out: string;
  readonly code: number;
}

async function check(root: string, ...args: string[]): Promise<Said> {
  const said: string[] = [];
  let code = 0;
  const program = new Command('treehouse').exitOverride();
  checkCommand(program, {
    resolve: (one) => path.resolve(one),
    compose: async (work) =>
      work(
        composeCommands({
          home: path.join(folder, 'home'),
          path: process.env.PATH ?? '',
          dockerHost: undefined,
          compose: await findPlugin('docker-compose', process.env.HOME ?? '/nonexistent'),
          buildx: '',
        }),
      ),
    rules: (name): RepositoryRules & { readonly warnings: readonly string[] } => {
      if (name !== 'acme/shop') throw new Error(`no ${name}`);
      return { images: { registries: ['ghcr.io'], pin: 'off' }, warnings: ['`paths` is not\u202e applied'] };
    },
    templates: path.join(import.meta.dirname, '../../templates'),
    colours: false,
    print: (one) => said.push(one),
    exit: (given) => {
      code = given;
    },
  });
  await program.parseAsync(['check', root, ...args], { from: 'user' });
  return { out: said.join('\n'), code };
}

async function report(root: string): Promise<CheckReport & { readonly code: number }> {
  const { out, code } = await check(root, '--json');
  return { ...(JSON.parse(out) as CheckReport), code };
}

describe('treehouse check', () => {
  it('says what of the repository’s entry cannot be kept, which refuses nothing', async () => {
    const root = await tree({
      'compose.yaml': 'services:\n  web:\n    image: ghcr.io/acme/web:1\n    expose: ["80"]\n',
    });
    const { out, code } = await check(root, '--repo', 'acme/shop');
    expect(out.split('\n')[0]).toBe('! `paths` is not applied');
    expect(code).toBe(0);
    const { out: json } = await check(root, '--repo', 'acme/shop', '--json');
    expect(JSON.parse(json)).toMatchObject({ accepted: true, warnings: [expect.stringContaining('`paths` is not')] });
  });

  it('accepts what would be built, and says what would run, what is changed and what is drawn in', async () => {
    const root = await tree({
      'compose.yaml':
        'services:\n  web:\n    build: .\n    ports: ["80:3000"]\n  db:\n    image: redis:7\n  test:\n    build: .\n    command: ["true"]\n',
      Dockerfile: 'FROM node:20-slim\n',
    });
    expect(await report(root)).toEqual({
      path: root,
      accepted: true,
      verdict: 'accepted',
      model: expect.objectContaining({ networks: { default: { name: 'th-check-default', external: true } } }),
      refusals: [],
      changes: [
        {
          path: 'services.web.ports',
          message: 'not published on the host: the preview is reached by its own host name',
        },
      ],
      services: [
        { name: 'db', from: 'redis:7', role: 'app' },
        { name: 'web', from: 'built from .', role: 'app' },
        { name: 'test', from: 'built from .', role: 'test' },
      ],
      exposed: [{ service: 'web', port: 3000 }],
      seeds: [],
      idle: null,
      images: ['node:20-slim', 'redis:7'],
      code: 0,
    });
    expect((await check(root)).out).toBe(
      `~ services.web.ports
    not published on the host: the preview is reached by its own host name
✔ db  redis:7
✔ web  built from ., open to visitors (port 3000)
✔ test  built from ., the test

a push of this would be built: 3 services, 1 change`,
    );
  });

  it('refuses with file, line and rule, all at once', async () => {
    const root = await tree({
      'compose.yaml': `services:
  web:
    image: nginx
    privileged: true
    volumes:
      - data:/data
      - /etc:/x
    networks: [back]
  my.db:
    image: redis
    "pid": host
networks:
  back:
    external: true
volumes:
  data:
    driver_opts: {type: none, o: bind, device: /}
`,
      'compose.override.yaml': `services:
  web:
    cap_add:
      - SYS_ADMIN
`,
    });
    const { refusals, verdict, code } = await report(root);
    expect([verdict, code]).toEqual(['refused', 1]);
    const where = refusals.map(({ at, path: of, rule }) => `${at?.file}:${at?.line} ${of} ${rule}`);
    expect(where.sort()).toEqual([
      'compose.override.yaml:3 services.web.cap_add cap_add',
      'compose.yaml:11 services.my.db.pid pid',
      'compose.yaml:14 networks.back.external external',
      'compose.yaml:17 volumes.data.driver_opts driver_opts',
      'compose.yaml:4 services.web.privileged privileged',
      'compose.yaml:7 services.web.volumes[1] bind',
    ]);
    const { out } = await check(root);
    expect(out).toContain('✘ compose.yaml:4  services.web.privileged\n    it loosens');
    expect(out).toContain('a push of this would be refused: 6 reasons');
  });

  it('shows the containers that would be made', async () => {
    const root = await tree({ 'compose.yaml': 'services: {web: {image: nginx, ports: ["80:80"], init: false}}\n' });
    const { model } = await report(root);
    const { services } = model as { services: Record<string, object> };
    expect(Object.keys(services)).toEqual(['web']);
    expect(services.web).toMatchObject({
      image: 'nginx',
      init: false,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true', expect.stringMatching(/^seccomp:.*seccomp\.json$/)],
      mem_limit: expect.stringMatching(/^\d+$/),
      pids_limit: 256,
    });
    expect(services.web).not.toHaveProperty('ports');
  });

  it('judges the compose file that is named', async () => {
    const root = await tree({
      'compose.yaml': 'services: {web: {image: nginx}}',
      'other.yml': 'services: {web: {image: nginx, pid: host}}',
    });
    expect((await report(root)).code).toBe(0);
    expect(await report(path.join(root, 'other.yml'))).toMatchObject({
      code: 1,
      refusals: [{ path: 'services.web.pid', at: { file: 'other.yml', line: 1 } }],
    });
  });

  it.each([
    [
      'a steering key of a .env',
      { 'compose.yaml': 'services: {web: {image: nginx}}', '.env': 'LD_PRELOAD=/x\n' },
      '.env: LD_PRELOAD',
    ],
    [
      'a Dockerfile',
      { 'compose.yaml': 'services: {web: {build: .}}', Dockerfile: '# syntax=evil/front\nFROM a\n' },
      'Dockerfile:1',
    ],
    ['a Dockerfile alone', { Dockerfile: 'FROM a\nRUN --network=host id\n' }, 'Dockerfile:2'],
  ])('refuses %s', async (_what, files, at) => {
    const { accepted, verdict, refusals, model, code } = await report(await tree(files));
    expect([accepted, verdict, model, code]).toEqual([false, 'refused', null, 1]);
    expect(refusals.map((one) => one.path)).toContain(at);
  });

  it.each([
    ['YAML that is none', { 'compose.yaml': 'services: [\n' }, 'compose.yaml'],
    ['what Compose cannot read', { 'compose.yaml': 'services: {web: {image: 5, ports: {}}}\n' }, '.'],
    ['nothing to run', { 'README.md': '' }, '.'],
  ])('does not come to a judgement of %s', async (_what, files, at) => {
    const { accepted, verdict, refusals, code } = await report(await tree(files));
    expect([accepted, verdict, code]).toEqual([false, 'unreadable', 2]);
    expect(refusals.map((one) => one.path)).toEqual([at]);
  });

  it.each([
    ['dockerfile', { Dockerfile: 'FROM node:20-slim\nEXPOSE 80\n' }],
    ['static', { 'public/index.html': 'hello' }],
    ['node', { 'package.json': '{"scripts":{"start":"node ."}}' }],
  ])('takes a tree without a compose file for a %s project, and writes nothing into it', async (template, files) => {
    const root = await tree(files);
    expect(await report(root)).toMatchObject({ verdict: 'accepted', template, path: root });
    expect((await readdir(root)).sort()).toEqual(Object.keys(files).map((one) => one.split('/')[0]));
  });

  it('names what is no folder', async () => {
    await expect(check(path.join(folder, 'nope'))).rejects.toMatchObject({ code: 'bad-config' });
  });
});

/** As CI runs it: a process of its own. */
describe('the command', () => {
  interface Run {
    readonly out: string;
    readonly code: number;
    /** The most memory that it and its children had at once, in MB. */
    readonly megabytes: number;
  }

  async function command(root: string): Promise<Run> {
    const child = spawn(process.execPath, ['dist/cli.js', 'check', '--json', root], { timeout: 30_000 });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    let code: number | null | undefined;
    child.on('close', (given) => {
      code = given;
    });
    let megabytes = 0;
    for (let look = 0; code === undefined && look < 10_000; look++) {
      megabytes = Math.max(megabytes, await memoryOf(child.pid ?? 0));
      await delay(5);
    }
    return { out, code: code ?? -1, megabytes };
  }

  const many = Array.from({ length: 500 }, (_, index) => `  s${index}:\n    image: nginx\n    privileged: true\n`);
  const bomb = Array.from({ length: 12 }, (_, i) => `x-${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(',')}]`);
  it.each([
    ['500 services', `services:\n${many.join('')}`],
    ['a YAML bomb', `x-0: &a0 [lol]\n${bomb.join('\n')}\nservices: {web: {image: nginx, labels: *a12}}\n`],
    ['deep nesting', `services: {web: {image: nginx, x-a: ${'['.repeat(20_000)}${']'.repeat(20_000)}}}\n`],
  ])('answers to %s in little memory', async (_what, text) => {
    const { out, code, megabytes } = await command(await tree({ 'compose.yaml': text }));
    expect([1, 2]).toContain(code);
    expect(JSON.parse(out)).toMatchObject({ accepted: false });
    expect(megabytes).toBeGreaterThan(20);
    expect(megabytes).toBeLessThan(200);
  });
});

/** Of a process and its children, resident. */
async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const own = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => ''))
    .split(' ')
    .filter(Boolean);
  const all = await Promise.all(children.map((one) => memoryOf(Number(one))));
  return all.reduce((sum, one) => sum + one, own);
}
