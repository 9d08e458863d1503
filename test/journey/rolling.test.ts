/** Receiver and workers are replaced one after the other under load: no delivery, no build and no visit is lost. */
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { previewBranch, previewId, repositoryName, repositorySlug } from '../../src/domain/names.ts';
import { type Installation, type Running, startInstallation } from '../support/processes.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { signed } from '../support/signed.ts';
import { plainDockerfile } from '../support/stacks.ts';
import { freePorts, pushPayload, until } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/rolling${process.pid}`;
const ADMIN = 'treehouse.example.test';
const PER_SECOND = 50;
const idOf = (branch: string) => previewId(repositorySlug(repositoryName(repository)), previewBranch(branch));

let folder: string;
let repo: TestRepo;
let house: Installation;
let serve: Running;
let workers: Running[];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  repo = await makeRepo(folder, plainDockerfile('zero'));
  house = await startInstallation({ [repository]: repo.remote }, { TREEHOUSE_ADMIN_HOST: ADMIN });
  const [, serving, ...working] = await Promise.all(
    (['gateway', 'serve', 'worker', 'worker'] as const).map((kind) => house.start(kind)),
  );
  if (serving) serve = serving;
  workers = working;
});
afterAll(async () => {
  await house?.stop();
  await rm(folder, { recursive: true, force: true });
});

it('loses nothing of 50 deliveries a second and of visits that never pause', async () => {
  await until('the gateway is there', async () => (await ask('GET', '/healthz', ADMIN).catch(() => undefined)) === 200);
  const main = `${idOf('main')}.${house.domain}`;
  expect(await pushed('main')).toBe(202);
  await until('main serves', async () => (await ask('GET', '/', main)) === 200);

  const over = new AbortController();
  const visits = Array.from({ length: 4 }, () => loadOf(main, over.signal));
  const deliveries: Promise<number>[] = [];
  const delivering = (async () => {
    for (let at = 0; !over.signal.aborted && at < 200 * PER_SECOND; at += 1) {
      deliveries.push(pushed('main').catch(() => 0));
      await delay(1_000 / PER_SECOND);
    }
  })();

  const branches = ['before', 'between', 'after'];
  await change('before');
  const [port] = await freePorts(1);
  const newServe = await house.start('serve', { TREEHOUSE_PORT: String(port) });
  expect(await serve.end()).toBe(0);
  serve = newServe;
  await change('between');
  for (const old of workers) {
    await house.start('worker');
    expect(await old.end()).toBe(0);
  }
  await change('after');
  for (const branch of branches) {
    const host = `${idOf(branch)}.${house.domain}`;
    await until(`${branch} serves`, async () => (await ask('GET', '/', host)) === 200);
  }
  over.abort();
  await delivering;
  const answers = await Promise.all(deliveries);
  const seen = (await Promise.all(visits)).flat();
  if (process.env.TEST_FIGURES) console.log(answers.length, 'deliveries,', seen.length, 'visits');
  expect(answers.filter((one) => one !== 202)).toEqual([]);
  expect(seen.filter((one) => one !== 200)).toEqual([]);
  expect(answers.length).toBeGreaterThan(100);
});

/** Commits to a new branch, pushes it, and says so. */
async function change(branch: string): Promise<void> {
  await repo.branch(branch, 'main');
  await repo.commit(plainDockerfile(branch));
  await repo.push({ branch });
  expect(await pushed(branch)).toBe(202);
}

/** A delivery by the gateway, as GitHub's come. */
function pushed(branch: string): Promise<number> {
  const { body, headers } = signed('push', pushPayload(repository, branch));
  return ask('POST', '/webhooks/github', ADMIN, { body: String(body), headers });
}

/** One client with one connection. @returns the status of each answer, 0 where there was none */
async function loadOf(host: string, signal: AbortSignal): Promise<readonly number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const seen: number[] = [];
  while (!signal.aborted) {
    seen.push(await ask('GET', '/', host, { agent }).catch(() => 0));
    await delay(5);
  }
  agent.destroy();
  return seen;
}

function ask(
  method: string,
  where: string,
  host: string,
  more: {
    readonly body?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly agent?: Agent;
  } = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const { body, headers = {}, agent = false } = more;
    const asked = request(
      { host: '127.0.0.1', port: house.gatewayPort, method, path: where, agent, headers: { ...headers, host } },
      (answer) => {
        answer.resume();
        answer.once('end', () => resolve(answer.statusCode ?? 0));
        answer.once('error', reject);
      },
    );
    asked.once('error', reject);
    asked.end(body);
  });
}
