/** What the page of one preview is sent while it is open: parts that changed, and lines of the log. */

import type { BuildReader } from '../api/builds.ts';
import type { StreamEvent } from '../api/stream.ts';
import type { BuildId, PreviewId } from '../domain/names.ts';
import type { Hub } from './hub.ts';
import { Log, lineFrames } from './log.tsx';
import { h, toText } from './markup.ts';
import { merged } from './merge.ts';
import { type PreviewView, previewRegions } from './preview-page.tsx';
import { changes } from './regions.ts';

export interface LiveDeps {
  readonly hub: Hub;
  readonly store: Pick<BuildReader, 'followBuild'>;
  /** Undefined once it is gone. */
  look(): Promise<PreviewView | undefined>;
}

export interface Showing {
  readonly preview: PreviewId;
  /** Of the page as it was drawn. */
  readonly build: BuildId | undefined;
  readonly find: string;
  readonly seen: string | undefined;
  readonly after: string | undefined;
  readonly signal: AbortSignal;
}

export function previewFrames(deps: LiveDeps, showing: Showing): AsyncGenerator<StreamEvent> {
  const { hub, store } = deps;
  const { preview, find, signal } = showing;
  /** Another once a newer build began while the newest was shown. */
  let { build } = showing;
  let over = new AbortController();
  let wake: () => void = () => undefined;

  async function* regions(): AsyncGenerator<StreamEvent> {
    let view: PreviewView | undefined;
    const frames = changes(hub, signal, showing.seen, async (changed) => {
      if (!view || changed.has(preview)) view = (await deps.look()) ?? view;
      return view ? previewRegions(view) : [];
    });
    for await (const frame of frames) {
      const newest = view?.build;
      if (newest !== undefined && newest !== build) {
        const empty = h(Log, { view: { preview, build: newest, events: [], find, isCut: false }, alone: true });
        yield { type: 'regions', text: `${frame.text}${toText(empty)}` };
        build = newest;
        over.abort();
        wake();
      } else yield frame;
    }
  }

  async function* lines(): AsyncGenerator<StreamEvent> {
    let { after } = showing;
    let followed: BuildId | undefined;
    signal.addEventListener('abort', () => wake(), { once: true });
    while (!signal.aborted) {
      if (build !== undefined && build !== followed) {
        followed = build;
        over = new AbortController();
        const ends = AbortSignal.any([signal, over.signal]);
        const from = after === undefined ? {} : { after };
        yield* lineFrames(followed, store.followBuild(preview, followed, { signal: ends, ...from }), find);
        after = undefined;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }

  return merged(regions(), lines());
}
