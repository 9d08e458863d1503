/** What Treehouse runs on, how full it is, and what may be on it. */
import { z } from 'zod';
import type { HouseLimits } from '../domain/admission.ts';
import { type Route, route } from './route.ts';

export interface HostFacts {
  readonly engine: {
    readonly version: string;
    readonly api: string;
    readonly containers: number;
    readonly running: number;
  };
  readonly cores: number;
  /** Bytes. */
  readonly memory: number;
  readonly disks: readonly { readonly name: string; readonly size: number; readonly free: number }[];
}

export interface HostDeps {
  readonly version: string;
  readonly limits: HouseLimits;
  host(): Promise<HostFacts>;
  /** Why no build may begin for now. */
  pausedBecause(): Promise<string | undefined>;
}

const limit = () => z.int().nullable().meta({ description: 'null: no limit.' });

const hostSchema = z
  .strictObject({
    version: z.string().meta({ description: 'Of Treehouse.' }),
    engine: z.strictObject({ version: z.string(), api: z.string(), containers: z.int(), running: z.int() }),
    cores: z.int(),
    memory: z.int().meta({ description: 'Bytes.' }),
    disks: z.array(z.strictObject({ name: z.string(), size: z.number(), free: z.number() })).meta({
      description: 'What previews lie on; bytes.',
    }),
    limits: z.strictObject({ previews: limit(), running: limit(), builds: limit(), memory: limit() }),
    paused: z.string().nullable().meta({ description: 'Why no build may begin for now.' }),
  })
  .meta({ id: 'Host' });

export type HostView = z.output<typeof hostSchema>;

export function hostRoutes(deps: HostDeps): readonly Route[] {
  return [
    route({
      ...{ method: 'get', path: '/host', name: 'getHost', group: 'host', needs: 'read', scope: 'host' },
      summary: 'What Treehouse runs on, and how full it is',
      answers: { 200: { what: 'It, now.', schema: hostSchema } },
      async handle() {
        const [facts, paused] = await Promise.all([deps.host(), deps.pausedBecause()]);
        const { previews = null, running = null, builds = null, memory = null } = deps.limits;
        const disks = facts.disks.map(({ name, size, free }) => ({ name, size, free }));
        const limits = { previews, running, builds, memory };
        const body: z.output<typeof hostSchema> = {
          ...facts,
          ...{ version: deps.version, disks, limits, paused: paused ?? null },
        };
        return { status: 200, body };
      },
    }),
  ];
}
