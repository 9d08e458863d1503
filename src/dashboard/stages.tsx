/** A build's stages with their times, as a waterfall: a table whose bars are drawn for the eye alone. */
import { STAGES } from '../domain/events.ts';
import type { Attempt } from '../domain/preview.ts';
import { h } from './markup.ts';
import { took } from './words.ts';

export function Stages({
  attempt,
  until,
}: {
  readonly attempt: Attempt;
  /** When it ended, or now. */
  readonly until: number;
}): JSX.Element {
  const { startedAt, stages, outcome } = attempt;
  const rows = STAGES.flatMap((stage) => {
    const one = stages[stage];
    if (!one) return [];
    const isOpen = one.ms === undefined;
    const ms = one.ms ?? Math.max(0, until - one.startedAt);
    const failed = outcome === 'failed' && attempt.stage === stage;
    return [{ stage, offset: Math.max(0, one.startedAt - startedAt), ms, isOpen, failed }];
  });
  const whole = Math.max(1, ...rows.map((one) => one.offset + one.ms));
  const tone = (one: (typeof rows)[number]) =>
    one.failed ? 'bad' : one.isOpen && outcome === undefined ? 'now' : 'done';
  return (
    <table class="stages">
      <caption class="hidden">Stages and how long each took</caption>
      <thead class="hidden">
        <tr>
          <th scope="col">Stage</th>
          <th scope="col">When, in the build</th>
          <th scope="col">Time</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((one) => (
          <tr class={tone(one)}>
            <th scope="row">{one.stage}</th>
            <td class="bar">
              <svg viewBox="0 0 1000 12" preserveAspectRatio="none" aria-hidden="true">
                <rect
                  x={Math.round((one.offset / whole) * 1000)}
                  width={Math.max(4, Math.round((one.ms / whole) * 1000))}
                  {...{ y: 0, height: 12 }}
                />
              </svg>
              <span class="hidden">after {took(one.offset)}</span>
            </td>
            <td class="time">
              {took(one.ms)}
              {one.failed ? ' failed' : one.isOpen && outcome === undefined ? ' …' : ''}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
