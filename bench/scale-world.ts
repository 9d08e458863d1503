/** A Treehouse with as many previews of one tiny stack as are asked for. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { LABEL } from '../src/domain/labels.ts';
import { branchName, type PreviewId, previewId } from '../src/domain/names.ts';
import { freePort } from '../src/embedded/claim.ts';
import { type Client, createClient } from '../src/web/client.ts';
import { makeRepo } from '../test/support/repo.ts';
import type { Cleanup } from './cleanup.ts';
import { sweep } from './engine.ts';
import { cpuTime, ready, residentMemory, startServer, stop, TOKEN } from './server.ts';
import type { Target } from './visitor.ts';

export interface ScaleWorld {
  readonly client: Client;
  readonly home: string;
  /** The first ten previews, as a page of the list. */
  page(): Promise<void>;
  readonly ids: readonly PreviewId[];
  /** Brings previews up until there are `count`. */
  grow(count: number, signal: AbortSignal): Promise<void>;
  /** Puts all but the newest `awake` to sleep. */
  settle(awake: number, signal: AbortSignal): Promise<void>;
  sleep(id: PreviewId, signal: AbortSignal): Promise<void>;
  target(id: PreviewId): Target;
  /** Milliseconds of processor time that Treehouse and the programs that it ran took so far. */
  cpu(): Promise<number>;
  /** Bytes. */
  memory(): Promise<number>;
}

export interface ScaleParts {
  readonly docker: Docker;
  /** The project's folder. */
  readonly root: string;
  /** A scratch folder. */
  readonly folder: string;
  /** In every name that is given, so that several runs do not meet. */
  readonly tag: string;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

/**
 * One service with a health check, as quick as the engine lets one be while it starts. Later it is rare: a check is a process
 * that the engine starts, and fifty of them every few seconds would be all that is measured.
 */
const STACK = {
  'compose.yml': `services:
  web:
    build: .
    init: true
    ports: ["80"]
    healthcheck:
      test: ["CMD", "test", "-f", "/www/index.html"]
      interval: 120s
      start_interval: 100ms
      start_period: 30s
`,
  Dockerfile: `FROM busybox
COPY index.html /www/index.html
EXPOSE 80
CMD ["httpd", "-f", "-p", "80", "-h", "/www"]
`,
  'index.html': 'scale\n',
};
const LOOK_EVERY_MS = 250;
/** Hinted at once: as one person pushes, not as a thousand do. */
const BATCH = 10;

export async function openScaleWorld({ docker, root, folder, tag }: ScaleParts, cleanup: Cleanup): Promise<ScaleWorld> {
  const slug = `scale-${tag}`;
  const home = path.join(folder, 'home');
  await mkdir(home);
  const repo = await makeRepo(path.join(folder, 'repository'), STACK);
  const head = await repo.head();
  const [port, gatewayPort] = [await freePort(), await freePort()];
  const config = path.join(folder, 'treehouse.yml');
  const repository = `bench/${slug}`;
  // JSON is YAML.
  await writeFile(config, JSON.stringify({ repositories: { [repository]: { url: repo.remote, branches: ['n*'] } } }));
  cleanup.add(`the previews of ${slug}`, () => sweep(docker, `${LABEL.repository}=${repository}`));
  const log = path.join(folder, 'treehouse.log');
  const child = await startServer({ root, config, log, home, port, gatewayPort });
  cleanup.add('treehouse up', () => stop(child));
  const url = `http://127.0.0.1:${port}/`;
  await ready(url, child, log);
  const client = createClient({ url, token: TOKEN });
  const ids: PreviewId[] = [];

  async function states(signal: AbortSignal): Promise<ReadonlyMap<PreviewId, string>> {
    signal.throwIfAborted();
    const previews = await client.previews();
    const failed = previews.find((one) => one.state === 'failed');
    if (failed) throw new Error(`${failed.id} failed: ${failed.reason}`);
    return new Map(previews.map((one) => [one.id, one.state]));
  }

  async function until(wanted: readonly PreviewId[], state: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      const now = await states(signal);
      if (wanted.every((id) => now.get(id) === state)) return;
      await delay(LOOK_EVERY_MS);
    }
  }

  async function sleepAll(wanted: readonly PreviewId[], signal: AbortSignal): Promise<void> {
    for (const id of wanted) await client.act('sleep', id);
    await until(wanted, 'asleep', signal);
  }

  return {
    client,
    home,
    ids,
    async page() {
      const answer = await fetch(`${url}api/v1/previews?limit=10`, { headers: { authorization: `Bearer ${TOKEN}` } });
      await answer.text();
      if (!answer.ok) throw new Error(`a page of the list was answered ${answer.status}`);
    },
    async grow(count, signal) {
      while (ids.length < count) {
        const names = Array.from({ length: Math.min(BATCH, count - ids.length) }, (_, at) => `n${ids.length + at + 1}`);
        const refs = names.map((name) => `${head}:refs/heads/${name}`);
        await repo.git('push', '--quiet', 'origin', ...refs);
        const born = names.map((name) => previewId(slug, branchName(name)));
        ids.push(...born);
        await until(born, 'live', signal);
      }
    },
    async settle(awake, signal) {
      const now = await states(signal);
      const bed = ids.slice(0, Math.max(0, ids.length - awake)).filter((id) => now.get(id) !== 'asleep');
      await sleepAll(bed, signal);
    },
    sleep: (id, signal) => sleepAll([id], signal),
    target: (id) => ({ address: '127.0.0.1', port: gatewayPort, host: `${id}.preview.localhost` }),
    cpu: () => cpuTime(child),
    memory: () => residentMemory(child),
  };
}
