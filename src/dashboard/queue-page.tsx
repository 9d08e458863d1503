/** Who builds, who waits, and for what. */
import type { QueueView } from '../api/queue.ts';
import { written } from '../domain/duration.ts';
import { Fragment, h } from './markup.ts';
import { Ago, oob } from './parts.tsx';
import { keyOf, type Region } from './regions.ts';

export function queueRegions(queue: QueueView, now: number): readonly Region[] {
  return [
    {
      ...{ id: 'queue', key: JSON.stringify(queue) },
      draw: (alone) => (
        <div id="queue" {...oob(alone)}>
          <h2>Under way</h2>
          <Running queue={queue} now={now} />
          <h2>Waiting</h2>
          <Waiting queue={queue} now={now} />
        </div>
      ),
    },
  ];
}

export function QueuePage({
  queue,
  now,
  isRaw,
}: {
  readonly queue: QueueView;
  readonly now: number;
  /** Whether the raw queue may be looked at. */
  readonly isRaw: boolean;
}): JSX.Element {
  const regions = queueRegions(queue, now);
  return (
    <>
      <div class="row">
        <h1>Queue</h1>
        {isRaw && <a href="/queue/raw">The raw queue</a>}
      </div>
      <div id="live" hx-ext="sse" sse-connect={`/queue/live?seen=${keyOf(regions)}`}>
        <div sse-swap="regions" hx-swap="none" hidden />
        {regions.map((one) => one.draw(false))}
      </div>
    </>
  );
}

function Running({ queue, now }: { readonly queue: QueueView; readonly now: number }): JSX.Element {
  if (queue.running.length === 0) return <p class="soft">Nothing is built or woken now.</p>;
  return (
    <table class="list">
      <thead>
        <tr>
          <th scope="col">Preview</th>
          <th scope="col">Repository</th>
          <th scope="col">What</th>
          <th scope="col">For</th>
        </tr>
      </thead>
      <tbody>
        {queue.running.map((one) => (
          <tr>
            <td data-label="Preview" class="wide">
              <a href={`/previews/${one.id}`}>{one.id}</a>
            </td>
            <td data-label="Repository">{one.repository}</td>
            <td data-label="What">{one.stage === null ? one.purpose : `${one.purpose} · ${one.stage}`}</td>
            <td data-label="For">
              <Ago at={one.startedAt === null ? undefined : Date.parse(one.startedAt)} now={now} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Waiting({ queue, now }: { readonly queue: QueueView; readonly now: number }): JSX.Element {
  if (queue.waiting.length === 0) return <p class="soft">Nobody waits.</p>;
  return (
    <table class="list">
      <thead>
        <tr>
          <th scope="col">Place</th>
          <th scope="col">Preview</th>
          <th scope="col">Why</th>
          <th scope="col">Turn</th>
          <th scope="col">Waits for</th>
        </tr>
      </thead>
      <tbody>
        {queue.waiting.map((one) => (
          <tr>
            <td data-label="Place">{one.position ?? '–'}</td>
            <td data-label="Preview" class="wide">
              <a href={`/previews/${one.id}`}>{one.id}</a>
              <small>{one.repository}</small>
            </td>
            <td data-label="Why" class="wide">
              {`to ${one.purpose}: ${one.reason}`}
            </td>
            <td data-label="Turn">{one.about === null ? '–' : `in about ${written(one.about * 1_000)}`}</td>
            <td data-label="Waits for">
              <Ago at={Date.parse(one.since)} now={now} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
