/** What runs of a preview now: its containers with what they use, and what they print. */
import { z } from 'zod';
import type { PreviewId } from '../domain/names.ts';
import type { ObservedContainer } from '../domain/observed.ts';
import type { Engine } from '../domain/ports.ts';
import { type Route, refusal, route } from './route.ts';
import { previewParam } from './schemas.ts';
import { type StreamEvent, sendStream, wantsStream } from './stream.ts';

/** What a container takes of the host, now. */
export interface ContainerUse {
  /** Bytes, without what the kernel would give back at once. */
  readonly memory: number;
  readonly memoryLimit: number;
  /** Cores, since the last second. */
  readonly cpu: number;
  readonly processes: number;
}

export interface LiveDeps {
  readonly engine: Pick<Engine, 'observe' | 'logs'>;
  /** Undefined where it does not run. */
  use(container: string): Promise<ContainerUse | undefined>;
  /** Bytes that it wrote beside its image and volumes; undefined where it is not there. */
  disk(container: string): Promise<number | undefined>;
}

const containerSchema = z
  .strictObject({
    name: z.string(),
    service: z.string(),
    state: z.enum(['running', 'restarting', 'stopped']),
    health: z.enum(['none', 'starting', 'healthy', 'unhealthy']),
    exitCode: z.int().nullable().meta({ description: 'Where it does not run.' }),
    restarts: z.int(),
    image: z.string(),
    commit: z.string(),
    build: z.string(),
    exposed: z.strictObject({ host: z.string(), port: z.int() }).nullable(),
    memory: z.int().nullable().meta({ description: 'Bytes.' }),
    memoryLimit: z.int().nullable().meta({ description: 'Bytes.' }),
    cpu: z.number().nullable().meta({ description: 'Cores.' }),
    processes: z.int().nullable(),
    disk: z.int().nullable().meta({ description: 'Bytes that it wrote beside its image and volumes.' }),
  })
  .meta({ id: 'Container' });

export type ContainerView = z.output<typeof containerSchema>;

/** Lines of one container that are read at once. */
const TAIL_MAX = 5_000;

export function liveRoutes({ engine, use, disk }: LiveDeps): readonly Route[] {
  return [
    route({
      ...{ method: 'get', path: '/previews/{id}/containers', name: 'listContainers', group: 'previews', needs: 'read' },
      scope: 'preview',
      summary: 'Its containers, and what they use now',
      params: previewParam,
      answers: { 200: { what: 'All of them.', schema: z.strictObject({ containers: z.array(containerSchema) }) } },
      async handle({ about }) {
        const found = await containersOf(engine, about.id);
        const containers = await Promise.all(
          found.map(async (one) => {
            const [used, written] = await Promise.all([one.running ? use(one.id) : undefined, disk(one.id)]);
            return viewOf(one, used, written);
          }),
        );
        return { status: 200, body: { containers } };
      },
    }),
    route({
      ...{ method: 'get', path: '/previews/{id}/logs', name: 'readLogs', group: 'previews', needs: 'read' },
      scope: 'preview',
      summary: 'What its services print: the last lines, or with Accept: text/event-stream as it comes',
      params: previewParam,
      query: z.strictObject({
        service: z.string().max(255).optional().meta({ description: 'Only this service.' }),
        tail: z.coerce.number().int().min(0).max(TAIL_MAX).default(200).meta({ description: 'Lines of each service.' }),
        since: z.iso.datetime({ offset: true }).optional().meta({ description: 'Leave out what was printed before.' }),
      }),
      answers: {
        200: {
          what: 'The lines, service by service.',
          schema: z.strictObject({
            services: z.array(z.strictObject({ service: z.string(), lines: z.array(z.string()) })),
          }),
        },
      },
      async handle({ about, query, req, res, signal }) {
        const all = await containersOf(engine, about.id);
        const chosen = query.service === undefined ? all : all.filter((one) => one.service === query.service);
        if (query.service !== undefined && chosen.length === 0) {
          const known = [...new Set(all.map((one) => one.service))].sort().join(', ');
          return refusal(404, `It has no service ${query.service}${known === '' ? '' : `; it has ${known}`}.`);
        }
        const wanted = { tail: query.tail, ...(query.since === undefined ? {} : { since: Date.parse(query.since) }) };
        if (wantsStream(req)) {
          await sendStream(res, follow(engine, chosen, wanted, signal), signal);
          return undefined;
        }
        const services = await Promise.all(
          chosen.map(async ({ id, service }) => {
            const lines: string[] = [];
            await engine.logs(id, { ...wanted, follow: false }, (line) => lines.push(line), signal);
            return { service, lines };
          }),
        );
        return { status: 200, body: { services } };
      },
    }),
  ];
}

async function containersOf(engine: LiveDeps['engine'], id: PreviewId): Promise<readonly ObservedContainer[]> {
  const { containers } = await engine.observe(id);
  const app = containers.filter((one) => one.role === 'app');
  return [...app].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Lines that wait for a slow reader; who reads more slowly than is printed misses some, and is told. */
const WAITING_MAX = 2_000;

/** All chosen containers' lines as they come, until the last of them ends. */
async function* follow(
  engine: LiveDeps['engine'],
  containers: readonly ObservedContainer[],
  wanted: { readonly tail: number; readonly since?: number },
  signal: AbortSignal,
): AsyncGenerator<StreamEvent> {
  const waiting: StreamEvent[] = [];
  let missed = 0;
  let wake: () => void = () => undefined;
  const take = (service: string, line: string) => {
    if (waiting.length >= WAITING_MAX) missed += 1;
    else waiting.push({ type: 'log', data: { service, line } });
    wake();
  };
  signal.addEventListener('abort', () => wake(), { once: true });
  let open = containers.length;
  for (const { id, service } of containers) {
    engine
      .logs(id, { ...wanted, follow: true }, (line) => take(service, line), signal)
      .catch(() => undefined) // What runs no more has ended its log.
      .finally(() => {
        open -= 1;
        wake();
      });
  }
  while (!signal.aborted) {
    const next = waiting.shift();
    if (next) {
      yield next;
      if (missed > 0 && waiting.length === 0) {
        yield { type: 'missed', data: { lines: missed } };
        missed = 0;
      }
      continue;
    }
    if (open === 0) return;
    await new Promise<void>((resolve) => {
      wake = resolve;
      if (waiting.length > 0 || open === 0 || signal.aborted) resolve();
    });
  }
}

function viewOf(
  one: ObservedContainer,
  used: ContainerUse | undefined,
  written: number | undefined,
): z.output<typeof containerSchema> {
  return {
    name: one.name,
    service: one.service,
    state: one.restarting ? 'restarting' : one.running ? 'running' : 'stopped',
    health: one.health,
    exitCode: one.running ? null : one.exitCode,
    restarts: one.restarts,
    image: one.image,
    commit: one.commit,
    build: one.build,
    exposed: one.exposed ?? null,
    memory: used?.memory ?? null,
    memoryLimit: used?.memoryLimit ?? null,
    cpu: used?.cpu ?? null,
    processes: used?.processes ?? null,
    disk: written ?? null,
  };
}
