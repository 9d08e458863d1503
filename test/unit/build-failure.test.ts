import { expect, it } from 'vitest';
import { buildFailure } from '../../src/adapters/build-failure.ts';

const step = 'failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2';

it.each([
  ['a step that fails', step, 'build-failed', 'terminal'],
  [
    'a step that says what an ended engine says',
    `${step.replace('make', 'echo : context canceled')}`,
    'build-failed',
    'terminal',
  ],
  ['a full disk', 'failed to solve: write /x: no space left on device', 'disk-full', 'transient'],
  [
    'an engine that is stopped',
    step.replace('2', '137: context canceled: context canceled'),
    'engine-away',
    'transient',
  ],
  [
    'an engine that is gone',
    'ERROR: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF',
    'engine-away',
    'transient',
  ],
  [
    'an engine that is not there',
    'ERROR: Cannot connect to the Docker daemon at unix:///run/x.sock. Is the docker daemon running?',
    'engine-away',
    'transient',
  ],
])('%s', (_what, said, code, kind) => {
  expect(buildFailure({ said })).toMatchObject({ code, kind });
});

it('is said without what every failure begins with', () => {
  const said = `------\nERROR: ${step}\n`;
  expect(buildFailure({ said }).message).toBe(step.replace('failed to solve: ', ''));
});
