/** A sweep: what it would do, and doing it. */
import { z } from 'zod';
import { KINDS, type Sweep } from '../domain/sweep.ts';
import { type Route, route } from './route.ts';

const reportSchema = z
  .strictObject({
    dryRun: z.boolean(),
    lines: z.array(
      z.strictObject({
        what: z.enum([...KINDS, 'preview', 'repository', 'pull requests', 'place']),
        name: z.string(),
        why: z.string(),
        action: z.enum(['hint', 'remove', 'wait', 'leave', 'note']),
        failed: z.string().optional().meta({ description: 'Why it could not be done.' }),
      }),
    ),
  })
  .meta({ id: 'SweepReport' });

export function sweepRoutes(sweep: Sweep): readonly Route[] {
  const common = { path: '/sweep', group: 'host', needs: 'administer', scope: 'host' } as const;
  return [
    route({
      ...{ ...common, method: 'get', name: 'planSweep', needs: 'read' },
      summary: 'What a sweep would do now, and why',
      answers: { 200: { what: 'Nothing of it was done.', schema: reportSchema } },
      handle: async () => ({ status: 200, body: await sweep({ dryRun: true }) }),
    }),
    route({
      ...{ ...common, method: 'post', name: 'sweep', act: 'sweep' },
      summary: 'Look at everything now',
      answers: { 200: { what: 'What was done.', schema: reportSchema } },
      handle: async () => ({ status: 200, body: await sweep({ dryRun: false }) }),
    }),
  ];
}
