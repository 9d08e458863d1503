/** What happens to all previews, as it comes: for dashboards and bots. */
import { z } from 'zod';
import { type Principal, reaches } from '../domain/access.ts';
import type { StoredEvent } from '../domain/events.ts';
import type { PreviewId, RepositoryName } from '../domain/names.ts';
import type { Store } from '../domain/ports.ts';
import { type Route, refusal, route } from './route.ts';
import { CURSOR, cursorOf, type StreamEvent, sendStream, wantsStream } from './stream.ts';

export interface NewsDeps {
  readonly store: Pick<Store, 'record'> & {
    follow(options: { readonly signal: AbortSignal; readonly after?: string }): AsyncIterable<StoredEvent>;
  };
}

export function newsRoutes({ store }: NewsDeps): readonly Route[] {
  return [
    route({
      ...{ method: 'get', path: '/events', name: 'followEvents', group: 'events', needs: 'read', scope: 'reachable' },
      summary: 'Events of all previews from now on, without log lines: as server-sent events alone',
      query: z.strictObject({
        after: z
          .string()
          .regex(CURSOR, 'it is no cursor')
          .optional()
          .meta({ description: 'The id of the last event that was read.' }),
      }),
      answers: {
        200: { what: 'They come until you go.', type: 'text/event-stream', schema: z.string() },
        406: { what: 'It was not asked for as a stream.' },
      },
      async handle({ query, principal, req, res, signal }) {
        if (!wantsStream(req)) return refusal(406, 'Events come as a stream: ask with Accept: text/event-stream.');
        const after = cursorOf(req, query.after);
        const events = store.follow({ signal, ...(after === undefined ? {} : { after }) });
        await sendStream(res, reachable(events, store, principal), signal);
        return undefined;
      },
    }),
  ];
}

/** Whose an event is, its preview's record tells. */
async function* reachable(
  events: AsyncIterable<StoredEvent>,
  store: NewsDeps['store'],
  principal: Principal,
): AsyncGenerator<StreamEvent> {
  const known = new Map<PreviewId, RepositoryName | undefined>();
  for await (const { cursor, event } of events) {
    if (principal.repositories !== 'all') {
      if (known.get(event.preview) === undefined)
        known.set(event.preview, (await store.record(event.preview))?.repository);
      const repository = known.get(event.preview);
      if (repository === undefined || !reaches(principal, repository)) continue;
    }
    yield { id: cursor, type: event.type, data: event };
  }
}
