import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { VARIABLES } from '../../src/config/schema.ts';
import { readConfig } from '../../src/config.ts';

const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
const example = read('.env.example');
const named = new Map(
  [...example.matchAll(/^#?([A-Z][A-Z0-9_]+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]),
);

/** Those that the environment alone says. */
const SECRETS = [...read('src/config.ts').matchAll(/secret\(env, '([A-Z_]+)'/g)].map(([, name = '']) => name);
const OTHERS = [
  'TREEHOUSE_CONFIG',
  'TREEHOUSE_REPOS',
  'TREEHOUSE_VAULT_ROLE_ID',
  'TREEHOUSE_REGISTRY_USER',
  'GITHUB_APP_ID',
  'GITHUB_API_URL',
];

/** Of another gateway than the rest of the file is for, or of a file that is not here. */
const UNTAKEN = new Set(['TREEHOUSE_GATEWAY', 'TREEHOUSE_CONFIG']);

describe('.env.example', () => {
  it('names every setting there is, once', () => {
    expect(SECRETS).toContain('GITHUB_PRIVATE_KEY');
    for (const one of [...Object.keys(VARIABLES), ...SECRETS, ...OTHERS])
      expect([one, named.has(one)]).toEqual([one, true]);
    expect(example.match(/^#?[A-Z][A-Z0-9_]+=/gm)).toHaveLength(named.size);
  });

  it('names nothing that nobody reads', () => {
    const ours = new Set([...Object.keys(VARIABLES), ...SECRETS, ...OTHERS]);
    const compose = read('docker-compose.yml');
    const inCompose = new Set([...compose.matchAll(/\$\{([A-Z_]+)/g)].map(([, name = '']) => name));
    const unread = [...named.keys()].filter(
      (one) => !ours.has(one) && !compose.includes(one) && one !== 'COMPOSE_PROFILES',
    );
    expect(unread).toEqual([]);
    const unnamed = [...inCompose].filter((one) => !named.has(one));
    expect(unnamed).toEqual([]);
  });

  it('says values that are taken', () => {
    const secrets = new Set(SECRETS);
    const env = Object.fromEntries(
      [...named].filter(([name, value]) => value !== '' && !secrets.has(name) && !UNTAKEN.has(name)),
    );
    const token = {
      TREEHOUSE_ADMIN_TOKEN: 'x'.repeat(20),
      TREEHOUSE_REGISTRY_PASSWORD: 'y',
      GITHUB_TOKEN: 'z',
      TREEHOUSE_VAULT_TOKEN: 'v',
    };
    expect(readConfig({ env: { ...env, ...token }, cwd: '/nonexistent' })).toMatchObject({
      engineHere: true,
      port: 4000,
    });
  });
});

describe('docker-compose.yml', () => {
  const { services, networks } = parse(read('docker-compose.yml'), { merge: true }) as {
    services: Record<string, Record<string, unknown>>;
    networks: Record<string, { internal?: boolean; name?: string }>;
  };
  const each = Object.entries(services);

  it.each(each)('gives %s nothing that it does not need', (name, one) => {
    expect(one).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      restart: 'unless-stopped',
    });
    expect(one.mem_limit).toBeDefined();
    expect(one.pids_limit).toEqual(expect.any(Number));
    expect(one.logging).toMatchObject({ options: { 'max-size': '10m' } });
    expect(one.privileged).toBeUndefined();
    if (!['walls', 'nginx-proxy'].includes(name)) {
      expect(one.user).toMatch(/^10001:/);
      expect(one.cap_add).toBeUndefined();
      expect(one.network_mode).toBeUndefined();
    }
  });

  it('gives the engine’s socket to the one that guards it', () => {
    const holders = each
      .filter(([, one]) => JSON.stringify(one.volumes ?? []).includes('docker.sock'))
      .map(([name]) => name);
    expect(holders).toEqual(['docker-socket-proxy']);
    expect(services.serve?.networks).toContain('reads');
    expect(services.serve?.networks).not.toContain('works');
    expect(services.worker?.networks).toContain('works');
    expect(services.worker?.networks).not.toContain('reads');
  });

  it('opens to the world the way to the gateway, and to this host’s loopback the rest', () => {
    const open = each.filter(([, one]) =>
      ((one.ports ?? []) as string[]).some((port) => !port.startsWith('127.0.0.1:')),
    );
    expect(open.map(([name]) => name)).toEqual(['entrance', 'nginx-proxy']);
    for (const inner of ['inside', 'redis', 'registry', 'reads', 'works']) expect(networks[inner]?.internal).toBe(true);
    // Those of previews begin so, and the gateway's way out is to stay the first.
    expect(networks.front?.name).toContain('TREEHOUSE_FRONT:-front.treehouse');
    expect('front.treehouse' < 'th-').toBe(true);
  });

  it('pins every base by the digest of its index', () => {
    const images = each.map(([, one]) => String(one.image)).filter((one) => !one.includes('TREEHOUSE_IMAGE'));
    const bases = [...read('Dockerfile').matchAll(/^ARG \w+_IMAGE=(.*)$/gm)].map(([, one = '']) => one);
    expect(bases).toHaveLength(2);
    for (const one of [...images, ...bases]) expect(one).toMatch(/@sha256:[0-9a-f]{64}\}?$/);
    expect(read('Dockerfile')).not.toMatch(/amd64_|x86_64|aarch64|linux-x64/);
  });
});
