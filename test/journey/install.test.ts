/** The install page, run: from a bare host to a preview, backup and restore, upgrade and back, and nothing left at the end. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BareHost, bareHost } from '../support/bare-host.ts';
import { makeRepo } from '../support/repo.ts';
import { plainDockerfile } from '../support/stacks.ts';
import { docker, freePorts, until, visit } from '../support/treehouse.ts';

const run = promisify(execFile);
const project = fileURLToPath(new URL('../..', import.meta.url));
/** Commands of the page, by the heading that they stand under. */
const blocks = new Map<string, readonly string[]>();
for (const section of readFileSync(path.join(project, 'docs/install.md'), 'utf8').split(/^#{2,3} /m)) {
  const commands = [...section.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, text = '']) => text);
  if (commands.length > 0) blocks.set(section.split('\n', 1)[0] ?? '', commands);
}

const repository = `acme/install${process.pid}`;
let host: BareHost;
let ports: { readonly port: number; readonly gateway: number };
let source: string;
const ran = new Set<string>();

/** This checkout as it is, under the tags of two versions. */
async function snapshot(folder: string): Promise<string> {
  const lines = `mkdir "$1"; git ls-files -co --exclude-standard -z | xargs -0 cp -P --parents -t "$1" 2>&1; cd "$1"; git init -q
    git config user.name Ada; git config user.email ada@example.com; git add -A; git commit -qm first; git tag v0.1.0
    sed -i 's/"version": "0.1.0"/"version": "0.2.0"/' package.json; git commit -qam second; git tag v0.2.0`;
  await run('bash', ['-euc', lines, 'snapshot', folder], { cwd: project });
  return folder;
}

/** Runs what stands under a heading, with the test's own ports and source. */
async function follow(heading: string, at = 0): Promise<string> {
  const text = blocks.get(heading)?.[at];
  if (text === undefined) throw new Error(`the page has no commands under ${heading}`);
  ran.add(`${heading} ${at}`);
  return host.sh(text.replace('https://github.com/YOU/treehouse.git', source).replace(':4000/', `:${ports.port}/`));
}

async function treehouse(args: string, input?: string): Promise<string> {
  return host.sh(`TREEHOUSE_CONFIG=/etc/treehouse/treehouse.yml treehouse ${args}`, input);
}

const page = async () => visit(ports.gateway, { path: '/', headers: { host: 'main.preview.example.com' } });
const served = () =>
  until('the preview is served', async () => (await page().catch(() => undefined))?.body.includes('hello'));
const containers = async () => {
  const instance = (await host.sh('cat /var/lib/treehouse/instance')).trim();
  return docker('ps', '-q', '--filter', `label=treehouse.instance=${instance}`);
};

describe.runIf(process.getuid?.() === 0)('on a bare host', () => {
  beforeAll(async () => {
    host = await bareHost();
    const [port = 0, gateway = 0] = await freePorts(2);
    ports = { port, gateway };
    source = await snapshot(path.join(host.folder, 'source'));
  });
  afterAll(() => host?.close());

  it('leads from packages to a preview', async () => {
    const repo = await makeRepo(path.join(host.folder, 'repo'), plainDockerfile('hello'));
    await follow('Packages');
    await follow('Configuration');
    const yml = JSON.stringify({
      ...{ home: '/var/lib/treehouse', domain: 'preview.example.com', hostname: '{branch}', port: ports.port },
      ...{ gatewayPort: ports.gateway, repositories: { [repository]: { url: repo.remote } } },
    });
    await host.sh('cat >/etc/treehouse/treehouse.yml', yml);
    const said = await follow('First start');
    expect(said).toMatch(/0\.1\.0\+[0-9a-f]{12}$/m);
    expect((await follow('First start', 1)).trim().split('\n')).toEqual([
      expect.stringMatching(/^[0-9a-f]{64}$/),
      expect.stringMatching(/^[0-9a-f]{64}$/),
    ]);
    await served();
    expect(await treehouse('status')).toMatch(/^\s*main\s+live/m);
  });

  it('runs it with the rights that the unit leaves it, and no others', async () => {
    const unit = await readFile(path.join(project, 'templates/install/treehouse.service'), 'utf8');
    const names = /^CapabilityBoundingSet=(.*)$/m.exec(unit)?.[1]?.toLowerCase().split(' ').sort();
    const status = await readFile(`/proc/${await host.pid()}/status`, 'utf8');
    const bounds = /^CapBnd:\s+([0-9a-f]+)$/m.exec(status)?.[1] ?? '';
    const { stdout } = await run('capsh', [`--decode=${bounds}`]);
    expect(stdout.trim().split('=')[1]?.split(',').sort()).toEqual(names);
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
    const warnings = (await host.journal()).split('\n').filter((line) => /EROFS|EPERM|EACCES|read-only/i.test(line));
    expect(warnings).toEqual([]);
    expect(await host.journal()).not.toContain('previews can reach the host');
    expect((await host.sh('stat -c %a /var/lib/treehouse /run/treehouse-0')).split('\n').slice(0, 2)).toEqual([
      '700',
      '700',
    ]);
  });

  it('backs up what cannot be made again, and restores it', async () => {
    await treehouse(`secret set ${repository} TOKEN`, 'a value');
    const token = await host.sh('cat /var/lib/treehouse/admin-token');
    await follow('Backup');
    const names = (await host.sh('tar -tzf /var/backups/treehouse/state.tar.gz')).split('\n');
    expect(names).toEqual(expect.arrayContaining(['./admin-token', './instance', 'etc/treehouse/treehouse.yml']));
    for (const one of ['./secrets/key', './redis/', './mirrors/', './builds/']) expect(names).not.toContain(one);
    await host.sh('cd /var/lib/treehouse && rm -r admin-token webhook-secret secrets /etc/treehouse/treehouse.yml');
    await follow('Backup', 1);
    await served();
    expect(await host.sh('cat /var/lib/treehouse/admin-token')).toBe(token);
    expect(await treehouse(`secret list ${repository}`)).toContain('TOKEN');
  });

  it('upgrades while the previews run on, and goes back from a state that is too new', async () => {
    const before = await containers();
    expect(await follow('Upgrade')).toMatch(/^0\.2\.0/m);
    await served();
    expect(await containers()).toEqual(before);

    // What the newer one would have made of it.
    const word = 'c=/var/lib/treehouse/redis/redis.conf; at() { sed -n "s/^$1 //p" $c; };';
    await host.sh(
      `${word} redis-cli -p $(at port) -a $(at requirepass) HSET treehouse:version version 99 by 9.0.0 2>&1`,
    );
    await host.sh('systemctl stop treehouse; systemctl start treehouse');
    await until('it refuses', async () => (await host.pid()) === undefined);
    expect(await host.journal()).toContain('the state in Redis is of version 99, written by Treehouse 9.0.0');
    expect(await containers()).toEqual(before);

    expect(await follow('Back')).toMatch(/^0\.1\.0/m);
    await served();
    expect(await containers()).toEqual(before);
  });

  it('takes all of it away again', async () => {
    const instance = (await host.sh('cat /var/lib/treehouse/instance')).trim();
    await follow('Uninstall');
    const label = `label=treehouse.instance=${instance}`;
    for (const kind of [
      ['ps', '-aq'],
      ['network', 'ls', '-q'],
      ['images', '-q'],
    ]) {
      expect(await docker(...kind, '--filter', label)).toEqual([]);
    }
    expect(await host.sh('ls -d /opt/treehouse /etc/treehouse /var/lib/treehouse 2>/dev/null || true')).toBe('');
  });

  it('leaves no command of the page untried', () => {
    expect([...blocks].flatMap(([heading, all]) => all.map((_, at) => `${heading} ${at}`)).sort()).toEqual(
      [...ran].sort(),
    );
  });
});
