/** Private repositories over https with a real git: what reads them reaches the host that asks, and is nowhere else. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { lstat, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createGit } from '../../src/adapters/git.ts';
import type { CredentialsAsked, ForgeCredentials } from '../../src/domain/forge.ts';
import { branchName, repositoryName } from '../../src/domain/names.ts';
import type { Repository } from '../../src/domain/ports.ts';
import { TreehouseError } from '../../src/errors.ts';
import { createLogger } from '../../src/log.ts';
import { failureOf } from '../support/failure.ts';
import {
  basic,
  type Certificate,
  doorFor,
  type GitServer,
  makeCertificate,
  pathOfBeliever,
  startGitServer,
} from '../support/git-server.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';

const main = branchName('main');
const never = new AbortController().signal;
let folder: string;
let certificate: Certificate;
let searchPath: string;
let repo: TestRepo;
let server: GitServer;
let other: GitServer;
let count = 0;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-credentials-'));
  certificate = await makeCertificate(path.join(folder, 'tls'));
  searchPath = await pathOfBeliever(folder, certificate);
  repo = await makeRepo(path.join(folder, 'root'));
  server = await startGitServer(path.join(folder, 'root'), certificate);
  other = await startGitServer(path.join(folder, 'root'), certificate, '127.0.0.1');
});
afterAll(async () => {
  await server.stop();
  await other.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  for (const one of [server, other]) {
    one.heard.length = 0;
    one.door = () => true;
  }
});

function token(): ForgeCredentials {
  return { username: 'x-access-token', password: `ghs_${randomBytes(18).toString('hex')}` };
}

/** A git whose forge gives these, one after the other, and nothing after them. */
function world(given: readonly ForgeCredentials[], url = server.url('remote.git')) {
  const home = path.join(folder, `home${++count}`);
  const asked: CredentialsAsked[] = [];
  const left = [...given];
  const forge = {
    host: server.host,
    credentials: async (_name: string, how: CredentialsAsked) => {
      asked.push(how);
      return left.shift();
    },
  };
  const repository: Repository = { name: repositoryName('acme/shop'), slug: 'shop', url, branches: ['*'] };
  const git = createGit({ home, searchPath, checkoutSize: 2 ** 30, forge });
  return { git, repository, home, asked };
}

/** Pipes that are still there. */
async function pipesIn(home: string): Promise<string[]> {
  const names = await readdir(path.join(home, 'mirrors', '.askpass')).catch(() => []);
  return names.filter((name) => name !== 'askpass');
}

it('fetches, lists and checks out what only credentials open', async () => {
  const secret = token();
  server.door = doorFor(basic(secret));
  const { git, repository, home, asked } = world(Array.from({ length: 5 }, () => secret));
  expect(await git.head(repository, main, never)).toBe(await repo.head());
  expect(asked).toEqual([{ signal: expect.anything() }]);
  const checkout = path.join(home, 'builds', 'one');
  await git.checkout(repository, await repo.head(), checkout, never);
  expect(await readFile(path.join(checkout, 'README.md'), 'utf8')).toBe('hello\n');
  const next = await repo.commit({ a: 'a' });
  await repo.push();
  expect(await git.head(repository, main, never)).toBe(next);
  expect(await git.branches(repository, never)).toEqual(new Map([[main, next]]));
  expect(await git.head(repository, branchName('nope'), never)).toBeUndefined();
  expect(await pipesIn(home)).toEqual([]);
});

it('knows the host also in other letters', async () => {
  const secret = token();
  server.door = doorFor(basic(secret));
  const { git, repository } = world([secret], server.url('remote.git').replace('localhost', 'LocalHost'));
  expect((await git.branches(repository, never)).get(main)).toBe(await repo.head());
});

it('asks for none where the remote does not', async () => {
  const { git, repository, asked } = world([token()]);
  expect(await git.head(repository, main, never)).toBe(await repo.head());
  expect(asked).toEqual([]);
  expect(new Set(server.heard)).toEqual(new Set(['']));
});

it('asks anew, once, for what is not taken any more', async () => {
  const [old, fresh] = [token(), token()];
  server.door = doorFor(basic(fresh));
  const { git, repository, asked } = world([old, fresh]);
  expect((await git.branches(repository, never)).get(main)).toBe(await repo.head());
  expect(asked.map((one) => one.refused)).toEqual([undefined, old]);
});

it('says what to see to where new ones are not taken either, and tries again later', async () => {
  const [one, two, good] = [token(), token(), token()];
  server.door = doorFor(basic(good));
  const { git, repository, asked, home } = world([one, two, good]);
  const error = await failureOf(git.head(repository, main, never));
  expect(error).toMatchObject({ code: 'git-failed', kind: 'transient' });
  expect(error.message).toBe(
    `fetching acme/shop (branch main) failed: ${server.host} refuses the token for it, and the one that was asked for anew: see whether GITHUB_TOKEN has ended, or the App was uninstalled or its key withdrawn`,
  );
  expect(asked).toHaveLength(2);
  expect(await pipesIn(home)).toEqual([]);
  expect(await git.head(repository, main, never)).toBe(await repo.head());
});

it.each<[string, number, string]>([
  ['may not read it', 403, 'knows the token, which may not read it: it needs the permission "Contents: read"'],
  ['does not see it', 404, 'shows no acme/shop to the token: see its name, and whether the App is installed for it'],
])('says what is missing where a token %s', async (_, status, words) => {
  const secret = token();
  const asks = doorFor(basic(secret));
  server.door = (request, response) => {
    if (asks(request, response)) response.writeHead(status, { 'content-type': 'text/plain' }).end('Not for you.\n');
    return false;
  };
  const { git, repository, asked } = world([secret]);
  const error = await failureOf(git.branches(repository, never));
  expect(error.message).toContain(`listing the branches of acme/shop failed: ${server.host} ${words}`);
  expect(asked).toHaveLength(1);
});

it('says the ways in where there is nothing to say', async () => {
  server.door = doorFor('nobody');
  const { git, repository } = world([]);
  const error = await failureOf(git.head(repository, main, never));
  expect(error.message).toContain(`${server.host} asks who reads it, and there is nothing to say`);
  expect(error.message).toContain('treehouse github init');
  // One for the fetch, and not another to see whether the branch is there.
  expect(server.heard).toEqual(['']);
});

it('tries again later where the forge gives none, whatever the reason', async () => {
  server.door = doorFor('nobody');
  const { repository, home } = world([]);
  const credentials = () => Promise.reject(new TreehouseError('forge-failed', 'the App is not installed for it'));
  const git = createGit({ home, searchPath, checkoutSize: 2 ** 30, forge: { host: server.host, credentials } });
  const error = await failureOf(git.head(repository, main, never));
  expect(error).toMatchObject({ code: 'forge-failed', kind: 'transient', message: 'the App is not installed for it' });
});

it('leaves other errors as they are', async () => {
  server.door = (_request, response) => {
    response.writeHead(502).end();
    return false;
  };
  const { git, repository, asked } = world([token()]);
  const error = await failureOf(git.branches(repository, never));
  expect(error.message).toContain('The requested URL returned error: 502');
  expect(asked).toEqual([]);
});

it('gives none to another host, nor in place of what a url says itself', async () => {
  other.door = doorFor('nobody');
  const foreign = world([token()], other.url('remote.git'));
  const error = await failureOf(foreign.git.branches(foreign.repository, never));
  expect(error.message).toContain(`${other.host} asks who reads it`);
  expect(foreign.asked).toEqual([]);
  server.door = doorFor('nobody');
  const own = world([token()], server.url('remote.git').replace('https://', 'https://ada:hidden@'));
  const refused = await failureOf(own.git.branches(own.repository, never));
  expect(refused.message).toContain(`${server.host} refuses the name and the password in its url`);
  expect(refused.message).not.toContain('hidden');
  expect(own.asked).toEqual([]);
});

it.each(['before', 'after'] as const)(
  'takes none along to another host, where it is sent on %s it has said who it is',
  async (when) => {
    const secret = token();
    const asks = doorFor(basic(secret));
    other.door = doorFor(basic(secret));
    server.door = (request, response) => {
      if (when === 'before' || asks(request, response)) {
        response.writeHead(302, { location: `https://${other.host}${request.url}` }).end();
      }
      return false;
    };
    const { git, repository } = world([secret, secret]);
    const error = await failureOf(git.branches(repository, never));
    expect(error.code).toBe('git-failed');
    if (when === 'before') expect(error.message).toContain(`${server.host} sends us on to ${other.host}`);
    expect(new Set(other.heard)).toEqual(new Set(['']));
  },
);

it('is nowhere to be found while git runs, nor afterwards', async () => {
  const secret = token();
  const { git, repository, home } = world([secret, secret, secret]);
  server.door = doorFor(basic(secret));
  await git.branches(repository, never);
  await repo.commit({ b: 'b' });
  await repo.push();
  const forms = [secret.password, basic(secret).slice('Basic '.length)];
  const asks = doorFor(basic(secret));
  let moments = 0;
  // Before git has read what it was given, and while it fetches by it.
  for (const held of [(said: string) => said === '', (said: string) => said !== '']) {
    const over = new AbortController();
    const reached = new Promise<void>((resolve) => {
      server.door = (request, response) => {
        const said = request.headers.authorization ?? '';
        if (held(said) && (said === '' || request.method === 'POST')) {
          resolve();
          return false;
        }
        return asks(request, response);
      };
    });
    const fetching = git.head(repository, main, over.signal);
    const failed = failureOf(fetching);
    await reached;
    const seen = await everythingSeen(home);
    expect(seen).toContain('TREEHOUSE_GIT_PIPE=');
    expect(seen).toContain('git-remote-https');
    for (const form of forms) expect(seen).not.toContain(form);
    over.abort();
    expect((await failed).code).toBe('stopped');
    expect(await pipesIn(home)).toEqual([]);
    moments += 1;
  }
  expect(moments).toBe(2);
  const after = await everythingSeen(home);
  for (const form of forms) expect(after).not.toContain(form);
});

it('is in no error and no log, though the server says what it was told', async () => {
  const [one, two] = [token(), token()];
  server.door = doorFor('nobody');
  const { git, repository } = world([one, two]);
  const lines: string[] = [];
  const log = createLogger({ level: 'trace', destination: { write: (line) => void lines.push(line) } });
  const error = await failureOf(git.head(repository, main, never));
  log.error({ err: error }, 'it failed');
  let said = `${lines.join('')}${error.message}${error.stack}`;
  for (let cause: unknown = error.cause; cause instanceof Error; cause = cause.cause) {
    said += `${cause.message}${cause.stack}${JSON.stringify(Object.entries(cause))}`;
  }
  // That the server's words are in it at all.
  expect(said).toContain('You said: Basic …');
  for (const { password } of [one, two]) expect(said).not.toContain(password);
  for (const secret of [one, two]) expect(said).not.toContain(basic(secret).slice('Basic '.length));
});

it('is refused where it is no line of text, and not shown', async () => {
  server.door = doorFor('nobody');
  const { git, repository } = world([{ username: 'x', password: 'two\nlines' }]);
  const error = await failureOf(git.branches(repository, never));
  expect(error.message).toContain('the credentials for git are no line of text');
  expect(error.message).not.toContain('two');
});

/** Arguments and variables of every process, every file of the home, and git's own configuration. */
async function everythingSeen(home: string): Promise<string> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const processes = pids.flatMap((pid) =>
    ['cmdline', 'environ'].map((what) => readFile(`/proc/${pid}/${what}`, 'latin1').catch(() => '')),
  );
  const files = (await readdir(home, { recursive: true })).map(async (name) => {
    const file = path.join(home, name);
    return (await lstat(file)).isFile() ? `${name}\n${await readFile(file, 'latin1')}` : name;
  });
  const mirror = path.join(home, 'mirrors', 'acme__shop.git');
  const env = { PATH: process.env.PATH, GIT_CONFIG_GLOBAL: mirror.replace(/\.git$/, '.gitconfig') };
  const config = execFileSync('git', ['--git-dir', mirror, 'config', '--list'], { env, encoding: 'utf8' });
  return [...(await Promise.all(processes)), ...(await Promise.all(files)), config].join('\n');
}
