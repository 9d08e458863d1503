/** A short run of the fault suite, with most kinds of faults: docs/faults.md. The long one is `npm run chaos`. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

it.each([
  { what: 'one process', rounds: 8, seed: 7, more: [] },
  { what: 'several processes', rounds: 6, seed: 8, more: ['--several'] },
])(
  'whatever is killed, cut off, filled or set back, $what: the world ends as an independent model says',
  {
    timeout: 1_500_000,
  },
  async ({ rounds, seed, more }) => {
    const args = ['setup/chaos', '--rounds', String(rounds), '--seed', String(seed), '--branches', '12', ...more];
    const { stdout } = await run('bash', args, { cwd: root, maxBuffer: 16 * 1024 * 1024 }).catch((error: unknown) => {
      throw new Error(`${(error as { stdout?: string }).stdout}\n${(error as { stderr?: string }).stderr}`);
    });
    expect(stdout).toContain(`${rounds} rounds without a difference, seed ${seed}`);
  },
);
