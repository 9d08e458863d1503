/** The audit trail, read. */
import { z } from 'zod';
import { reaches } from '../domain/access.ts';
import type { Trail } from '../domain/trail.ts';
import { timeOf } from './previews.ts';
import { type Route, route } from './route.ts';

const entrySchema = z
  .strictObject({
    at: z.iso.datetime(),
    who: z.string(),
    token: z.string().meta({ description: 'Its id, since two may have one name; admin: the token of the home.' }),
    act: z.string(),
    to: z.string(),
    service: z.string().nullable(),
    command: z.array(z.string()).nullable().meta({ description: 'That was run in the service, word by word.' }),
    status: z.int(),
  })
  .meta({ id: 'TrailEntry' });

export type TrailView = z.output<typeof entrySchema>;

export function trailRoutes(trail: Pick<Trail, 'read'>): readonly Route[] {
  return [
    route({
      ...{ method: 'get', path: '/trail', name: 'readTrail', group: 'trail', needs: 'administer', scope: 'reachable' },
      summary: 'Who did what, newest first',
      query: z.strictObject({
        before: z.iso.datetime().optional().meta({ description: '`at` of the last entry of the page before.' }),
        limit: z.coerce.number().int().min(1).max(1_000).default(100),
      }),
      answers: {
        200: { what: 'Of what the token reaches.', schema: z.strictObject({ entries: z.array(entrySchema) }) },
      },
      async handle({ query, principal }) {
        const before = query.before === undefined ? {} : { before: Date.parse(query.before) };
        const found = await trail.read({ ...before, count: query.limit });
        const entries = found
          .filter((one) => reaches(principal, one.repository))
          .map(({ at, service = null, command, ...one }) => ({
            ...{ at: timeOf(at), who: one.who, token: one.token, act: one.act, to: one.to },
            ...{ service, command: command ? [...command] : null, status: one.status },
          }));
        return { status: 200, body: { entries } };
      },
    }),
  ];
}
