/** Previews: what they are, and what can be asked of one. */
import { z } from 'zod';
import type { PreviewId } from '../domain/names.ts';
import type { Clock, Pins, Store } from '../domain/ports.ts';
import { type Attempt, type PreviewRecord, spentUntil } from '../domain/preview.ts';
import { ACTS, type ActDeps, type PreviewAct, previewActs } from './acts.ts';
import { listed, listQuery } from './list.ts';
import { type Answer, type Route, refusal, route } from './route.ts';
import {
  type BuildView,
  costSchema,
  hintedSchema,
  next,
  type PreviewView,
  previewParam,
  previewSchema,
} from './schemas.ts';

export interface PreviewDeps extends ActDeps {
  readonly store: ActDeps['store'] &
    Pick<Store, 'records'> & {
      builds(preview: PreviewId): Promise<readonly string[]>;
    };
  readonly pins: Pins;
  readonly clock: Clock;
}

const SUMMARIES: Readonly<Record<PreviewAct, string>> = {
  redeploy: 'Build and start the newest commit anew',
  cancel: 'End the build under way; what serves goes on',
  reset: 'Throw its data away: new volumes, seeded again',
  sleep: 'Stop its containers until somebody visits it',
  wake: 'Start its containers again',
  pin: 'Keep it awake and there',
  unpin: 'Let it sleep and go as others do',
  down: 'Remove it with its data, until its branch moves on or somebody asks for a build',
};

export function previewRoutes(deps: PreviewDeps): readonly Route[] {
  const acts = previewActs(deps);
  return [
    route({
      ...{ method: 'get', path: '/previews', name: 'listPreviews', group: 'previews', needs: 'read' },
      scope: 'reachable',
      summary: 'List previews',
      query: listQuery,
      answers: { 200: { what: 'A page of them.', schema: z.strictObject({ previews: z.array(previewSchema), next }) } },
      async handle({ query, principal }) {
        const [records, pins] = await Promise.all([deps.store.records(), deps.pins.all()]);
        const page = listed(records, query, principal);
        if (!page) return badCursor();
        return { status: 200, body: { previews: page.records.map((one) => viewOf(one, pins)), next: page.next } };
      },
    }),
    route({
      ...{ method: 'get', path: '/previews/{id}', name: 'getPreview', group: 'previews', needs: 'read' },
      scope: 'preview',
      summary: 'One preview',
      params: previewParam,
      answers: {
        200: {
          what: 'It, with the builds of which the log is kept, newest first, and what it took so far.',
          schema: previewSchema
            .extend({ builds: z.array(z.string()), cost: costSchema })
            .meta({ id: 'PreviewWithBuilds' }),
        },
      },
      async handle({ about }) {
        const [pins, builds] = await Promise.all([deps.pins.all(), deps.store.builds(about.id)]);
        return { status: 200, body: { ...viewOf(about, pins), builds, cost: costOf(about, deps.clock.now()) } };
      },
    }),
    ...ACTS.map((act) =>
      route({
        ...{
          method: 'post',
          path: `/previews/{id}/${act}`,
          name: `${act}Preview`,
          group: 'previews',
          needs: 'operate',
        },
        scope: 'preview',
        act,
        summary: SUMMARIES[act],
        params: previewParam,
        answers: {
          202: { what: 'It was noted, and will be done.', schema: hintedSchema },
          409: { what: 'There is nothing to do it to.' },
        },
        async handle({ about, principal }) {
          const why = await acts[act](about, principal.name);
          return why === undefined ? { status: 202, body: { hinted: about.id } } : refusal(409, why);
        },
      }),
    ),
  ];
}

/** A cursor that nobody was given, or was given for another order. */
export function badCursor(): Answer {
  const errors = [{ in: 'query', path: 'after', message: 'it is no cursor of this list' }];
  return refusal(400, 'The request cannot be taken: query after: it is no cursor of this list.', { errors });
}

export function viewOf(record: PreviewRecord, pins: ReadonlySet<PreviewId>): PreviewView {
  const { serving, attempt, wait } = record;
  return {
    id: record.id,
    repository: record.repository,
    branch: record.branch,
    state: record.state,
    reason: record.reason,
    changedAt: timeOf(record.changedAt),
    url: record.urls[0] ?? null,
    urls: [...record.urls],
    commit: serving?.commit ?? null,
    since: serving ? timeOf(serving.since) : null,
    position: wait?.position ?? null,
    about: wait?.aboutMs === undefined ? null : Math.round(wait.aboutMs / 1_000),
    pinned: pins.has(record.id),
    expiresAt: record.expiresAt === undefined ? null : timeOf(record.expiresAt),
    build: attempt ? viewOfAttempt(attempt) : null,
  };
}

export function viewOfAttempt(attempt: Attempt): BuildView {
  return {
    id: attempt.build,
    commit: attempt.commit,
    startedAt: timeOf(attempt.startedAt),
    stage: attempt.stage ?? null,
    stages: Object.fromEntries(Object.entries(attempt.stages).map(([name, one]) => [name, one?.ms ?? null])),
    outcome: attempt.outcome ?? null,
    message: attempt.message ?? null,
  };
}

function costOf(record: PreviewRecord, now: number): z.output<typeof costSchema> {
  const { builds, building, awake } = spentUntil(record, now);
  return { builds, buildSeconds: Math.round(building / 1_000), awakeSeconds: Math.round(awake / 1_000) };
}

/** Of milliseconds since the epoch. */
export function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
