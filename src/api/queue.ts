/** Who builds, who waits, and for what. */
import { z } from 'zod';
import { reaches } from '../domain/access.ts';
import type { Queueing } from '../domain/admission.ts';
import type { Store } from '../domain/ports.ts';
import { timeOf } from './previews.ts';
import { type Route, route } from './route.ts';

export interface QueueDeps {
  readonly store: Pick<Store, 'records'>;
  readonly book: { read(): Promise<Queueing> };
}

const running = z.strictObject({
  id: z.string(),
  repository: z.string(),
  purpose: z.enum(['build', 'wake']),
  stage: z.string().nullable(),
  startedAt: z.iso.datetime().nullable(),
});

const waiting = z.strictObject({
  id: z.string(),
  repository: z.string(),
  purpose: z.enum(['build', 'wake']),
  since: z.iso.datetime(),
  position: z.int().nullable().meta({ description: 'From 1; null where it has only just come.' }),
  about: z.int().nullable().meta({ description: 'Seconds until its turn, where that can be told.' }),
  reason: z.string(),
});

const queueSchema = z.strictObject({ running: z.array(running), waiting: z.array(waiting) }).meta({ id: 'Queue' });

export type QueueView = z.output<typeof queueSchema>;

export function queueRoutes({ store, book }: QueueDeps): readonly Route[] {
  return [
    route({
      ...{ method: 'get', path: '/queue', name: 'getQueue', group: 'queue', needs: 'read', scope: 'reachable' },
      summary: 'Who builds, and who waits where and for what',
      answers: { 200: { what: 'Of the previews that the token reaches.', schema: queueSchema } },
      async handle({ principal }) {
        const [queueing, list] = await Promise.all([book.read(), store.records()]);
        const records = new Map(list.map((one) => [one.id, one]));
        const mine = <T extends { readonly repository: Parameters<typeof reaches>[1] }>(all: readonly T[]) =>
          all.filter((one) => reaches(principal, one.repository));
        const body: z.output<typeof queueSchema> = {
          running: mine(queueing.places).map(({ id, repository, purpose }) => {
            const attempt = records.get(id)?.attempt;
            const isIt = purpose === 'build' && attempt !== undefined && attempt.outcome === undefined;
            const startedAt = isIt ? timeOf(attempt.startedAt) : null;
            return { id, repository, purpose, stage: isIt ? (attempt.stage ?? null) : null, startedAt };
          }),
          waiting: mine(queueing.waiting)
            .map(({ id, repository, purpose, since }) => {
              const record = records.get(id);
              const { position = null, aboutMs } = record?.wait ?? {};
              const about = aboutMs === undefined ? null : Math.round(aboutMs / 1_000);
              const reason = record?.wait?.because ?? 'it has only just come';
              return { id, repository, purpose, since: timeOf(since), position, about, reason };
            })
            .sort((a, b) => (a.position ?? Number.POSITIVE_INFINITY) - (b.position ?? Number.POSITIVE_INFINITY)),
        };
        return { status: 200, body };
      },
    }),
  ];
}
