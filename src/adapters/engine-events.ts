/** The engine's events: one stream for all who watch. */
import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { LABEL } from '../domain/labels.ts';
import { type PreviewId, parsePreviewId } from '../domain/names.ts';
import { lineSplitter } from './run-process.ts';

export interface Watchers {
  watch(preview: PreviewId, changed: () => void): () => void;
  watchAll(changed: (preview: PreviewId) => void): () => void;
}

/** How long after a break the events are asked for again. */
const REOPEN_MS = 500;

/** What an event says that is read here. */
export interface EngineEvent {
  readonly Type?: string;
  readonly Action?: string;
  readonly Actor?: { readonly ID?: string; readonly Attributes?: Readonly<Record<string, string>> };
}

/**
 * Opens the engine's events from now on.
 * @param on `opened` comes first and `closed` last; `event` is given undefined for one that was cut since it is too long
 */
export async function openEvents(
  docker: Docker,
  filters: Readonly<Record<string, readonly string[]>>,
  on: { opened(stream: Readable): void; event(event: EngineEvent | undefined): void; closed(): void },
): Promise<void> {
  const stream = (await docker.getEvents({ filters: JSON.stringify(filters) })) as unknown as Readable;
  on.opened(stream);
  const lines = lineSplitter((line) => on.event(eventIn(line)));
  stream.on('data', (chunk: Buffer) => lines.take(chunk));
  stream.on('error', () => stream.destroy());
  stream.once('close', () => on.closed());
}

function eventIn(line: string): EngineEvent | undefined {
  try {
    return JSON.parse(line) as EngineEvent;
  } catch {
    return undefined;
  }
}

/** Opened with the first who watches, reopened when it breaks; `mine` is the label of what is watched. */
export function eventWatchers(docker: Docker, mine: string): Watchers {
  const watching = new Set<{ readonly preview: PreviewId | undefined; changed(preview: PreviewId): void }>();
  let stream: Readable | undefined;
  let opening = false;

  async function open(): Promise<void> {
    if (stream || opening) return;
    opening = true;
    try {
      await openEvents(
        docker,
        { type: ['container'], label: [mine] },
        {
          opened: (one) => {
            stream = one;
          },
          event: tell,
          closed: () => {
            stream = undefined;
            reopen();
          },
        },
      );
      // What happened before the stream was open is seen by looking.
      for (const one of watching) if (one.preview !== undefined) one.changed(one.preview);
    } catch {
      reopen();
    } finally {
      opening = false;
    }
    endWithLast();
  }

  function endWithLast(): void {
    if (watching.size === 0) stream?.destroy();
  }

  function reopen(): void {
    setTimeout(() => watching.size > 0 && void open(), REOPEN_MS).unref();
  }

  /** Of one that was cut the next one tells again. */
  function tell(event: EngineEvent | undefined): void {
    const preview = parsePreviewId(event?.Actor?.Attributes?.[LABEL.preview] ?? '');
    if (!event || !preview) return;
    const lifetime = event.Action === 'start' || event.Action === 'die';
    for (const one of watching)
      if (one.preview === preview || (one.preview === undefined && lifetime)) one.changed(preview);
  }

  function add(preview: PreviewId | undefined, changed: (preview: PreviewId) => void): () => void {
    const one = { preview, changed };
    watching.add(one);
    void open();
    return () => {
      watching.delete(one);
      endWithLast();
    };
  }

  return {
    watch: (preview, changed) => add(preview, changed),
    watchAll: (changed) => add(undefined, changed),
  };
}
