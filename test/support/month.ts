/** A Treehouse in a process of its own, whose time of day is ours, and the people who push to its one repository. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { sweep as sweepEngine } from '../../bench/engine.ts';
import { ready, SECRET, startServer, stop, TOKEN } from '../../bench/server.ts';
import { connectEngine } from '../../src/adapters/engine.ts';
import { LABEL } from '../../src/domain/labels.ts';
import { branchName, type PreviewId, previewId, repositoryName, repositorySlug } from '../../src/domain/names.ts';
import { createClient } from '../../src/web/client.ts';
import type { Measured } from './footprint.ts';
import { makeRepo } from './repo.ts';
import { deliver, signed } from './signed.ts';
import { freePorts, visit } from './treehouse.ts';

export interface Month {
  readonly measured: Measured;
  /** Pushes a commit of its own to each branch, which begins with it, and tells of it; resolves when all are served. */
  push(branches: readonly string[]): Promise<void>;
  /** Visits each until it serves the branch's newest commit, waking it if need be. */
  visit(branches: readonly string[]): Promise<void>;
  /** Merges every other one's pull request, deletes all, and resolves when the previews are removed. */
  remove(branches: readonly string[]): Promise<void>;
  /** Lets so much time of day pass for Treehouse. */
  pass(ms: number): Promise<void>;
  /** Previews that it remembers, also removed ones. */
  known(): Promise<readonly PreviewId[]>;
  /** Waits until all of them are in the state. */
  state(branches: readonly string[], wanted: string): Promise<void>;
  /** Sweeps until there is nothing to do. */
  settle(): Promise<void>;
  /** Ends Treehouse; what it made stays. */
  end(): Promise<void>;
  /** Ends it if it runs, and takes all of it away. */
  clear(): Promise<void>;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DOMAIN = 'preview.localhost';
/** Bounds every wait; generous, since the machine is shared. */
const PATIENCE_MS = 180_000;
const LOOK_EVERY_MS = 150;
/** Of real time; previews sleep soon, and a day of faked time is far more. */
const IDLE = '8s';

/** Two services, one built and one with a volume; both end at once when told to. */
const STACK = {
  'compose.yaml': `services:
  web:
    build: .
    init: true
    ports: ["80"]
    depends_on: [store]
  store:
    image: busybox
    init: true
    command: ["sleep", "1000000"]
    volumes: ["data:/data"]
volumes:
  data:
`,
  Dockerfile: `FROM busybox
COPY index.html /www/
EXPOSE 80
CMD ["httpd", "-f", "-p", "80", "-h", "/www"]
`,
  'index.html': 'nothing yet',
};

export async function startMonth(): Promise<Month> {
  await promisify(execFile)('bash', [path.join(ROOT, 'setup', 'build')]);
  const folder = await mkdtemp(path.join(tmpdir(), 'treehouse-month-'));
  const [home, temporary] = [path.join(folder, 'home'), path.join(folder, 'tmp')];
  for (const one of [home, temporary]) await mkdir(one);
  // The workers of its nginx go through them, as other users.
  for (const one of [folder, temporary]) await chmod(one, 0o711);
  const name = `acme/month${process.pid}`;
  const repo = await makeRepo(path.join(folder, 'repository'), STACK);
  const [config, clock, log] = ['treehouse.yml', 'clock', 'treehouse.log'].map((one) => path.join(folder, one)) as [
    string,
    string,
    string,
  ];
  await writeFile(
    config,
    JSON.stringify({
      repositories: { [name]: { url: repo.remote, branches: ['*', '!main'], previews: { idle: IDLE } } },
    }),
  );
  await writeFile(clock, '0');
  const [port = 0, gatewayPort = 0] = await freePorts(2);
  const child = await startServer({
    ...{ root: ROOT, config, log, home, port, gatewayPort },
    env: {
      NODE_OPTIONS: `--import=${path.join(ROOT, 'chaos', 'clock.mjs')}`,
      CHAOS_CLOCK: clock,
      TMPDIR: temporary,
      TREEHOUSE_DOMAIN: DOMAIN,
      TREEHOUSE_SWEEP_GRACE: '1',
      TREEHOUSE_DISK_EVERY: '10',
      TREEHOUSE_DISK_GRACE: '5',
    },
  });
  const url = `http://127.0.0.1:${port}`;
  await ready(`${url}/`, child, log);
  const client = createClient({ url, token: TOKEN });
  const idOf = (branch: string): PreviewId => previewId(repositorySlug(repositoryName(name)), branchName(branch));
  const texts = new Map<string, string>();
  const heads = new Map<string, string>();
  let offset = 0;
  let pushes = 0;

  async function tell(event: string, payload: Record<string, unknown>): Promise<void> {
    const { status } = await deliver(url, signed(event, { ...payload, repository: { full_name: name } }, SECRET));
    if (status !== 202) throw new Error(`a delivery of ${event} was answered with ${status}`);
  }

  function tellOfPush(branch: string, after: string | undefined): Promise<void> {
    const none = '0'.repeat(40);
    const kind = { created: false, deleted: after === undefined, forced: false };
    return tell('push', { ref: `refs/heads/${branch}`, before: none, after: after ?? none, ...kind });
  }

  /** Every other branch has one. */
  async function tellOfPullRequest(branch: string, action: 'opened' | 'closed'): Promise<void> {
    const number = [...texts.keys()].indexOf(branch);
    if (number % 2 === 0) return;
    await tell('pull_request', {
      action,
      number,
      pull_request: {
        number,
        state: action === 'closed' ? 'closed' : 'open',
        merged: action === 'closed',
        updated_at: new Date(Date.now() + offset).toISOString(),
        head: { ref: branch, sha: heads.get(branch), repo: { full_name: name } },
      },
    });
  }

  async function states(): Promise<ReadonlyMap<PreviewId, string>> {
    return new Map((await client.previews()).map((one) => [one.id, one.state]));
  }

  async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const began = performance.now();
    while (!(await holds())) {
      if (performance.now() - began > PATIENCE_MS) {
        throw new Error(`gave up waiting until ${what}: ${JSON.stringify([...(await states())])}`);
      }
      await delay(LOOK_EVERY_MS);
    }
  }

  const serves = async (branch: string): Promise<void> =>
    until(`${branch} serves ${texts.get(branch)}`, async () => {
      const headers = { host: `${idOf(branch)}.${DOMAIN}` };
      const answer = await visit(gatewayPort, { path: '/', headers });
      return answer.status === 200 && answer.body === texts.get(branch);
    });

  const month: Month = {
    measured: {
      ...{ home, temporary, pid: child.pid ?? 0 },
      mirror: path.join(home, 'mirrors', `${name.replace('/', '__')}.git`),
    },
    async push(branches) {
      const born = branches.filter((branch) => !texts.has(branch));
      for (const branch of branches) {
        pushes += 1;
        await repo.branch(branch, 'main');
        texts.set(branch, `${branch} ${pushes}`);
        heads.set(branch, await repo.commit({ 'index.html': `${branch} ${pushes}` }));
      }
      const refs = branches.map((branch) => `refs/heads/${branch}`);
      await repo.git('push', '--quiet', 'origin', ...refs);
      await Promise.all(branches.map((branch) => tellOfPush(branch, heads.get(branch))));
      await Promise.all(born.map((branch) => tellOfPullRequest(branch, 'opened')));
      await month.visit(branches);
    },
    visit: async (branches) => void (await Promise.all(branches.map(serves))),
    async remove(branches) {
      await Promise.all(branches.map((branch) => tellOfPullRequest(branch, 'closed')));
      await repo.git('push', '--quiet', 'origin', ...branches.map((branch) => `:refs/heads/${branch}`));
      await Promise.all(branches.map((branch) => tellOfPush(branch, undefined)));
      await until(`${branches.join(', ')} are removed`, async () => {
        const now = await states();
        return branches.every((branch) => !now.has(idOf(branch)));
      });
      await repo.branch('main');
      await repo.git('branch', '--quiet', '-D', ...branches);
    },
    async pass(ms) {
      offset += ms;
      await writeFile(clock, String(offset));
      child.kill('SIGUSR2');
    },
    async known() {
      const headers = { authorization: `Bearer ${TOKEN}` };
      const answer = await fetch(`${url}/api/v1/previews?all=true&limit=1000`, { headers });
      return ((await answer.json()) as { previews: { id: PreviewId }[] }).previews.map((one) => one.id);
    },
    state: (branches, wanted) =>
      until(`${branches.join(', ')} are ${wanted}`, async () => {
        const now = await states();
        return branches.every((branch) => now.get(idOf(branch)) === wanted);
      }),
    settle: () =>
      until('a sweep finds nothing to do', async () => (await client.sweep({ dryRun: false })).lines.length === 0),
    end: () => stop(child),
    async clear() {
      await stop(child);
      const instance = `${LABEL.repository}=${name}`;
      await sweepEngine(connectEngine(process.env.DOCKER_HOST), instance);
      await rm(folder, { recursive: true, force: true });
    },
  };
  return month;
}
