/** A private repository of a GitHub Enterprise server, read by what the App is given there; nothing of that is left anywhere. */
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  basic,
  doorFor,
  type GitServer,
  makeCertificate,
  pathOfBeliever,
  startGitServer,
} from '../support/git-server.ts';
import { type FakeGitHub, startGitHub } from '../support/github/github.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { placesOf } from '../support/search-secrets.ts';
import { plainDockerfile } from '../support/stacks.ts';
import { serves, startWorld, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const name = `acme/private${process.pid}`;
const ADMIN = 'the admin token of this journey';

let folder: string;
let repo: TestRepo;
let github: FakeGitHub;
let gitServer: GitServer;
let front: Server;
let world: World;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-private-'));
  const certificate = await makeCertificate(path.join(folder, 'tls'));
  repo = await makeRepo(path.join(folder, 'root'), plainDockerfile('main'));
  github = await startGitHub({ prefix: '/api/v3' });
  gitServer = await startGitServer(path.join(folder, 'root'), certificate, '127.0.0.1');
  gitServer.door = (request, response) => {
    const tokens = github.secrets().map((password) => basic({ username: 'x-access-token', password }));
    return doorFor(...tokens)(request, response);
  };
  const { apiUrl, credentials } = github.asApp([github.repository(name)]);
  if (!('appId' in credentials)) throw new Error('it is no App');
  front = await oneDoor({ plain: Number(new URL(apiUrl).port), tls: Number(gitServer.host.split(':')[1]) });
  const host = `127.0.0.1:${(front.address() as AddressInfo).port}`;
  world = await startWorld({
    repositories: { [name]: `https://${host}/remote.git` },
    env: {
      PATH: await pathOfBeliever(folder, certificate),
      TREEHOUSE_ADMIN_TOKEN: ADMIN,
      GITHUB_API_URL: `http://${host}/api/v3`,
      GITHUB_APP_ID: credentials.appId,
      GITHUB_PRIVATE_KEY: credentials.privateKey.replaceAll('\n', '\\n'),
    },
  });
});
afterAll(async () => {
  await world?.stop();
  front?.close();
  await gitServer?.stop();
  await github?.close();
  await rm(folder, { recursive: true, force: true });
});

/** As an Enterprise server has it: git and the API are at one address. Which one is meant, the first byte tells. */
async function oneDoor(to: { readonly plain: number; readonly tls: number }): Promise<Server> {
  const server = createServer((client) => {
    client.on('error', () => {});
    client.once('data', (first) => {
      const upstream = connect(first[0] === 0x16 ? to.tls : to.plain, '127.0.0.1');
      upstream.on('error', () => client.destroy());
      upstream.write(first);
      client.pipe(upstream).pipe(client);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

it('a private repository is previewed by the token of the App’s installation', async () => {
  await repo.branch('topic', 'main');
  const head = await repo.commit(plainDockerfile('for us alone.'));
  await repo.push();
  await world.pushed(name, 'topic', { after: head });
  await serves(world, world.idOf(name, 'topic'), 'for us alone.');
  expect(gitServer.heard.filter((one) => one.startsWith('Basic '))).not.toEqual([]);
});

it('neither the token nor the key is in a process, in git’s configuration, in a file, the log, an event or the API', async () => {
  // What was given out besides the key.
  const secrets = github.secrets();
  expect(secrets.length).toBeGreaterThan(1);
  const token = secrets.find((one) => gitServer.heard.includes(basic({ username: 'x-access-token', password: one })));
  expect(token).toBeDefined();
  expect(await placesOf(secrets, world, ADMIN)).toEqual([]);
  // It is one that finds.
  const found = await placesOf([world.idOf(name, 'topic')], world, ADMIN);
  expect(found).toEqual(expect.arrayContaining(['log', 'events', 'api/v1/previews?all=true']));
});
