/** What Treehouse runs on, how full it is, and what may be on it. */
import { z } from 'zod';
import type { HouseLimits } from '../domain/admission.ts';
import type { AgreementView } from '../domain/agreement.ts';
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
  /** How far all is as the forge has it; undefined without credentials. */
  readonly agreement?: (() => Promise<AgreementView>) | undefined;
}

const limit = () => z.int().nullable().meta({ description: 'null: no limit.' });

const time = () => z.iso.datetime().nullable();

const forgeSchema = z
  .strictObject({
    host: z.string(),
    installations: z.array(
      z.strictObject({
        owner: z.string().nullable().meta({ description: 'Whose installation of the App it is; null: it is a token.' }),
        agreedAt: time().meta({
          description: 'When the forge last told of every open pull request of all that it shows; null: not yet.',
        }),
        faults: z
          .array(z.strictObject({ repositories: z.array(z.string()), why: z.string() }))
          .meta({ description: 'What it did not tell of the last time, and why.' }),
      }),
    ),
    deliveries: z
      .strictObject({ doneAt: time(), fault: z.string().nullable() })
      .nullable()
      .meta({ description: 'When lost deliveries were last asked for again, and why not since; null: it is a token.' }),
  })
  .meta({ id: 'Forge', description: 'How far what is known of pull requests is what the forge says.' });

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
    forge: forgeSchema.optional().meta({ description: 'Not there without credentials of one.' }),
  })
  .meta({ id: 'Host' });

export type HostView = z.output<typeof hostSchema>;
export type ForgeView = z.output<typeof forgeSchema>;

export function hostRoutes(deps: HostDeps): readonly Route[] {
  return [
    route({
      ...{ method: 'get', path: '/host', name: 'getHost', group: 'host', needs: 'read', scope: 'host' },
      summary: 'What Treehouse runs on, and how full it is',
      answers: { 200: { what: 'It, now.', schema: hostSchema } },
      async handle() {
        const [facts, paused, agreement] = await Promise.all([deps.host(), deps.pausedBecause(), deps.agreement?.()]);
        const { previews = null, running = null, builds = null, memory = null } = deps.limits;
        const disks = facts.disks.map(({ name, size, free }) => ({ name, size, free }));
        const limits = { previews, running, builds, memory };
        const body: z.output<typeof hostSchema> = {
          ...facts,
          ...{ version: deps.version, disks, limits, paused: paused ?? null },
          ...(agreement ? { forge: forgeIn(agreement) } : {}),
        };
        return { status: 200, body };
      },
    }),
  ];
}

function forgeIn({ host, installations, deliveries }: AgreementView): z.output<typeof forgeSchema> {
  const text = (at: number | undefined) => (at === undefined ? null : new Date(at).toISOString());
  return {
    host,
    installations: installations.map(({ owner, agreedAt, faults }) => ({
      ...{ owner: owner ?? null, agreedAt: text(agreedAt) },
      faults: faults.map(({ repositories, why }) => ({ repositories: [...repositories], why })),
    })),
    deliveries: deliveries ? { doneAt: text(deliveries.doneAt), fault: deliveries.fault ?? null } : null,
  };
}
