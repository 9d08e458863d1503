/** What containers take of the host is read, and what they are given holds: a real engine, kernel and logs. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectEngine } from '../../src/adapters/engine.ts';
import { hostShares } from '../../src/adapters/engine-shares.ts';
import { LABEL } from '../../src/domain/labels.ts';
import { allCores, coresOfHogs } from '../../src/domain/neighbours.ts';
import { docker } from '../support/treehouse.ts';

const instance = `shares-${randomBytes(4).toString('hex')}`;
const engine = connectEngine(undefined);
const containers: string[] = [];

beforeAll(async () => {
  await begin('spin', 'while :; do :; done');
  await begin('flood', "yes 'a line of a flood' | head -c 30000000; sleep 600");
});
afterAll(async () => {
  if (containers.length > 0) await docker('rm', '-f', ...containers);
});

async function begin(service: string, script: string): Promise<void> {
  const labels = {
    ...{ [LABEL.instance]: instance, [LABEL.preview]: 'main--shares', [LABEL.service]: service },
    ...{ [LABEL.build]: 'b1', [LABEL.cpus]: '0.5' },
  };
  const [id = ''] = await docker(
    ...['run', '-d', '--init', '--cpus', '0.5', '--log-opt', 'max-size=10m', '--log-opt', 'max-file=3'],
    ...Object.entries(labels).flatMap(([name, value]) => ['--label', `${name}=${value}`]),
    ...['busybox', 'sh', '-c', script],
  );
  containers.push(id);
}

async function given(index: number): Promise<{ cpus: number; weight: number; cores: string }> {
  const { HostConfig: host } = await engine.getContainer(containers[index] ?? '').inspect();
  return { cpus: (host.NanoCpus ?? 0) / 1e9, weight: host.CpuShares ?? 0, cores: host.CpusetCpus ?? '' };
}

it('reads what is used: the host, each container, and a log over its turns', async () => {
  const shares = await hostShares({ docker: engine, instance });
  expect(shares.cores).toBe(cpus().length);
  await shares.busy();
  const [before] = await shares.taken(true);
  await expect.poll(() => shares.busy(), { interval: 200, timeout: 10_000 }).toBeGreaterThan(0.05);
  await expect
    .poll(async () => (await shares.taken(false)).find((one) => one.service === 'spin')?.cpu, { timeout: 20_000 })
    .toBeGreaterThan((before?.cpu ?? 0) + 0.3);
  expect((await shares.taken(false)).map((one) => [one.preview, one.build, one.share])).toEqual([
    ['main--shares', 'b1', 'usual'],
    ['main--shares', 'b1', 'usual'],
  ]);

  // Written anew, so that its log is there to be read from the first byte on.
  const flood = engine.getContainer(containers[1] ?? '');
  await flood.restart({ t: 0 });
  await expect
    .poll(async () => (await shares.taken(true)).find((one) => one.service === 'flood')?.log, { timeout: 60_000 })
    .toBeGreaterThan(20_000_000);
});

it('sets apart, slows down and gives back, and the next Treehouse knows', async () => {
  const shares = await hostShares({ docker: engine, instance });
  await shares.taken(true);
  const id = containers[0] ?? '';
  const next = async () =>
    (await (await hostShares({ docker: engine, instance })).taken(true)).find((one) => one.container === id)?.share;

  await shares.give(id, 'apart');
  expect(await given(0)).toEqual({ cpus: 0.5, weight: 2, cores: coresOfHogs(shares.cores).list });
  expect(await next()).toBe('apart');
  const { State } = await engine.getContainer(id).inspect();
  expect(await readFile(`/proc/${State.Pid}/status`, 'utf8')).toMatch(
    new RegExp(`^Cpus_allowed_list:\\s+${coresOfHogs(shares.cores).list}$`, 'm'),
  );

  await shares.give(id, 'slow');
  expect(await given(0)).toEqual({ cpus: 0.01, weight: 2, cores: coresOfHogs(shares.cores).list });
  expect(await next()).toBe('slow');

  await shares.give(id, 'usual');
  expect(await given(0)).toEqual({ cpus: 0.5, weight: 1024, cores: allCores(shares.cores) });
  expect(await next()).toBe('usual');
});

it("leaves other Treehouses' containers alone, and those that are gone", async () => {
  const shares = await hostShares({ docker: engine, instance: `${instance}-another` });
  expect(await shares.taken(true)).toEqual([]);
  await shares.give(containers[0] ?? '', 'slow');
  expect((await given(0)).cpus).toBe(0.5);

  const mine = await hostShares({ docker: engine, instance });
  await mine.taken(true);
  await docker('rm', '-f', containers[1] ?? '');
  await mine.give(containers.pop() ?? '', 'slow');
  expect((await mine.taken(false)).map((one) => one.service)).toEqual(['spin']);
});

it('says where it looked when the kernel shows no counts', async () => {
  const shares = await hostShares({ docker: engine, instance, mount: '/nonexistent' });
  await shares.taken(true);
  await expect(shares.taken(false)).rejects.toThrow(/counts of containers are not at \/nonexistent\/.*: mount /);
});

it('does not take it for the kernel that all have ended', async () => {
  const mine = await hostShares({ docker: engine, instance });
  await mine.taken(true);
  await docker('rm', '-f', containers.pop() ?? '');
  expect(await mine.taken(false)).toEqual([]);
});
