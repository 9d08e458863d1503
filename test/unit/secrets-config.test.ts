/** Where Vault is, as the configuration says it. */
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';

const read = (env: Record<string, string>) => readConfig({ cwd: '/nonexistent', env }).vault;
const TREEHOUSE_VAULT_ADDR = 'https://vault.example.com:8200';

describe('the configuration of Vault', () => {
  it.each<[string, Record<string, string>, unknown]>([
    ['none', {}, undefined],
    ['a token', { TREEHOUSE_VAULT_ADDR, TREEHOUSE_VAULT_TOKEN: 't' }, { token: 't' }],
    [
      'an AppRole',
      { TREEHOUSE_VAULT_ADDR, TREEHOUSE_VAULT_ROLE_ID: 'r', TREEHOUSE_VAULT_SECRET_ID: 's' },
      { roleId: 'r', secretId: 's' },
    ],
    ['no login, as on a command line that needs none', { TREEHOUSE_VAULT_ADDR }, undefined],
  ])('may be %s', (_, env, login) => {
    expect(read(env)).toEqual('TREEHOUSE_VAULT_ADDR' in env ? { address: TREEHOUSE_VAULT_ADDR, login } : undefined);
  });

  it.each<[string, Record<string, string>]>([
    ['a login for Vault is given, and not where it is', { TREEHOUSE_VAULT_TOKEN: 't' }],
    ['half of an AppRole', { TREEHOUSE_VAULT_ADDR, TREEHOUSE_VAULT_ROLE_ID: 'r' }],
    [
      'a token and an AppRole',
      {
        TREEHOUSE_VAULT_ADDR,
        TREEHOUSE_VAULT_TOKEN: 't',
        TREEHOUSE_VAULT_ROLE_ID: 'r',
        TREEHOUSE_VAULT_SECRET_ID: 's',
      },
    ],
    ['it is https://host:port', { TREEHOUSE_VAULT_ADDR: 'vault:8200', TREEHOUSE_VAULT_TOKEN: 't' }],
    ['TREEHOUSE_VAULT_TOKEN_FILE', { TREEHOUSE_VAULT_ADDR, TREEHOUSE_VAULT_TOKEN_FILE: '/nonexistent/token' }],
  ])('is refused: %s', (message, env) => {
    expect(() => read(env)).toThrow(message);
  });
});
