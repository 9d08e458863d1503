/** Who Treehouse is on GitHub, as the environment says it. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { messageOf } from '../../src/errors.ts';
import { gitHost } from '../../src/github/settings.ts';
import { appKeys } from '../support/github/state.ts';

const cwd = mkdtempSync(path.join(tmpdir(), 'treehouse-github-'));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const { privateKey } = appKeys();
const read = (env: Record<string, string>) => readConfig({ env, cwd }).github;

describe('who Treehouse is on GitHub', () => {
  it('is nobody where nothing says who', () => {
    expect(read({})).toBeUndefined();
    expect(
      read({ GITHUB_TOKEN: '', GITHUB_APP_ID: '', GITHUB_API_URL: 'https://git.example.com/api/v3' }),
    ).toBeUndefined();
  });

  it('is a token', () => {
    expect(read({ GITHUB_TOKEN: 'github_pat_1' })).toEqual({
      apiUrl: 'https://api.github.com',
      credentials: { token: 'github_pat_1' },
    });
  });

  it('is an App, whose key is given as it is, in one line or in a file', () => {
    const app = { GITHUB_APP_ID: '4711', GITHUB_API_URL: 'https://git.example.com/api/v3/' };
    const file = path.join(cwd, 'app.pem');
    writeFileSync(file, privateKey);
    const settings = { apiUrl: 'https://git.example.com/api/v3', credentials: { appId: '4711', privateKey } };
    expect(read({ ...app, GITHUB_PRIVATE_KEY: privateKey })).toEqual(settings);
    expect(read({ ...app, GITHUB_PRIVATE_KEY: privateKey.replaceAll('\n', '\\n') })).toEqual(settings);
    const ofFile = read({ ...app, GITHUB_PRIVATE_KEY_FILE: file });
    expect(ofFile).toEqual({ ...settings, credentials: { appId: '4711', privateKey: privateKey.trim() } });
    expect(read({ ...app, GITHUB_APP_ID: 'Iv23abcDEF', GITHUB_PRIVATE_KEY: privateKey })).toBeDefined();
  });

  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
  it.each<[string, Record<string, string>, string]>([
    [
      'an id without a key',
      { GITHUB_APP_ID: '4711' },
      "GITHUB_PRIVATE_KEY: the App's private key is missing (or GITHUB_PRIVATE_KEY_FILE)",
    ],
    ['a key without an id', { GITHUB_PRIVATE_KEY: privateKey }, 'GITHUB_APP_ID: the id of the App is missing'],
    [
      'a token beside an App',
      { GITHUB_TOKEN: 'github_pat_1', GITHUB_APP_ID: '1', GITHUB_PRIVATE_KEY: privateKey },
      'GITHUB_TOKEN: a token and an App are given',
    ],
    ['a token with a line after it', { GITHUB_TOKEN: 'github_pat_1\nX: y' }, 'GITHUB_TOKEN: there are blanks in it'],
    [
      'a key that is none',
      { GITHUB_APP_ID: '1', GITHUB_PRIVATE_KEY: 'hunter2' },
      "GITHUB_PRIVATE_KEY: it is not the App's private key",
    ],
    [
      'a key of another kind',
      { GITHUB_APP_ID: '1', GITHUB_PRIVATE_KEY: String(ec) },
      "GITHUB_PRIVATE_KEY: it is not the App's private key",
    ],
    [
      'a name for an id',
      { GITHUB_APP_ID: 'treehouse', GITHUB_PRIVATE_KEY: privateKey },
      "GITHUB_APP_ID: it is the App's id",
    ],
    [
      'a file that is not there',
      { GITHUB_APP_ID: '1', GITHUB_PRIVATE_KEY_FILE: '/nonexistent/key' },
      'GITHUB_PRIVATE_KEY_FILE: ENOENT',
    ],
    [
      'an open line',
      { GITHUB_TOKEN: 'github_pat_1', GITHUB_API_URL: 'http://git.example.com/api/v3' },
      'GITHUB_API_URL: it is https://api.github.com, or',
    ],
    [
      'a password in the address',
      { GITHUB_API_URL: 'https://a:hunter2@git.example.com' },
      'GITHUB_API_URL: it is https://api.github.com, or',
    ],
  ])('is not %s', (_, env, fault) => {
    let said = '';
    try {
      read(env);
    } catch (error) {
      said = messageOf(error);
    }
    expect(said).toContain(fault);
    for (const secret of ['hunter2', 'github_pat_1', 'MII']) expect(said).not.toContain(secret);
  });

  it('may be asked on this machine by http', () => {
    const settings = read({ GITHUB_TOKEN: 't', GITHUB_API_URL: 'http://127.0.0.1:8443/api/v3' });
    expect(settings?.apiUrl).toBe('http://127.0.0.1:8443/api/v3');
  });

  it.each([
    ['https://api.github.com', 'github.com'],
    ['https://api.acme.ghe.com', 'acme.ghe.com'],
    ['https://git.example.com:8443/api/v3', 'git.example.com:8443'],
    ['https://api.example.com/api/v3', 'api.example.com'],
  ])('has git beside %s at %s', (apiUrl, host) => {
    expect(gitHost(apiUrl)).toBe(host);
  });
});
