/** The rules between previews and the host, in a network namespace of their own, by the real iptables. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { changeOf, iptablesFirewall } from '../../src/adapters/firewall.ts';
import { hasWalls } from '../../src/adapters/host-walls.ts';
import { holdWalls } from '../../src/walls.ts';
import { keptLog } from '../support/log.ts';

const run = promisify(execFile);
const NAMESPACE = `treehouse-${process.pid}`;
const SYSTEM = '/usr/sbin:/sbin:/usr/bin:/bin';
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-walls-'));
  await run('ip', ['netns', 'add', NAMESPACE]);
  for (const name of ['iptables-save', 'iptables-restore']) {
    const script = `#!/bin/sh\nPATH=${SYSTEM} exec ip netns exec ${NAMESPACE} ${name} "$@"\n`;
    await writeFile(path.join(folder, name), script, { mode: 0o755 });
  }
});
afterAll(async () => {
  await run('ip', ['netns', 'del', NAMESPACE]);
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  const ours = ['TREEHOUSE-INPUT', 'TREEHOUSE-FORWARD', 'TREEHOUSE-BUILD'];
  for (const chain of ['INPUT', 'DOCKER-USER', ...ours]) await iptables('-F', chain).catch(() => undefined);
  for (const chain of ours) await iptables('-X', chain).catch(() => undefined);
  for (const all of ['-F', '-X']) await iptables('-t', 'security', all);
  await iptables('-N', 'DOCKER-USER').catch(() => undefined);
});

async function iptables(...args: string[]): Promise<void> {
  await run('ip', ['netns', 'exec', NAMESPACE, 'iptables', '--wait', '5', ...args]);
}

/** Of all tables, without the time at which they were read. */
async function rules(): Promise<string> {
  const { stdout } = await run('ip', ['netns', 'exec', NAMESPACE, 'iptables-save']);
  return stdout.replaceAll(/^#.*\n/gm, '');
}
const walls = (egress: 'internet' | 'all' | 'none' = 'internet') =>
  iptablesFirewall({ searchPath: `${folder}:${SYSTEM}`, egress });

describe('the firewall', () => {
  it('is raised once, and left as it is from then on', async () => {
    expect(await walls().ensure()).toBe(true);
    const raised = await rules();
    expect(hasWalls(raised)).toBe(true);
    expect(raised).toMatch(/-A TREEHOUSE-FORWARD -d 169\.254\.0\.0\/16 -j REJECT/);
    expect(await walls().ensure()).toBe(false);
    expect(await rules()).toBe(raised);
  });

  it.each(['internet', 'all', 'none'] as const)('keeps builds from the host and its cloud: %s', async (egress) => {
    await walls(egress).ensure();
    const raised = await rules();
    expect(raised).toContain('-A INPUT -i docker0 -j TREEHOUSE-INPUT\n');
    expect(raised).toContain('-A DOCKER-USER -i docker0 -j TREEHOUSE-BUILD\n');
    expect(raised).toMatch(/-A TREEHOUSE-BUILD -d 169\.254\.0\.0\/16 -j REJECT/);
    expect(raised.includes('-A TREEHOUSE-BUILD -d 10.0.0.0/8 -j REJECT')).toBe(egress !== 'all');
    // It fetches its packages.
    expect(raised).toContain('-A TREEHOUSE-BUILD -j RETURN\n');
    expect(hasWalls(raised)).toBe(true);
  });

  it.each([
    ['a hook that is gone', ['-D', 'INPUT', '-i', 'th+', '-j', 'TREEHOUSE-INPUT']],
    ['a chain that is empty', ['-F', 'TREEHOUSE-FORWARD']],
    ['a rule that is gone', ['-D', 'TREEHOUSE-INPUT', '-j', 'DROP']],
    ['a rule that comes before', ['-I', 'DOCKER-USER', '-j', 'ACCEPT']],
    ['a rule of the chain that comes before', ['-I', 'TREEHOUSE-FORWARD', '-j', 'ACCEPT']],
    ['a hook of builds that is gone', ['-D', 'INPUT', '-i', 'docker0', '-j', 'TREEHOUSE-INPUT']],
    ['hooks in another order', ['-I', 'INPUT', '-i', 'docker0', '-j', 'TREEHOUSE-INPUT']],
    ['a hook that is there twice', ['-A', 'INPUT', '-i', 'th+', '-j', 'TREEHOUSE-INPUT']],
    ['all rules that are gone', ['-F']],
    [
      'a hook of the second table that is gone',
      ['-t', 'security', '-D', 'FORWARD', '-i', 'th+', '-j', 'TREEHOUSE-FORWARD'],
    ],
    ['a rule that comes before in the second table', ['-t', 'security', '-I', 'FORWARD', '-j', 'ACCEPT']],
    ['a chain of the second table that is empty', ['-t', 'security', '-F', 'TREEHOUSE-BUILD']],
    ['all rules of the second table that are gone', ['-t', 'security', '-F']],
  ])('puts right %s', async (_what, change) => {
    await walls().ensure();
    const ours = (text: string) =>
      text.split('\n').filter((line) => !/^-A (?:DOCKER-USER|FORWARD) -j ACCEPT$/.test(line));
    const before = ours(await rules());
    await iptables(...change);
    expect(await walls().ensure()).toBe(true);
    expect(ours(await rules())).toEqual(before);
    expect(await walls().ensure()).toBe(false);
  });

  it('tells what stays in one network from what goes to another, where the former passes it at all', async () => {
    const wanted = { table: 'security', egress: 'internet' } as const;
    const may = '-A TREEHOUSE-FORWARD -o th+ -m physdev --physdev-is-bridged -j RETURN\n';
    const mayNot = '-A TREEHOUSE-FORWARD -o th+ -j DROP\n';
    expect(changeOf('', { ...wanted, bridged: true })).toContain(may + mayNot);
    expect(changeOf('', { ...wanted, bridged: false })).not.toContain('physdev');
    expect(changeOf('', { ...wanted, bridged: false })).toContain(mayNot);
    await walls().ensure();
    // As iptables 1.8.7 and those before it say the same.
    const [filter = ''] = /^\*filter$[\s\S]*?^COMMIT$/m.exec(await rules()) ?? [];
    const older = filter.replace('-m physdev --', '-m physdev  --');
    const bridged = filter.includes('physdev');
    expect(changeOf(older, { table: 'filter', egress: 'internet', bridged })).toBeUndefined();
  });

  it('leaves what others have there', async () => {
    await iptables('-A', 'INPUT', '-p', 'tcp', '--dport', '22', '-j', 'ACCEPT');
    await walls().ensure();
    expect(await rules()).toContain('-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT');
  });

  it('is never down for a moment, whoever else raises theirs', async () => {
    await walls().ensure();
    let over = false;
    const raising = (async () => {
      for (let round = 0; round < 12; round++) {
        await Promise.all([walls('none').ensure(), walls('internet').ensure()]).catch(() => undefined);
        await iptables('-I', 'INPUT', '-p', 'icmp', '-j', 'RETURN');
      }
      over = true;
    })();
    const seen: string[] = [];
    for (let look = 0; !over && look < 2_000; look++) seen.push(await rules());
    await raising;
    expect(seen.length).toBeGreaterThan(20);
    // A rule of someone else's may come first for a moment; what is ours is whole.
    expect(seen.filter((one) => !hasWalls(one))).toEqual([]);
    expect(seen.filter((one) => !/^-A TREEHOUSE-FORWARD .*REJECT/m.test(one))).toEqual([]);
  });

  it('says what is missing where the host does not let it', async () => {
    const without = iptablesFirewall({ searchPath: '/nonexistent', egress: 'internet' });
    await expect(without.ensure()).rejects.toMatchObject({
      code: 'bad-config',
      message: expect.stringMatching(/^previews cannot be kept from the host by iptables .*TREEHOUSE_FIREWALL=off/),
    });
  });
});

describe('the walls', () => {
  it('are looked at before anything starts, and it is said that they were down', async () => {
    const { log, logged } = keptLog();
    const held = await holdWalls({ firewall: walls(), mode: 'on', log, everyMs: 3_600_000 });
    expect(held.state()).toBe('up');
    await iptables('-F');
    await held.stand();
    expect(hasWalls(await rules())).toBe(true);
    expect(logged).toMatchObject([{ msg: 'rules between previews and the host were gone or changed; they are back' }]);
    await held.stop();
  });

  it('are looked at from time to time', async () => {
    const held = await holdWalls({ firewall: walls(), mode: 'auto', log: keptLog().log, everyMs: 20 });
    await iptables('-F');
    await expect.poll(async () => hasWalls(await rules()), { timeout: 20_000 }).toBe(true);
    await held.stop();
  });

  it('that must be up and are not let nothing start; where they may be down it is said once', async () => {
    const broken = iptablesFirewall({ searchPath: '/nonexistent', egress: 'internet' });
    const { log, logged } = keptLog();
    await expect(holdWalls({ firewall: broken, mode: 'on', log, everyMs: 1_000 })).rejects.toMatchObject({
      code: 'bad-config',
    });
    const before = logged.length;
    const held = await holdWalls({ firewall: broken, mode: 'auto', log, everyMs: 3_600_000 });
    await held.stand();
    expect(held.state()).toMatch(/^down: previews cannot be kept/);
    expect(logged.length).toBe(before + 1);
    await held.stop();
  });

  it('that are off are left alone', async () => {
    const held = await holdWalls({ firewall: walls(), mode: 'off', log: keptLog().log, everyMs: 10 });
    await held.stand();
    await held.stop();
    expect(held.state()).toBe('off');
    expect(hasWalls(await rules())).toBe(false);
  });
});
