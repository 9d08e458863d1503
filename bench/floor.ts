/** The floor: `docker compose build && docker compose up -d --wait` on a checkout, and the page asked at the container's address. */
import path from 'node:path';
import type Docker from 'dockerode';
import { makeRepo } from '../test/support/repo.ts';
import type { Cleanup } from './cleanup.ts';
import { run } from './commands.ts';
import type { Contender, Naming } from './contender.ts';
import { addressOf, sweep } from './engine.ts';
import type { Target } from './visitor.ts';

export async function openFloor(docker: Docker, naming: Naming, cleanup: Cleanup): Promise<Contender> {
  const project = `floor-${naming.branch}`;
  const repo = await makeRepo(path.join(naming.folder, 'floor'));
  await repo.branch(naming.branch);
  cleanup.add(`the project ${project}`, () => sweep(docker, `com.docker.compose.project=${project}`));
  let where: Target | undefined;

  async function compose(args: readonly string[], signal: AbortSignal): Promise<void> {
    const act = `docker compose ${args[0]} of the floor`;
    await run({ command: 'docker', args: ['compose', '-p', project, ...args], cwd: repo.work, act, signal });
  }

  return {
    way: 'floor',
    target: () => where,
    push: (files) => repo.commit(files),
    async announce(_commit, signal) {
      where = undefined;
      await compose(['build', '-q'], signal);
      await compose(['up', '-d', '--wait'], signal);
      const address = await addressOf(docker, project, 'web');
      if (address === undefined) throw new Error(`the project ${project} has no web that runs`);
      where = { address, port: 80, host: address };
    },
    settled: async () => undefined,
    async remove(signal) {
      where = undefined;
      await compose(['down', '-v'], signal);
    },
  };
}
