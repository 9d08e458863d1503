/** A short run of the fault suite, with most kinds of faults: docs/faults.md. The long one is `npm run chaos`. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const ROUNDS = 10;

it('whatever is killed, cut off, filled or set back: the world ends as an independent model says', {
  timeout: 1_500_000,
}, async () => {
  const args = ['setup/chaos', '--rounds', String(ROUNDS), '--seed', '7', '--branches', '12'];
  const { stdout } = await run('bash', args, { cwd: root, maxBuffer: 16 * 1024 * 1024 }).catch((error: unknown) => {
    throw new Error(`${(error as { stdout?: string }).stdout}\n${(error as { stderr?: string }).stderr}`);
  });
  expect(stdout).toContain(`${ROUNDS} rounds without a difference, seed 7`);
});
