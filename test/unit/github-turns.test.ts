/** Waiting for a turn at GitHub. */
import { describe, expect, it } from 'vitest';
import { TreehouseError } from '../../src/errors.ts';
import { createTurns } from '../../src/github/turns.ts';
import { failureOf } from '../support/failure.ts';

const never = new AbortController().signal;

/** Work that ends when it is told to. */
function stage(atOnce: number) {
  const turns = createTurns(atOnce);
  const begun: string[] = [];
  const ends = new Map<string, (error?: Error) => void>();
  const ask = (name: string, signal = never) =>
    turns.take(signal, () => {
      begun.push(name);
      return new Promise<string>((resolve, reject) => {
        ends.set(name, (error) => (error ? reject(error) : resolve(name)));
      });
    });
  return { ask, begun, end: (name: string, error?: Error) => ends.get(name)?.(error) };
}

describe('turns', () => {
  it('are taken in the order of asking, so many at once, also after one that failed', async () => {
    const { ask, begun, end } = stage(2);
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => ask(name));
    expect(begun).toEqual(['a', 'b']);
    const failure = failureOf(b ?? Promise.resolve(), Error);
    end('b', new Error('broken'));
    await failure;
    await expect.poll(() => begun.join()).toBe('a,b,c');
    end('a');
    await a;
    await expect.poll(() => begun.join()).toBe('a,b,c,d');
    end('c');
    end('d');
    expect(await Promise.all([c, d])).toEqual(['c', 'd']);
    const late = ask('e');
    end('e');
    expect(await late).toBe('e');
  });

  it('are none of who left, whose place the next one has', async () => {
    const { ask, begun, end } = stage(1);
    const leaving = new AbortController();
    const first = ask('a');
    const left = failureOf(ask('b', leaving.signal));
    const last = ask('c');
    leaving.abort(new TreehouseError('superseded', 'a newer commit'));
    expect(await left).toMatchObject({ code: 'superseded' });
    expect(await failureOf(ask('d', leaving.signal))).toMatchObject({ code: 'superseded' });
    end('a');
    await first;
    await expect.poll(() => begun.join()).toBe('a,c');
    end('c');
    expect(await last).toBe('c');
  });
});
