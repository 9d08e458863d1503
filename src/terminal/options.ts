/** What options of several commands are read by. */
import { InvalidArgumentError } from 'commander';
import { millisecondsOf } from '../domain/duration.ts';

/** Of an option that may be given as often as one likes. */
export function collect(one: string, before: readonly string[]): readonly string[] {
  return [...before, one];
}

/** Of an option that is a time, in milliseconds; `such` is one, for people. */
export function timeLike(such: string): (text: string) => number {
  return (text) => {
    const ms = millisecondsOf(text);
    if (ms === undefined || ms <= 0) throw new InvalidArgumentError(`It is a time such as ${such} or 12h.`);
    return ms;
  };
}
