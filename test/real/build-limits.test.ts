/** Build steps have limits of memory, processes and CPU: tried in real steps, and in folders that look like a kernel's. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, totalmem } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { boundBuilds, boundedBuilder, groupsOf } from '../../src/adapters/build-limits.ts';
import { connectEngine } from '../../src/adapters/engine.ts';
import { engineBuilder } from '../../src/adapters/engine-build.ts';
import { readConfig } from '../../src/config.ts';
import { LABEL } from '../../src/domain/labels.ts';
import { type Court, openCourt } from '../support/judge.ts';

const RUN = `bounded-${randomBytes(4).toString('hex')}`;
const docker = connectEngine(undefined);
const usual = readConfig({ env: {}, cwd: '/nonexistent' }).buildLimits;
let court: Court;
beforeAll(async () => {
  court = await openCourt();
});
afterEach(async () => {
  await boundBuilds(await groupsOf(docker), usual);
});
afterAll(async () => {
  const filters = JSON.stringify({ label: [`${LABEL.instance}=${RUN}`] });
  for (const one of await docker.listImages({ filters })) await docker.getImage(one.Id).remove({ force: true });
  await court?.close();
});

async function build(step: string): Promise<string> {
  const root = await court.layOut({
    Dockerfile: `FROM busybox\nRUN echo ${randomBytes(8).toString('hex')}; ${step}\n`,
  });
  const limits = { memory: 64 * 2 ** 20, cpus: 0.5, pids: 40 };
  const faults: string[] = [];
  const builder = boundedBuilder(docker, engineBuilder(docker, court.commands), limits, (one) => faults.push(one));
  const lines: string[] = [];
  const target = {
    service: 'web',
    reference: `${RUN}/web:1`,
    build: { context: '', args: {}, contexts: {}, noNetwork: false },
    labels: { [LABEL.instance]: RUN },
  };
  const { signal } = new AbortController();
  const said = builder.build({ root, targets: [target], onLine: (line) => lines.push(line), signal });
  const end = await said.then(
    () => 'built',
    (error: Error) => error.message,
  );
  expect(faults).toEqual([]);
  return [end, ...lines].join('\n');
}

// Another run on the same engine may set its own limits in between.
describe('a build step', { retry: 3 }, () => {
  it('that takes memory without end is ended, and the host has what it had', async () => {
    expect(await build('tail /dev/zero')).toMatch(/^.*(?:exit code: 137|Killed|cannot allocate)/s);
  });

  it('that begins processes without end gets no more', async () => {
    const said = await build('for i in $(seq 200); do sleep 3 & done; wait');
    expect(said).toMatch(/can't fork|Resource temporarily unavailable|exit code: 2/);
  });

  it('sees its share of the CPU', async () => {
    const file = '/sys/fs/cgroup/cpu/docker/buildkit/cpu.cfs_quota_us';
    const unified = '/sys/fs/cgroup/docker/buildkit/cpu.max';
    expect(await build('true')).toMatch(/^built/);
    const quota = await readFile(file, 'utf8').catch(() => readFile(unified, 'utf8'));
    expect(quota.trim().split(' ')[0]).toBe('50000');
  });
});

describe('the limits', () => {
  let mount: string;
  beforeEach(async () => {
    mount = await mkdtemp(path.join(tmpdir(), 'treehouse-cgroup-'));
  });
  afterEach(() => rm(mount, { recursive: true, force: true }));
  // Not in whole pages, of which the kernel makes memory: who may only read it is to find it as it should be.
  const limits = { memory: 2 ** 30 + 2_048, cpus: 1.5, pids: 100 };

  it('are half of the memory and all cores, unless an admin says so', () => {
    expect(usual.memory).toBe(Math.floor(totalmem() / 2));
    const env = { TREEHOUSE_BUILD_MEMORY: '3g', TREEHOUSE_BUILD_CPUS: '1.5' };
    expect(readConfig({ env, cwd: '/nonexistent' }).buildLimits).toMatchObject({ memory: 3 * 2 ** 30, cpus: 1.5 });
  });

  it('are set where there is one tree of control groups', async () => {
    const folder = path.join(mount, 'docker/buildkit');
    await mkdir(folder, { recursive: true });
    for (const above of [mount, path.dirname(folder)]) await writeFile(path.join(above, 'cgroup.subtree_control'), '');
    for (const name of ['memory.max', 'memory.swap.max', 'cpu.max', 'pids.max'])
      await writeFile(path.join(folder, name), 'max\n');
    expect(await boundBuilds({ driver: 'cgroupfs', version: '2' }, limits, mount)).toBeUndefined();
    const set = ['memory.max', 'memory.swap.max', 'cpu.max', 'pids.max'].map((name) =>
      readFile(path.join(folder, name), 'utf8'),
    );
    expect(await Promise.all(set)).toEqual(['1073741824', '0', '150000 100000', '100']);
  });

  it('that cannot be set say why', async () => {
    expect(await boundBuilds({ driver: 'systemd', version: '2' }, limits, mount)).toContain(
      'the engine leaves control groups to systemd',
    );
    expect(await boundBuilds({ driver: 'cgroupfs', version: '1' }, limits, mount)).toContain('ENOENT');
  });
});
