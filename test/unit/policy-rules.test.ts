/** What an admin widens and tightens of policy for one repository, key by key. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import type { PolicyRules } from '../../src/domain/isolation.ts';
import { harden } from '../../src/policy/harden.ts';
import { faultsOf, NEVER_GIVEN, policyOf, WIDENABLE } from '../../src/policy/policy.ts';
import { TABLES } from '../../src/policy/table.ts';

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(path.join(tmpdir(), 'treehouse-rules-'));
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

/** As treehouse.yml gives them to a repository. */
function rules(said: object): PolicyRules | undefined {
  const file = path.join(cwd, 'treehouse.yml');
  writeFileSync(file, JSON.stringify({ repositories: { 'acme/shop': { url: '/srv/shop', ...said } } }));
  return readConfig({ env: {}, cwd, file }).repositories[0]?.policy;
}

async function judge(service: object, said: object = {}, more: object = {}) {
  const model = { services: { web: { image: 'nginx', expose: ['80'], ...service } }, ...more };
  const result = await harden('/nonexistent', model, policyOf(rules(said)));
  return {
    refused: result.kind === 'refused' ? result.refusals.map((one) => `${one.path}: ${one.message}`) : [],
    changed: (result.kind === 'refused' ? result : result.stack).changes.map((one) => `${one.path}: ${one.message}`),
    definition: result.kind === 'accepted' ? result.stack.services[0]?.definition : undefined,
  };
}

describe('policy:', () => {
  it('refuses a key that others may use, in the words of the admin', async () => {
    const said = { policy: { 'service.tty': 'refuse', 'network.internal': 'refuse' } };
    expect((await judge({ tty: true })).refused).toEqual([]);
    expect((await judge({ tty: true }, said, { networks: { n: { internal: true } } })).refused).toEqual([
      'networks.n.internal: the admin of this Treehouse refuses it for this repository; remove it',
      'services.web.tty: the admin of this Treehouse refuses it for this repository; remove it',
    ]);
  });

  it('drops a key, whether it is kept or read, and says so', async () => {
    const said = {
      policy: { 'service.working_dir': 'drop', 'service.restart': 'drop', 'service.environment': 'drop' },
    };
    const one = await judge({ working_dir: '/w', restart: 'always', environment: { A: '1' } }, said);
    expect(one.definition).not.toHaveProperty('working_dir');
    expect(one.definition).not.toHaveProperty('restart');
    expect(one.changed).toEqual([
      'services.web.working_dir: dropped: the admin of this Treehouse leaves it out',
      'services.web.restart: dropped: the admin of this Treehouse leaves it out',
      'services.web.environment: dropped: the admin of this Treehouse leaves it out',
    ]);
  });

  it.each([
    ['sysctls', { sysctls: { 'net.core.somaxconn': '1024' } }],
    ['devices', { devices: [{ source: '/dev/fuse', target: '/dev/fuse', permissions: 'rwm' }] }],
  ])('allows %s where the admin does, and nowhere else', async (key, service) => {
    expect((await judge(service)).refused).toEqual([expect.stringContaining(`services.web.${key}: `)]);
    const one = await judge(service, { policy: { [`service.${key}`]: 'allow' } });
    expect(one.refused).toEqual([]);
    expect(one.definition).toMatchObject(service);
  });

  it('leaves a key that is read to its reader where the admin allows it', async () => {
    const one = await judge({ ports: [{ target: 80, published: '80' }] }, { policy: { 'service.ports': 'allow' } });
    expect(one.changed).toEqual([
      'services.web.ports: not published on the host: the preview is reached by its own host name',
    ]);
  });

  it('allows nothing else of what is refused: previews would not be kept apart', () => {
    const refusedKeys = Object.entries(TABLES).flatMap(([section, table]) =>
      [...table].flatMap(([key, row]) => (row.verdict === 'refuse' ? [`${section}.${key}`] : [])),
    );
    expect(refusedKeys.length).toBeGreaterThan(30);
    for (const key of refusedKeys) {
      const faults = faultsOf({ keys: { [key]: 'allow' }, capabilities: [] });
      expect(faults.length, key).toBe(WIDENABLE.includes(key) ? 0 : 1);
      expect(faultsOf({ keys: { [key]: 'refuse' }, capabilities: [] })).toEqual([]);
    }
  });
});

describe('capabilities:', () => {
  it('gives those that are named, with CAP_ or without', async () => {
    expect((await judge({ cap_add: ['SYS_PTRACE'] })).refused).toEqual([
      'services.web.cap_add: the capability SYS_PTRACE is not given',
    ]);
    const one = await judge({ cap_add: ['SYS_PTRACE', 'CHOWN'] }, { capabilities: ['CAP_SYS_PTRACE'] });
    expect(one.definition).toMatchObject({ cap_add: ['SYS_PTRACE', 'CHOWN'] });
  });

  it('never gives those with which a container is the host', () => {
    for (const one of NEVER_GIVEN) expect(() => rules({ capabilities: [one] }), one).toThrow(`${one} is never given`);
  });
});

describe('limits:', () => {
  it('are the most, and what a service gets that asks for less or nothing', async () => {
    const wide = { limits: { memory: '8g', cpus: 6, pids: 4096, shm: '1g' } };
    const big = { mem_limit: String(6 * 2 ** 30), cpus: 5, pids_limit: 3000, shm_size: String(2 ** 29) };
    expect((await judge(big)).changed.length).toBe(4);
    expect(await judge(big, wide)).toMatchObject({
      changed: [],
      definition: { mem_limit: String(6 * 2 ** 30), cpus: 5, pids_limit: 3000, shm_size: String(2 ** 29) },
    });
    expect((await judge({}, wide)).definition).toEqual((await judge({})).definition);
    const narrow = { limits: { memory: '256m', cpus: 0.5, readOnly: true } };
    expect((await judge({}, narrow)).definition).toMatchObject({
      mem_limit: String(256 * 2 ** 20),
      cpus: 0.5,
      read_only: true,
    });
  });
});

describe('a fault in them', () => {
  it.each([
    [{ policy: { 'service.privileged': 'allow' } }, 'service.privileged: it cannot be allowed'],
    [{ policy: { 'service.colour': 'drop' } }, 'service.colour: docs/policy.md has no such key'],
    [{ policy: { tty: 'drop' } }, 'tty: docs/policy.md has no such key; it is written as service.tty'],
    [{ policy: { '__proto__.tty': 'drop' } }, '__proto__.tty: docs/policy.md has no such key'],
    [{ policy: { 'service.tty': 'keep' } }, 'repositories.acme/shop.policy.service.tty'],
    [{ limits: { memory: 'lots' } }, 'repositories.acme/shop.limits.memory: it is a size such as 512m or 2g'],
    [{ limits: { memory: '1k' } }, 'it is at least 4m'],
    [{ limits: { disk: '1g' } }, 'repositories.acme/shop.limits.disk: there is no such setting'],
    [{ capabilities: ['sys_ptrace'] }, 'it is a name such as SYS_PTRACE'],
  ])('is told at the start: %j', (said, words) => {
    expect(() => rules(said)).toThrow(words);
  });
});

describe('x-treehouse.idle', () => {
  async function idle(said: unknown, admin?: number) {
    const model = { services: { web: { image: 'nginx', expose: ['80'] } }, 'x-treehouse': { idle: said } };
    const result = await harden('/nonexistent', model, policyOf(undefined, admin));
    if (result.kind === 'refused') return result.refusals.map((one) => `${one.path}: ${one.message}`);
    return [result.stack.idle, ...result.stack.changes.map((one) => `${one.path}: ${one.message}`)];
  }
  const MINUTE = 60_000;

  it.each([
    ['30m', undefined, [30 * MINUTE]],
    ['1h30m', 120 * MINUTE, [90 * MINUTE]],
    ['1d', undefined, [1440 * MINUTE]],
    [null, 30 * MINUTE, [undefined]],
    ['off', undefined, [undefined]],
    [false, undefined, [undefined]],
    [
      '2h',
      30 * MINUTE,
      [
        120 * MINUTE,
        'x-treehouse.idle: 30m instead of 2h: a file may say a shorter time than its admin, not a longer one',
      ],
    ],
    ['off', 30 * MINUTE, [undefined, "x-treehouse.idle: it sleeps after 30m: that is the admin's to switch off"]],
  ])('%j, where the admin says %s', async (said, admin, expected) => {
    expect(await idle(said, admin)).toEqual(expected);
  });

  it.each(['soon', '', '10ms', 30, true, ['30m'], '-5m'])('%j is refused', async (said) => {
    expect(await idle(said)).toEqual([
      `x-treehouse.idle: it is a time of at least a second, such as 30m, or off; ${JSON.stringify(said)} is not`,
    ]);
  });
});
