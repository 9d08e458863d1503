/** Previews in every state, with builds and logs, written into a store's Redis at once. */
import type { Redis } from 'ioredis';
import { storeKeys } from '../../src/adapters/redis-keys.ts';
import { writeRecords } from '../../src/adapters/redis-records.ts';
import type { BuildEvent, Stage } from '../../src/domain/events.ts';
import { STAGES } from '../../src/domain/events.ts';
import {
  type Branch,
  branchName,
  buildId,
  type Commit,
  commitId,
  previewId,
  repositoryName,
  repositorySlug,
} from '../../src/domain/names.ts';
import { newRecord, type PreviewRecord, transition } from '../../src/domain/preview.ts';

export interface Many {
  readonly prefix: string;
  readonly previews: number;
  /** Of each preview. */
  readonly builds: number;
  /** Of each build. */
  readonly lines: number;
  readonly now: number;
  readonly repositories: readonly string[];
  /** Instead of `feature-N`. */
  branch?(index: number): string;
  line?(index: number): string;
}

const TOOK: Readonly<Record<Stage, number>> = {
  ...{ checkout: 320, plan: 210, build: 21_400, test: 8_200, push: 2_900, start: 4_100, seed: 1_200, route: 40 },
};

/** @returns the records, by index */
export async function writeMany(redis: Redis, many: Many): Promise<readonly PreviewRecord[]> {
  const keys = storeKeys(many.prefix);
  const records: PreviewRecord[] = [];
  for (let index = 0; index < many.previews; index += 1) {
    const repository = repositoryName(many.repositories[index % many.repositories.length] ?? '');
    const branch = (many.branch?.(index) ?? `feature-${index}`) as Branch;
    const id = previewId(repositorySlug(repository), branchName(branch));
    const changed = many.now - index * 37_000 - 4_000;
    let record = newRecord({ id, repository, branch }, changed);
    const batch = redis.multi();
    for (let build = many.builds - 1; build >= 0; build -= 1) {
      const events = eventsOf(record, { at: changed - build * 3_600_000 - 40_000, index, build, many });
      record = events.reduce(transition, record);
      const name = (events[0] as { build: string }).build;
      batch.lpush(keys.builds(id), name);
      for (const event of events) batch.xadd(keys.build(id, name as never), '*', 'e', JSON.stringify(event));
    }
    record = inSomeState(record, index, changed);
    writeRecords(batch, keys, new Map([[id, JSON.stringify(record)]]));
    await batch.exec();
    records.push(record);
  }
  return records;
}

function inSomeState(record: PreviewRecord, index: number, at: number): PreviewRecord {
  const { id: preview } = record;
  const of = { preview, at };
  switch (index % 11) {
    case 3: {
      return transition(record, {
        ...of,
        type: 'preview.observed',
        state: 'asleep',
        cause: 'nobody visited it for 30 min',
        urls: record.urls,
      });
    }
    case 5:
      return transition(record, {
        ...{ ...of, type: 'preview.waiting', purpose: 'build', commit: 'f'.repeat(40) },
        ...{ position: 1 + (index % 7), because: 'two builds run', aboutMs: 95_000 },
      });
    default:
      return record;
  }
}

function eventsOf(
  record: PreviewRecord,
  {
    at,
    index,
    build,
    many,
  }: { readonly at: number; readonly index: number; readonly build: number; readonly many: Many },
): BuildEvent[] {
  const of = { preview: record.id, build: buildId(at, index % 1296) };
  const commit: Commit = commitId(`${index.toString(16)}${build.toString(16)}`.padStart(40, 'c0ffee'));
  const events: BuildEvent[] = [{ ...of, type: 'build.started', at, commit, cause: `${record.branch} was pushed` }];
  const isRed = index % 11 === 2 && build === 0;
  const isOpen = index % 11 === 1 && build === 0;
  let time = at;
  for (const stage of STAGES) {
    events.push({ ...of, type: 'stage.started', at: time, stage });
    if (stage === 'plan') {
      for (const [where, message] of [
        ['services.web.ports', 'published ports are reached through the gateway instead'],
        ['services.web.cap_add', 'capabilities are the few that policy gives'],
      ] as const)
        events.push({ ...of, type: 'change', at: time, path: where, message });
    }
    if (stage === 'build') {
      for (let line = 0; line < many.lines; line += 1) {
        const text = many.line?.(line) ?? `#${line} [build 2/5] RUN npm ci: package ${line}`;
        events.push({ ...of, type: 'log', at: time, stage, source: line % 5 === 0 ? 'treehouse' : 'web', line: text });
      }
      if (isOpen) return events;
    }
    if (stage === 'test' && isRed) {
      const message = 'the service test ended with exit code 1: 2 of 31 tests failed';
      events.push({
        ...of,
        type: 'build.failed',
        at: time,
        stage,
        code: 'test-failed',
        kind: 'terminal',
        message,
        ms: time - at,
      });
      return events;
    }
    time += TOOK[stage];
    events.push({ ...of, type: 'stage.finished', at: time, stage, ms: TOOK[stage] });
  }
  events.push({
    ...of,
    type: 'build.live',
    at: time,
    commit,
    urls: [`http://${record.id}.preview.localhost:8080/`],
    ms: time - at,
  });
  return events;
}
