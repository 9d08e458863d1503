/** docs/policy.md says of every key what the code does. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { GRANTABLE_CAPABILITIES } from '../../src/domain/isolation.ts';
import {
  BUILD_KEYS,
  FILE_KEYS,
  HEALTH_KEYS,
  isSteering,
  NETWORK_KEYS,
  SERVICE_KEYS,
  TOP_KEYS,
  type Verdict,
  VOLUME_KEYS,
} from '../../src/policy/table.ts';

const page = readFileSync(new URL('../../docs/policy.md', import.meta.url), 'utf8');
const WORDS: Readonly<Record<Verdict['verdict'], string>> = {
  allow: 'kept',
  read: 'read',
  drop: 'dropped',
  skip: 'ignored',
  refuse: 'refused',
};

/** `key verdict`, of the table below a heading; for what is refused or dropped, with the words that a developer reads. */
function rowsOf(heading: string): string[] {
  const section = page.split(/^### /m).find((one) => one.startsWith(`${heading}\n`)) ?? '';
  return section.split('\n').flatMap((line) => {
    // A formatter may pad the cells.
    const [, key, verdict, why] = /^\| `(\w+)` +\| (\w+) +\| (.*?) *\|$/.exec(line) ?? [];
    if (key === undefined || why === undefined) return [];
    expect(why.length, `the reason for ${key}`).toBeGreaterThan(5);
    return [`${key} ${verdict}${verdict === 'refused' || verdict === 'dropped' ? `: ${why}` : ''}`];
  });
}

describe('docs/policy.md', () => {
  it.each([
    ['The file', TOP_KEYS],
    ['A service', SERVICE_KEYS],
    ['`build`', BUILD_KEYS],
    ['A health check', HEALTH_KEYS],
    ['A network', NETWORK_KEYS],
    ['A volume', VOLUME_KEYS],
    ['A config or secret', FILE_KEYS],
  ])('has every key of %s, as it is judged', (heading, table) => {
    const rows = [...table].map(
      ([key, row]) => `${key} ${WORDS[row.verdict]}${'message' in row ? `: “${row.message}”` : ''}`,
    );
    expect(rowsOf(heading)).toEqual(rows.sort((a, b) => ((a.split(' ')[0] ?? '') < (b.split(' ')[0] ?? '') ? -1 : 1)));
  });

  it('names the capabilities that are given', () => {
    expect(page).toContain(`(${[...GRANTABLE_CAPABILITIES].sort().join(', ')})`);
  });

  it('names keys of a .env that are refused', () => {
    const named = /is steered\s+\(([^)]+) …\)/.exec(page)?.[1]?.match(/\w+/g) ?? [];
    expect(named.length).toBeGreaterThan(3);
    for (const key of named) expect(isSteering(key), key).toBe(true);
  });
});

describe('a key of a .env', () => {
  it.each([
    'COMPOSE_FILE',
    'compose_path_separator',
    'COMPOSE_EXPERIMENTAL_GIT_REMOTE',
    'DOCKER_HOST',
    'DOCKER_CONFIG',
    'BUILDX_CONFIG',
    'GIT_SSH_COMMAND',
    'GIT_CONFIG_COUNT',
    'SSH_AUTH_SOCK',
    'LD_PRELOAD',
    'PATH',
    'HOME',
    'HTTPS_PROXY',
    'PYTHONPATH',
    'NODE_OPTIONS',
    'GODEBUG',
    'BASH_ENV',
  ])('steers: %s', (key) => expect(isSteering(key)).toBe(true));

  it.each([
    'COMPOSE_PROJECT_NAME',
    'DOCKER_BUILDKIT',
    'DOCKER_IMAGE',
    'GIT_SHA',
    'ENV',
    'NODE_ENV',
    'PYTHON_VERSION',
    'DATABASE_URL',
    'HOMEPAGE',
    'MY_PATH',
    'GOOGLE_KEY',
    'PORT',
  ])('only fills in: %s', (key) => expect(isSteering(key)).toBe(false));
});
