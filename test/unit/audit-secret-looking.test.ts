/** What looks like a secret, and that its value is never said. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { historySecrets, secretArguments, secretLook, secretNames } from '../../src/audit/secret-looking.ts';

const HEX = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';

describe('a variable', () => {
  it.each([
    ['PASSWORD', 'x', 'name'],
    ['DB_PASSWORD', 'hunter2', 'name'],
    ['PGPASSWORD', 'postgres', 'name'],
    ['dbPassword', 'x', 'name'],
    ['REDIS_PASS', 'x', 'name'],
    ['DB_PWD', 'x', 'name'],
    ['API_KEY', 'x', 'name'],
    ['APIKEY', 'x', 'name'],
    ['STRIPE_SECRET_KEY', 'x', 'name'],
    ['SECRET_KEY_BASE', 'x', 'name'],
    ['JWT_SECRET', 'x', 'name'],
    ['AUTH_TOKEN', 'x', 'name'],
    ['TOKEN_2', 'x', 'name'],
    ['AWS_CREDENTIALS', 'x', 'name'],
    ['RAILS_MASTER_KEY', 'x', 'name'],
    ['DATABASE_URL', 'postgres://ada:hunter2@db/shop', 'a URL with a password'],
    ['REDIS', 'redis://:hunter2@redis:6379', 'a URL with a password'],
    ['CI', `ghp_${'a1B2'.repeat(9)}`, 'a token of GitHub'],
    ['ID', 'AKIAIOSFODNN7EXAMPLE', 'a key of AWS'],
    ['X', '-----BEGIN RSA PRIVATE KEY-----\nMIIE', 'a private key'],
    ['X', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc', 'a JSON web token'],
    ['SALT', HEX, 'as random as a key'],
    ['COOKIE', 'zX8kQ2pLw9VbN4rT7yHs3GdJ6fCm1A', 'as random as a key'],
  ])('%s=%s looks like one', (name, value, why) => expect(secretLook(name, value)).toContain(why));

  it.each([
    ['PASSWORD', ''],
    ['POSTGRES_PASSWORD_FILE', '/run/secrets/db'],
    ['PASSWORD', '/run/secrets/db'],
    ['ALLOW_EMPTY_PASSWORD', 'yes'],
    ['PASSWORD_MIN_LENGTH', '12'],
    ['TOKEN_TTL', '3600'],
    ['SECRET_NAME', 'shop'],
    ['PUBLIC_KEY', 'abc'],
    ['GPG_KEY', 'A035C8C19219BA821ECEA86B64E628F8D684696D'],
    ['PYTHON_SHA256', HEX],
    ['GIT_COMMIT', 'c0ffee'.repeat(7)],
    ['TREEHOUSE_COMMIT', 'c0ffee'.repeat(7)],
    ['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin'],
    ['PWD', '/app'],
    ['NODE_VERSION', '20.11.1'],
    ['KEYBOARD', 'us'],
    ['COMPASS', 'north'],
    ['AUTHOR', 'Ada'],
    ['BYPASS_CACHE', 'x'],
    ['URL', 'https://example.com:8080/a@b'],
    ['GREETING', 'Hello from the neighbourhood, friend'],
    ['BUILD_ID', '550e8400-e29b-41d4-a716-446655440000'],
    ['VAULT', 'vault:secret/db#password'],
  ])('%s=%s does not', (name, value) => expect(secretLook(name, value)).toBeUndefined());

  it('of the image is not told of the container again', () => {
    const names = secretNames(
      ['TOKEN=of-image', 'KEY=own', 'TOKEN_2=changed'],
      new Set(['TOKEN=of-image', 'TOKEN_2=x']),
    );
    expect(names.map((one) => one.name)).toEqual(['KEY', 'TOKEN_2']);
  });

  it('is told by its name alone, whatever the value is, in one clean line', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.base64String({ minLength: 12 }), (name, text) => {
        const value = `~${text}~`;
        const said = JSON.stringify(secretNames([`${name}_PASSWORD=${value}`, `${name}\u001b[31m=${value}`]));
        if (!name.includes(value)) expect(said).not.toContain(text);
        expect(said).not.toContain('\\u001b');
      }),
    );
  });
});

it.each([
  [['redis-server', '--requirepass', 'hunter2'], []],
  [['app', '--password=hunter2', '--port=80'], ['password']],
  [['app', '--api-key', 'abc'], ['api-key']],
  [['env', 'DB_PASSWORD=x', 'app'], ['DB_PASSWORD']],
  [['app', '--token', '--verbose'], []],
  [['app', '--password-file=/run/secrets/x'], []],
])('of the command %j: %j', (words, names) => expect(secretArguments(words)).toEqual(names));

it.each([
  ['ENV API_TOKEN=abc123', ['API_TOKEN']],
  ['|1 NPM_TOKEN=abc /bin/sh -c npm ci', ['NPM_TOKEN']],
  ['/bin/sh -c #(nop)  ENV PASSWORD=x', ['PASSWORD']],
  ["RUN /bin/sh -c PASSWORD='a b' setup # buildkit", ['PASSWORD']],
  ['RUN /bin/sh -c curl --token=abc https://x', ['token']],
  ['ARG NPM_TOKEN', []],
  ['RUN /bin/sh -c npm_token=$NPM_TOKEN npm ci', []],
  ['RUN /bin/sh -c key=\'B97B0AFCAA1A47F044F244A07FCC7D46ACCC4CF8\'; gpg --recv-keys "$key"', []],
  [`ENV PYTHON_SHA256=${HEX}`, []],
])('of the history %j: %j', (line, names) => {
  expect(historySecrets([line]).map((one) => one.name)).toEqual(names);
});
