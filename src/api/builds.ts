/** Builds of a preview: what became of each, and its events and log, in pages or as they come. */
import { z } from 'zod';
import type { StoredEvent } from '../domain/events.ts';
import { type BuildId, type PreviewId, parseBuildId } from '../domain/names.ts';
import { newRecord, transition } from '../domain/preview.ts';
import { timeOf, viewOfAttempt } from './previews.ts';
import { type Answer, type Route, refusal, route } from './route.ts';
import { buildSchema, next, previewParam } from './schemas.ts';
import { CURSOR, cursorOf, type StreamEvent, sendStream, wantsStream } from './stream.ts';

/** The history of builds. */
export interface BuildReader {
  /** Those of which the log is kept, newest first. */
  builds(preview: PreviewId): Promise<readonly BuildId[]>;
  read(
    preview: PreviewId,
    build: BuildId,
    page: { readonly after?: string; readonly count: number },
  ): Promise<readonly StoredEvent[]>;
  followBuild(
    preview: PreviewId,
    build: BuildId,
    options: { readonly signal: AbortSignal; readonly after?: string },
  ): AsyncIterable<StoredEvent>;
}

const PAGE = 1_000;
/** Of one build's log that are read to say what became of it. */
const PAGES_MAX = 200;

const buildParam = previewParam.extend({
  build: z.string().refine((text) => parseBuildId(text) !== undefined, 'it is no build id'),
});

const cursor = z.string().regex(CURSOR, 'it is no cursor').optional();

/** As the stream has it: by `type`. */
const eventSchema = z
  .looseObject({ cursor: z.string(), type: z.string(), at: z.number(), preview: z.string() })
  .meta({ id: 'Event', description: 'What a build said; `log` events are its lines.' });

const detailSchema = buildSchema
  .extend({
    cause: z.string().nullable().meta({ description: 'Why it was begun.' }),
    changes: z
      .array(z.strictObject({ path: z.string(), message: z.string() }))
      .meta({ description: 'What policy changed of the compose file.' }),
  })
  .meta({ id: 'BuildDetail' });

export function buildRoutes(store: BuildReader): readonly Route[] {
  return [
    route({
      ...{ method: 'get', path: '/previews/{id}/builds', name: 'listBuilds', group: 'builds', needs: 'read' },
      scope: 'preview',
      summary: 'Builds of which the log is kept, newest first',
      params: previewParam,
      answers: {
        200: {
          what: 'Their ids, and when they began.',
          schema: z.strictObject({
            builds: z.array(z.strictObject({ id: z.string(), startedAt: z.iso.datetime() })),
          }),
        },
      },
      async handle({ about }) {
        const ids = await store.builds(about.id);
        const builds = ids.map((id) => ({ id, startedAt: timeOf(parseBuildId(id)?.startedAt ?? 0) }));
        return { status: 200, body: { builds } };
      },
    }),
    route({
      ...{ method: 'get', path: '/previews/{id}/builds/{build}', name: 'getBuild', group: 'builds', needs: 'read' },
      scope: 'preview',
      summary: 'What became of a build',
      params: buildParam,
      answers: { 200: { what: 'It.', schema: detailSchema } },
      async handle({ about, params }) {
        const id = params.build as BuildId;
        let record = newRecord({ id: about.id, repository: about.repository, branch: about.branch }, 0);
        const changes: { path: string; message: string }[] = [];
        let cause: string | null = null;
        for await (const { event } of wholeBuild(store, about.id, id)) {
          record = transition(record, event);
          if (event.type === 'build.started') cause = event.cause;
          if (event.type === 'change') changes.push({ path: event.path, message: event.message });
        }
        if (!record.attempt) return noBuild();
        return { status: 200, body: { ...viewOfAttempt(record.attempt), cause, changes } };
      },
    }),
    route({
      ...{ method: 'get', path: '/previews/{id}/builds/{build}/events', name: 'readBuild', group: 'builds' },
      needs: 'read',
      scope: 'preview',
      summary: 'Events and log lines of a build: pages, or with Accept: text/event-stream all of them as they come',
      params: buildParam,
      query: z.strictObject({
        after: cursor.meta({ description: 'The cursor of the last event that was read.' }),
        limit: z.coerce.number().int().min(1).max(PAGE).default(PAGE),
      }),
      answers: {
        200: { what: 'A page.', schema: z.strictObject({ events: z.array(eventSchema), next }) },
      },
      async handle({ about, params, query, req, res, signal }) {
        const build = params.build as BuildId;
        const after = cursorOf(req, query.after);
        if (wantsStream(req)) {
          await sendStream(res, framed(store.followBuild(about.id, build, { signal, ...given(after) })), signal);
          return undefined;
        }
        const page = await store.read(about.id, build, { count: query.limit, ...given(after) });
        const events = page.map((one) => ({ cursor: one.cursor, ...one.event }));
        return { status: 200, body: { events, next: page.at(-1)?.cursor ?? after ?? null } };
      },
    }),
  ];
}

function given(after: string | undefined): { readonly after?: string } {
  return after === undefined ? {} : { after };
}

/** A build from its first event to what is there now, page by page. */
export async function* wholeBuild(
  store: Pick<BuildReader, 'read'>,
  preview: PreviewId,
  build: BuildId,
): AsyncGenerator<StoredEvent> {
  let after: string | undefined;
  for (let count = 0; count < PAGES_MAX; count += 1) {
    const page = await store.read(preview, build, { count: PAGE, ...given(after) });
    yield* page;
    after = page.at(-1)?.cursor;
    if (page.length < PAGE) return;
  }
}

/** Each as an event of its own type, as a browser's EventSource hears it. */
export async function* framed(events: AsyncIterable<StoredEvent>): AsyncGenerator<StreamEvent> {
  for await (const { cursor, event } of events) yield { id: cursor, type: event.type, data: event };
}

function noBuild(): Answer {
  return refusal(404, 'There is no build with this id, or its log is not kept any more.');
}
