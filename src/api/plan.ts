/** One preview's plan: what is wanted, what there is, and what comes next. */
import { z } from 'zod';
import type { Explanation } from '../domain/explanation.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import { type Route, route } from './route.ts';
import { previewParam } from './schemas.ts';

export interface PlanDeps {
  /** @throws transient where the remote, the engine or the gateway does not answer. */
  explain(record: PreviewRecord, signal: AbortSignal): Promise<Explanation>;
}

const planSchema = z
  .strictObject({
    desired: z.strictObject({
      commit: z.string().nullable().meta({ description: 'Where the branch is; null: it is to have no preview.' }),
      cause: z.string().nullable().meta({ description: 'Why it is to have none.' }),
    }),
    observed: z.strictObject({
      containers: z.array(z.string()),
      networks: z.array(z.string()),
      volumes: z.array(z.string()),
      images: z.array(z.string()),
      routes: z.array(z.strictObject({ host: z.string(), upstream: z.string(), build: z.string() })),
    }),
    next: z.enum(['nothing', 'converge', 'remove']),
    why: z.string(),
  })
  .meta({ id: 'Plan' });

export function planRoutes({ explain }: PlanDeps): readonly Route[] {
  return [
    route({
      ...{ method: 'get', path: '/previews/{id}/plan', name: 'getPlan', group: 'previews', needs: 'read' },
      scope: 'preview',
      summary: 'What is wanted of it, what there is, and what would be done about it; asks the remote',
      params: previewParam,
      answers: { 200: { what: 'Its plan.', schema: planSchema } },
      async handle({ about, signal }) {
        const { desired, stack, routes, next, why } = await explain(about, signal);
        const observed = {
          containers: stack.containers.map((one) => one.name),
          networks: stack.networks.map((one) => one.name),
          volumes: stack.volumes.map((one) => one.name),
          images: stack.images.map((one) => one.reference),
          routes: routes.map(({ host, upstream, build }) => ({ host, upstream, build })),
        };
        const wanted =
          desired.kind === 'present' ? { commit: desired.commit, cause: null } : { commit: null, cause: desired.cause };
        return { status: 200, body: { desired: wanted, observed, next, why } };
      },
    }),
  ];
}
