/** The script that a careful user would write (../shared/peers/diy): a webhook receiver, `deploy.sh` and nginx. */
import { chmod, mkdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { freePort } from '../src/embedded/claim.ts';
import { startRegistry } from '../src/embedded/registry.ts';
import { makeRepo } from '../test/support/repo.ts';
import type { Cleanup } from './cleanup.ts';
import { run, shell } from './commands.ts';
import type { Contender, Naming } from './contender.ts';
import { sweep } from './engine.ts';
import { deliverPush } from './github.ts';

const SECRET = 'diy';
const DOMAIN = 'preview.localhost';
/** How long a deployment that is under way may go on when the bench ends. */
const LAST_WAIT_S = 60;

/** The folder of the script; undefined where it is not on this machine. */
export async function findScript(root: string): Promise<string | undefined> {
  const folder = path.resolve(root, process.env.TREEHOUSE_BENCH_DIY ?? '../shared/peers/diy');
  const found = await stat(path.join(folder, 'up')).catch(() => undefined);
  return found?.isFile() ? folder : undefined;
}

export async function openScript(docker: Docker, folder: string, naming: Naming, cleanup: Cleanup): Promise<Contender> {
  const { branch } = naming;
  const work = path.join(naming.folder, 'script');
  await mkdir(work);
  await chmod(work, 0o755); // nginx's workers are another user.
  const repo = await makeRepo(path.join(naming.folder, 'script-repository'));
  await repo.branch(branch);

  // Treehouse pushes its images too: equal work.
  const registry = await startRegistry({ home: work, searchPath: shell().PATH ?? '' });
  cleanup.add("the script's registry", () => registry.stop());
  const [hookPort, gatewayPort] = [await freePort(), await freePort()];
  const project = `diy-${branch}`;
  const lock = path.join(work, `${branch}.lock`);
  const idle = (seconds: number, signal?: AbortSignal) =>
    run({
      command: 'flock',
      args: ['-w', String(seconds), lock, 'true'],
      act: 'waiting for deploy.sh to end',
      ...(signal ? { signal } : {}),
    });
  // Not by its own `down`: that takes every stack whose name begins with diy-, those of others on this engine too.
  cleanup.add(`the project ${project}`, () => sweep(docker, `com.docker.compose.project=${project}`));
  cleanup.add("the script's receiver and nginx", () => endProcesses(work));
  cleanup.add('a deployment that is under way', () => idle(LAST_WAIT_S));

  await run({
    command: path.join(folder, 'up'),
    args: [work],
    cwd: work,
    env: {
      HOOK_PORT: String(hookPort),
      GATEWAY_PORT: String(gatewayPort),
      REGISTRY: registry.address,
      SECRET,
      DOMAIN,
    },
    act: `starting ${folder}`,
  });
  const deliver = (commit: string | undefined, signal: AbortSignal) =>
    deliverPush(
      `http://127.0.0.1:${hookPort}/hooks/push`,
      SECRET,
      { repository: 'bench/shop', url: `file://${repo.remote}`, branch, commit },
      signal,
    );

  return {
    way: 'script',
    target: () => ({ address: '127.0.0.1', port: gatewayPort, host: `${branch}.${DOMAIN}` }),
    async push(files) {
      const commit = await repo.commit(files);
      await repo.push();
      return commit;
    },
    announce: deliver,
    async settled(_commit, signal) {
      await idle(120, signal);
      return undefined;
    },
    async remove(signal) {
      await deliver(undefined, signal);
      // The receiver answers first and runs the script afterwards; the folder goes just before the script ends.
      while (await stat(path.join(work, 'trees', branch)).catch(() => undefined)) {
        signal.throwIfAborted();
        await delay(20);
      }
      await idle(120, signal);
    },
  };
}

/** Those that `up` wrote down; where it did not get so far, nginx at least wrote its own. */
async function endProcesses(work: string): Promise<void> {
  const texts = await Promise.all(
    ['pids', 'nginx.pid'].map((name) => readFile(path.join(work, name), 'utf8').catch(() => '')),
  );
  const pids = new Set(texts.join('\n').split('\n').map(Number));
  for (const pid of pids) {
    if (!Number.isInteger(pid) || pid <= 1) continue;
    // A number that was given to someone else meanwhile does not name our folder.
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes(work)) process.kill(pid, 'SIGTERM');
  }
}
