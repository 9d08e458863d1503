/** Whether a program goes on with the state that it finds. */
import { expect, it } from 'vitest';
import { messageOf } from '../../src/errors.ts';
import { type Found, judge } from '../../src/state/version.ts';

const found = (version: string | undefined, more: Partial<Found> = {}): Found => ({
  ...{ version, by: '0.9.0', isEmpty: false },
  ...more,
});

function refusal(state: Found): string {
  try {
    judge(state, 1, '0.1.0');
  } catch (error) {
    expect(error).toMatchObject({ code: 'bad-config' });
    return messageOf(error);
  }
  throw new Error('it was not refused');
}

it('goes on with its own version, migrates an older one, and stamps what is empty', () => {
  expect(judge(found('2'), 2, '0.1.0')).toEqual({ act: 'go' });
  expect(judge(found('1'), 2, '0.1.0')).toEqual({ act: 'migrate', from: 1 });
  expect(judge(found(undefined), 2, '0.1.0')).toEqual({ act: 'migrate', from: 0 });
  expect(judge(found(undefined, { isEmpty: true }), 2, '0.1.0')).toEqual({ act: 'stamp' });
});

it('refuses a newer one, and says both versions and the way out', () => {
  expect(refusal(found('2'))).toBe(
    'the state in Redis is of version 2, written by Treehouse 0.9.0; this is Treehouse 0.1.0, which knows version 1 at most. ' +
      'Nothing was touched. Start Treehouse 0.9.0 or a newer one, or go back to a state from before: docs/install.md#back',
  );
});

it.each(['', '-1', '1.5', '1e3', 'one', '99999999999'])('refuses %j, which no Treehouse writes', (version) => {
  expect(refusal(found(version, { by: undefined }))).toMatch(
    /^the state in Redis is of no version that Treehouse writes/,
  );
});
