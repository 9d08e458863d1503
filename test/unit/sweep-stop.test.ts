/** A sweep that is stopped: what it asked of the remotes has ended with it. */
import { expect, it } from 'vitest';
import { startSweeping } from '../../src/sweep/sweeper.ts';
import { repository, sweepDeps } from '../support/sweep-world.ts';

it('has ended only when each remote that it asked has, the slowest too', async () => {
  const asked: string[] = [];
  const ended: string[] = [];
  let slowEnds = () => {};
  const sweeper = startSweeping(
    sweepDeps({
      repositories: () => [repository('acme/quick'), repository('acme/slow')],
      git: {
        branches: ({ name }, signal) => {
          asked.push(name);
          return new Promise((_resolve, reject) => {
            const end = () => {
              ended.push(name);
              reject(signal.reason);
            };
            if (name === 'acme/slow') slowEnds = end;
            else signal.addEventListener('abort', end);
          });
        },
      },
    }),
    { everyMs: 60_000, graceMs: 0 },
  );
  await expect.poll(() => asked).toEqual(['acme/quick', 'acme/slow']);
  let isStopped = false;
  const stopped = sweeper.stop().then(() => (isStopped = true));
  await expect.poll(() => ended).toEqual(['acme/quick']);
  // All that does not wait for the slow one is over by then.
  await new Promise((resolve) => setImmediate(resolve));
  expect(isStopped).toBe(false);
  slowEnds();
  await stopped;
  expect(ended).toEqual(['acme/quick', 'acme/slow']);
});
