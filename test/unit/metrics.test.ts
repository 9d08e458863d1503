/** What is counted, and how it is told to Prometheus. */
import { expect, it } from 'vitest';
import { buildId, type Commit, type PreviewId, type RepositoryName } from '../../src/domain/names.ts';
import type { Engine, Gateway } from '../../src/domain/ports.ts';
import type { PreviewRecord } from '../../src/domain/preview.ts';
import { TreehouseError } from '../../src/errors.ts';
import { countedEngine, countedGateway } from '../../src/metrics/counted.ts';
import { followAll } from '../../src/metrics/follow.ts';
import { createMeter, type Looked } from '../../src/metrics/meter.ts';
import { keptLog } from '../support/log.ts';

const id = 'main--shop' as PreviewId;
const repository = 'acme/shop' as RepositoryName;
const of = { at: 0, preview: id, build: buildId(1_700_000_000_000, 1) };
const LOOKED: Looked = {
  records: async () =>
    [{ state: 'live' }, { state: 'live' }, { state: 'asleep' }, { state: 'removed' }] as PreviewRecord[],
  queueing: async () => ({
    places: [{ id, repository, purpose: 'build' }],
    waiting: [{ id, repository, purpose: 'wake', since: 4_000 }],
    served: new Map(),
  }),
  visits: async () => [
    { host: 'a', last: 1, count: 3 },
    { host: 'b', last: 1, count: 4 },
  ],
  disks: async () => [{ path: '/srv', size: 100, free: 40 }],
  now: () => 10_000,
};

/** Of all samples, what Prometheus would read; a part of the name and labels chooses. */
async function samples(meter: ReturnType<typeof createMeter>, start: string): Promise<string[]> {
  return (await meter.registry.metrics()).split('\n').filter((line) => line.startsWith(start));
}

it('counts builds by how they ended, and times them and their stages', async () => {
  const meter = createMeter(LOOKED);
  meter.event({ type: 'build.live', ...of, commit: 'c' as Commit, urls: [], ms: 1_500 });
  meter.event({ type: 'build.failed', ...of, stage: 'build', code: 'x', kind: 'terminal', message: 'x', ms: 10 });
  meter.event({ type: 'stage.finished', ...of, stage: 'checkout', ms: 20 });
  meter.event({ type: 'log', ...of, stage: 'build', source: 'x', line: 'x' });
  meter.event({ type: 'preview.removed', at: 0, preview: id, cause: 'x', ms: 1 });
  expect(await samples(meter, 'treehouse_builds_total')).toEqual([
    'treehouse_builds_total{outcome="live"} 1',
    'treehouse_builds_total{outcome="failed"} 1',
    'treehouse_builds_total{outcome="superseded"} 0',
  ]);
  expect(await samples(meter, 'treehouse_build_seconds_sum{outcome="live"}')).toEqual([
    'treehouse_build_seconds_sum{outcome="live"} 1.5',
  ]);
  expect(await samples(meter, 'treehouse_stage_seconds_count')).toEqual([
    'treehouse_stage_seconds_count{stage="checkout"} 1',
  ]);
  expect(await samples(meter, 'treehouse_removals_total')).toEqual(['treehouse_removals_total 1']);
});

it('looks at previews, the queue, visits and disks when it is asked', async () => {
  const meter = createMeter(LOOKED);
  for (const [name, lines] of Object.entries({
    treehouse_previews: ['treehouse_previews{state="live"} 2', 'treehouse_previews{state="asleep"} 1'],
    'treehouse_queue{': [
      'treehouse_queue{purpose="build",place="running"} 1',
      'treehouse_queue{purpose="build",place="waiting"} 0',
      'treehouse_queue{purpose="wake",place="running"} 0',
      'treehouse_queue{purpose="wake",place="waiting"} 1',
    ],
    treehouse_queue_oldest_seconds: ['treehouse_queue_oldest_seconds 6'],
    treehouse_gateway_requests: ['treehouse_gateway_requests 7'],
    treehouse_disk_free_bytes: ['treehouse_disk_free_bytes{path="/srv"} 40'],
    treehouse_disk_size_bytes: ['treehouse_disk_size_bytes{path="/srv"} 100'],
  })) {
    expect(await samples(meter, name)).toEqual(lines);
  }
});

it('tells drift from leaks, and both from what could not be done', async () => {
  const meter = createMeter(LOOKED);
  const said = { name: 'x', why: 'x' };
  meter.swept([
    { what: 'preview', action: 'hint', ...said },
    { what: 'volume', action: 'remove', ...said },
    { what: 'volume', action: 'remove', ...said, failed: 'it is in use' },
    { what: 'volume', action: 'wait', ...said },
    { what: 'repository', action: 'leave', ...said },
  ]);
  expect(await samples(meter, 'treehouse_drift_total')).toEqual(['treehouse_drift_total 1']);
  expect(await samples(meter, 'treehouse_leaks_removed_total')).toEqual([
    'treehouse_leaks_removed_total{kind="volume"} 1',
  ]);
  expect(await samples(meter, 'treehouse_sweep_failures_total')).toEqual(['treehouse_sweep_failures_total 2']);
});

it('counts what the engine could not do, and changes of routes, and hands both on as they are', async () => {
  const meter = createMeter(LOOKED);
  const away = new TreehouseError('engine-away', 'it is away', { kind: 'transient' });
  const engine = countedEngine(
    {
      start: async () => Promise.reject(away),
      previews: async () => [],
      watchAll: () => () => undefined,
    } as unknown as Engine,
    meter,
  );
  await expect(engine.start('x')).rejects.toBe(away);
  expect(await engine.previews()).toEqual([]);
  expect(engine.watchAll(() => undefined)).toBeTypeOf('function');
  expect(await samples(meter, 'treehouse_engine_errors_total')).toEqual([
    'treehouse_engine_errors_total{code="engine-away"} 1',
  ]);
  let isNew = true;
  const gateway = countedGateway({ setRoutes: async () => isNew } as unknown as Gateway, meter);
  expect(await gateway.setRoutes(id, [])).toBe(true);
  isNew = false;
  expect(await gateway.setRoutes(id, [])).toBe(false);
  expect(await samples(meter, 'treehouse_route_changes_total')).toEqual(['treehouse_route_changes_total 1']);
});

it('goes on with the stream where it broke off, until it is ended', async () => {
  const event = { type: 'preview.removed', at: 0, preview: id, cause: 'x', ms: 1 } as const;
  const asked: (string | undefined)[] = [];
  let release = (): void => undefined;
  const seen = new Promise<void>((resolve) => {
    release = resolve;
  });
  const end = followAll(
    async function* ({ after, signal }) {
      asked.push(after);
      yield { cursor: `${asked.length}-0`, event };
      if (asked.length === 1) throw new Error('Redis is away');
      release();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    },
    () => undefined,
    keptLog().log,
    1,
  );
  await seen;
  await end();
  expect(asked).toEqual([undefined, '1-0']);
});
