/** Treehouse as its users run it: `treehouse up` from dist, in a home of its own, told of pushes by signed webhooks. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { LABEL } from '../src/domain/labels.ts';
import { type BuildId, branchName, type PreviewId, previewId } from '../src/domain/names.ts';
import { freePort } from '../src/embedded/claim.ts';
import { type Client, createClient } from '../src/web/client.ts';
import { makeRepo } from '../test/support/repo.ts';
import type { Cleanup } from './cleanup.ts';
import type { Contender, Naming, Parts } from './contender.ts';
import { containersOf, countOf, sweep } from './engine.ts';
import { deliverPush } from './github.ts';
import { ready, residentMemory, SECRET, startServer, stop, TOKEN } from './server.ts';
import { timeline } from './timeline.ts';

const REPOSITORY = 'bench/shop';
const SLUG = 'shop';
const LOOK_EVERY_MS = 40;
/** While the time runs, so that being asked is no work to speak of. */
const ASK_EVERY_MS = 250;

export async function openTreehouse(
  docker: Docker,
  root: string,
  naming: Naming,
  cleanup: Cleanup,
): Promise<Contender> {
  const { branch } = naming;
  const home = path.join(naming.folder, 'treehouse');
  await mkdir(home);
  const repo = await makeRepo(path.join(naming.folder, 'treehouse-repository'));
  await repo.branch(branch);
  const id = previewId(SLUG, branchName(branch));
  const label = `${LABEL.preview}=${id}`;
  const [port, gatewayPort] = [await freePort(), await freePort()];
  const config = path.join(naming.folder, 'treehouse.yml');
  // JSON is YAML. Only the branch of the bench has a preview, so that the first push to it is its first deployment.
  await writeFile(config, JSON.stringify({ repositories: { [REPOSITORY]: { url: repo.remote, branches: [branch] } } }));

  cleanup.add(`the preview ${id}`, () => sweep(docker, label));
  const log = path.join(naming.folder, 'treehouse.log');
  const child = await startServer({ root, config, log, home, port, gatewayPort });
  cleanup.add('treehouse up', () => stop(child));
  const url = `http://127.0.0.1:${port}/`;
  await ready(url, child, log);
  const client = createClient({ url, token: TOKEN });

  let announced = 0;
  const deliver = (commit: string | undefined, signal: AbortSignal) =>
    deliverPush(`${url}webhooks/github`, SECRET, { repository: REPOSITORY, url: repo.remote, branch, commit }, signal);

  return {
    way: 'treehouse',
    target: () => ({ address: '127.0.0.1', port: gatewayPort, host: `${id}.preview.localhost` }),
    async push(files) {
      const commit = await repo.commit(files);
      await repo.push();
      return commit;
    },
    async announce(commit, signal) {
      announced = Date.now();
      await deliver(commit, signal);
      await live(client, id, commit, signal);
    },
    async settled(commit, signal) {
      const build = await live(client, id, commit, signal);
      await retired(docker, label, path.join(home, 'builds', id), signal);
      return partsOf(client, id, build, announced);
    },
    async remove(signal) {
      await repo.deleteBranch(branch);
      await deliver(undefined, signal);
      while ((await countOf(docker, label)) > 0) {
        signal.throwIfAborted();
        await delay(LOOK_EVERY_MS);
      }
    },
    memory: () => residentMemory(child),
  };
}

/** Waits until the commit is live. @returns its build. */
async function live(client: Client, id: PreviewId, commit: string, signal: AbortSignal): Promise<BuildId> {
  for (;;) {
    signal.throwIfAborted();
    const preview = await client.preview(id);
    if (preview.state === 'live' && preview.commit === commit && preview.build?.commit === commit) {
      return preview.build.id as BuildId;
    }
    if (preview.build?.commit === commit && preview.build.outcome === 'failed') {
      throw new Error(`Treehouse's build failed: ${preview.build.message}`);
    }
    await delay(ASK_EVERY_MS);
  }
}

/** Waits until each service has one container again, and the checkouts of builds that are no more are gone. */
async function retired(docker: Docker, label: string, builds: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const containers = await containersOf(docker, [label]);
    const services = new Set(containers.map((one) => one.Labels[LABEL.service]));
    const alive = new Set(containers.map((one) => one.Labels[LABEL.build]));
    const checkouts = await readdir(builds).catch(() => []);
    if (containers.length === services.size && checkouts.every((one) => alive.has(one))) return;
    await delay(LOOK_EVERY_MS);
  }
}

async function partsOf(client: Client, id: PreviewId, build: BuildId, announced: number): Promise<Parts> {
  const page = await client.events(id, build, null);
  return timeline(page.events, announced);
}
