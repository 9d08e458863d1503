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

/** Opened with the first who watches, reopened when it breaks; `mine` is the label of what is watched. */
export function eventWatchers(docker: Docker, mine: string): Watchers {
  const watching = new Set<{ readonly preview: PreviewId | undefined; changed(preview: PreviewId): void }>();
  let stream: Readable | undefined;
  let opening = false;

  async function open(): Promise<void> {
    if (stream || opening) return;
    opening = true;
    try {
      const filters = JSON.stringify({ type: ['container'], label: [mine] });
      const opened = (await docker.getEvents({ filters })) as unknown as Readable;
      stream = opened;
      const lines = lineSplitter(tell);
      opened.on('data', (chunk: Buffer) => lines.take(chunk));
      opened.on('error', () => opened.destroy());
      opened.once('close', () => {
        stream = undefined;
        reopen();
      });
      // What happened before the stream was open is seen by looking.
      for (const one of watching) if (one.preview !== undefined) one.changed(one.preview);
    } catch {
      reopen();
    } finally {
      opening = false;
    }
    if (watching.size === 0) stream?.destroy();
  }

  function reopen(): void {
    setTimeout(() => watching.size > 0 && void open(), REOPEN_MS).unref();
  }

  function tell(line: string): void {
    let event: { Action?: string; Actor?: { Attributes?: Record<string, string> } };
    try {
      event = JSON.parse(line) as typeof event;
    } catch {
      return; // Cut by the splitter: the next one tells again.
    }
    const preview = parsePreviewId(event.Actor?.Attributes?.[LABEL.preview] ?? '');
    if (!preview) return;
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
      if (watching.size === 0) stream?.destroy();
    };
  }

  return {
    watch: (preview, changed) => add(preview, changed),
    watchAll: (changed) => add(undefined, changed),
  };
}
