/** What is counted, in the words of Prometheus (prometheus.io/docs/practices/naming). */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Queueing } from '../domain/admission.ts';
import type { BuildEvent } from '../domain/events.ts';
import type { Visit } from '../domain/ports.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import type { SweepLine } from '../domain/sweep.ts';

/** What is looked at when somebody asks, and not before. */
export interface Looked {
  records(): Promise<readonly PreviewRecord[]>;
  queueing(): Promise<Queueing>;
  visits(): Promise<readonly Visit[]>;
  /** Bytes. */
  disks(): Promise<readonly { readonly path: string; readonly size: number; readonly free: number }[]>;
  /** Milliseconds since the epoch. */
  now(): number;
}

export interface Meter {
  readonly registry: Registry;
  /** Reads one event of the common stream. */
  event(event: BuildEvent): void;
  /** A delivery was answered. */
  delivery(event: string | undefined, outcome: string): void;
  /** A sweep was carried out. */
  swept(lines: readonly SweepLine[]): void;
  routesChanged(): void;
  engineFailed(code: string): void;
  linesShipped(outcome: 'shipped' | 'dropped', count: number): void;
}

/** Seconds: from a small stack's stages to what time limits end. */
const STAGE_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600];

export function createMeter(looked: Looked): Meter {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const builds = new Counter({
    ...{ name: 'treehouse_builds_total', help: 'Builds that ended.', labelNames: ['outcome'], registers },
  });
  const buildSeconds = new Histogram({
    ...{ name: 'treehouse_build_seconds', help: 'How long builds took.', labelNames: ['outcome'], registers },
    buckets: STAGE_BUCKETS,
  });
  const stageSeconds = new Histogram({
    ...{
      name: 'treehouse_stage_seconds',
      help: 'How long stages took that ended well.',
      labelNames: ['stage'],
      registers,
    },
    buckets: STAGE_BUCKETS,
  });
  const removals = new Counter({ name: 'treehouse_removals_total', help: 'Previews that were removed.', registers });
  const deliveries = new Counter({
    ...{ name: 'treehouse_webhook_deliveries_total', help: 'Deliveries that were answered.', registers },
    labelNames: ['event', 'outcome'],
  });
  const drift = new Counter({
    name: 'treehouse_drift_total',
    help: 'Previews that a sweep found otherwise than they should be.',
    registers,
  });
  const leaks = new Counter({
    ...{ name: 'treehouse_leaks_removed_total', help: 'Things that belonged to nothing and were removed.', registers },
    labelNames: ['kind'],
  });
  const unswept = new Counter({
    name: 'treehouse_sweep_failures_total',
    help: 'Parts of sweeps that could not be done.',
    registers,
  });
  const routes = new Counter({
    name: 'treehouse_route_changes_total',
    help: 'Changes of previews’ routes.',
    registers,
  });
  const engine = new Counter({
    ...{ name: 'treehouse_engine_errors_total', help: 'Questions to the engine that failed.', registers },
    labelNames: ['code'],
  });
  const shipped = new Counter({
    ...{ name: 'treehouse_log_lines_total', help: 'Lines of containers on their way to other logs.', registers },
    labelNames: ['outcome'],
  });
  for (const outcome of ['live', 'failed', 'superseded']) builds.inc({ outcome }, 0);
  engine.inc({ code: 'engine-away' }, 0);
  for (const outcome of ['shipped', 'dropped']) shipped.inc({ outcome }, 0);
  lookedAt(looked, registers);

  return {
    registry,
    event(event) {
      const outcome = OUTCOMES[event.type];
      if (outcome !== undefined && 'ms' in event) {
        builds.inc({ outcome });
        buildSeconds.observe({ outcome }, event.ms / 1_000);
      } else if (event.type === 'stage.finished') stageSeconds.observe({ stage: event.stage }, event.ms / 1_000);
      else if (event.type === 'preview.removed') removals.inc();
    },
    delivery: (event = '', outcome) => deliveries.inc({ event, outcome }),
    swept(lines) {
      for (const { action, what, failed } of lines) {
        const isUnread = what === 'repository' || what === 'place' || (what === 'pull requests' && action === 'leave');
        if (failed !== undefined || isUnread) unswept.inc();
        else if (action === 'hint') drift.inc();
        else if (action === 'remove') leaks.inc({ kind: what });
      }
    },
    routesChanged: () => routes.inc(),
    engineFailed: (code) => engine.inc({ code }),
    linesShipped: (outcome, count) => shipped.inc({ outcome }, count),
  };
}

const OUTCOMES: Readonly<Partial<Record<BuildEvent['type'], string>>> = {
  'build.live': 'live',
  'build.failed': 'failed',
  'build.superseded': 'superseded',
};

function lookedAt(looked: Looked, registers: Registry[]): void {
  new Gauge({
    ...{ name: 'treehouse_previews', help: 'Previews by state.', labelNames: ['state'], registers },
    async collect() {
      this.reset();
      for (const one of await looked.records()) if (one.state !== 'removed') this.inc({ state: one.state });
    },
  });
  new Gauge({
    ...{ name: 'treehouse_queue', help: 'Who builds or wakes, and who waits to.', registers },
    labelNames: ['purpose', 'place'],
    async collect() {
      this.reset();
      const { places, waiting } = await looked.queueing();
      for (const purpose of ['build', 'wake']) {
        this.set({ purpose, place: 'running' }, places.filter((one) => one.purpose === purpose).length);
        this.set({ purpose, place: 'waiting' }, waiting.filter((one) => one.purpose === purpose).length);
      }
    },
  });
  new Gauge({
    ...{
      name: 'treehouse_queue_oldest_seconds',
      help: 'How long the one has waited that waits the longest.',
      registers,
    },
    async collect() {
      const since = (await looked.queueing()).waiting.map((one) => one.since);
      this.set(since.length === 0 ? 0 : Math.max(0, looked.now() - Math.min(...since)) / 1_000);
    },
  });
  new Gauge({
    ...{ name: 'treehouse_gateway_requests', help: 'Requests to previews since nginx started.', registers },
    async collect() {
      this.set((await looked.visits()).reduce((sum, one) => sum + one.count, 0));
    },
  });
  for (const part of ['size', 'free'] as const) {
    new Gauge({
      ...{ name: `treehouse_disk_${part}_bytes`, help: `The disks that previews lie on: ${part}.`, registers },
      labelNames: ['path'],
      async collect() {
        this.reset();
        for (const one of await looked.disks()) this.set({ path: one.path }, one[part]);
      },
    });
  }
}
