/**
 * Writes events to Redis in batches, in order, each exactly once. It never fails a build: while Redis is away it remembers
 * what it can, and forgets the oldest output first.
 */
import { randomUUID } from 'node:crypto';
import type { ChainableCommander } from 'ioredis';
import type { BuildEvent } from '../domain/events.ts';
import type { BuildId, PreviewId } from '../domain/names.ts';
import { newRecord, type PreviewKey, type PreviewRecord, transition } from '../domain/preview.ts';
import { type Connections, KEEP_BUILDS, type StoreKeys } from './redis-keys.ts';
import { writeRecords } from './redis-records.ts';

export interface WriterOptions {
  readonly redis: Connections;
  readonly keys: StoreKeys;
  /** Which branch a preview is of, should its record be lost. */
  readonly keyOf: (id: PreviewId) => PreviewKey | undefined;
  /** Something was given up; the builds go on. */
  readonly onLoss: (message: string, error?: unknown) => void;
  readonly limits?: Partial<WriterLimits>;
}

export interface WriterLimits {
  /** Of one build's stream; the end is kept. */
  readonly buildBytes: number;
  /** Of what waits to be written. */
  readonly bufferBytes: number;
  /** Of one line of output. */
  readonly lineBytes: number;
  /** How many builds of a preview are remembered. */
  readonly builds: number;
  /** About how many events the common stream keeps. */
  readonly events: number;
}

const LIMITS: WriterLimits = {
  buildBytes: 5 * 1024 * 1024,
  bufferBytes: 5 * 1024 * 1024,
  lineBytes: 16 * 1024,
  builds: 20,
  events: 10_000,
};

export interface EventWriter {
  /** Resolves at once for a log line; else when the event is written, but after 2 s at the latest. Never rejects. */
  append(event: BuildEvent): Promise<void>;
  /** Writes what waits, for at most `ms`. */
  close(ms: number): Promise<void>;
}

interface Item {
  readonly event: BuildEvent;
  readonly json: string;
  readonly bytes: number;
  readonly written: () => void;
}

/** Sizes of the entries of one build's stream, oldest first. */
interface Sizes {
  readonly build: BuildId;
  entries: number[];
  total: number;
}

type Command = (pipeline: ChainableCommander) => void;

const APPEND_MS = 2_000;
const BATCH_EVENTS = 1_000;
const BATCH_BYTES = 1024 * 1024;
const RETRY_MS = 250;
/** How often a batch is tried that Redis answers with an error; one that gets no answer is tried for ever. */
const REFUSALS_MAX = 5;
/** What an entry takes beside its JSON, roughly. */
const ENTRY_BYTES = 32;

export function eventWriter(options: WriterOptions): EventWriter {
  const { redis, keys } = options;
  const limits = { ...LIMITS, ...options.limits };
  const connection = redis.quick();
  const writer = randomUUID();
  const sizes = new Map<PreviewId, Sizes[]>();
  /** Lines that were dropped since the last batch, by build. */
  const dropped = new Map<string, { readonly like: BuildEvent & { type: 'log' }; count: number }>();
  let waiting: Item[] = [];
  let waitingBytes = 0;
  let batches = 0;
  let writing: Promise<void> | undefined;
  let closed = false;

  function append(event: BuildEvent): Promise<void> {
    if (closed) return Promise.resolve();
    if (event.type === 'log') {
      enqueue(event, () => {});
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, APPEND_MS);
      enqueue(event, () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  function enqueue(event: BuildEvent, written: () => void): void {
    const item = itemOf(event, limits.lineBytes, written);
    waiting.push(item);
    waitingBytes += item.bytes;
    if (waitingBytes > limits.bufferBytes) shed();
    writing ??= writeAll();
  }

  /** Makes room: drops output first, the oldest first. */
  function shed(): void {
    const room = limits.bufferBytes * 0.8;
    const keepUnless = (drop: (item: Item) => boolean) => {
      waiting = waiting.filter((item) => {
        if (waitingBytes <= room || !drop(item)) return true;
        waitingBytes -= item.bytes;
        item.written();
        if (item.event.type === 'log') missing(item.event);
        return false;
      });
    };
    keepUnless((item) => item.event.type === 'log');
    keepUnless(() => true);
  }

  function missing(event: BuildEvent & { type: 'log' }): void {
    const key = `${event.preview}:${event.build}`;
    const entry = dropped.get(key) ?? { like: event, count: 0 };
    entry.count += 1;
    dropped.set(key, entry);
  }

  async function writeAll(): Promise<void> {
    // What is said in the same turn goes in one batch.
    await new Promise((resolve) => setImmediate(resolve));
    while (!closed && (waiting.length > 0 || dropped.size > 0)) {
      const batch = takeBatch();
      await writeBatch(batch, commandsOf(batch));
      for (const item of batch) item.written();
    }
    writing = undefined;
  }

  function takeBatch(): Item[] {
    const batch: Item[] = [];
    for (const { like, count } of dropped.values()) {
      const line = `(${count} lines are missing here: Redis was away, or slower than the output)`;
      batch.push(itemOf({ ...like, source: 'treehouse', line }, limits.lineBytes, () => {}));
    }
    dropped.clear();
    let bytes = 0;
    let count = 0;
    while (count < waiting.length && count < BATCH_EVENTS && bytes < BATCH_BYTES) {
      bytes += waiting[count]?.bytes ?? 0;
      count += 1;
    }
    batch.push(...waiting.splice(0, count));
    waitingBytes -= bytes;
    return batch;
  }

  /** The batch's writes to streams; worked out once, since they count what they add. */
  function commandsOf(batch: readonly Item[]): readonly Command[] {
    const commands: Command[] = [];
    const touched = new Set<Sizes>();
    for (const { event, json, bytes } of batch) {
      if (event.type !== 'log') {
        commands.push((pipeline) => pipeline.xadd(keys.events, 'MAXLEN', '~', limits.events, '*', 'e', json));
      }
      if ('build' in event) {
        const { preview, build } = event;
        if (event.type === 'build.started') {
          sizes.delete(preview);
          commands.push(keepBuilds(preview, build, limits.builds));
        }
        commands.push((pipeline) => pipeline.xadd(keys.build(preview, build), '*', 'e', json));
        touched.add(grow(preview, build, bytes));
      }
      if (event.type === 'preview.removed') {
        sizes.delete(event.preview);
        commands.push(keepBuilds(event.preview, undefined, 0));
      }
    }
    for (const [preview, all] of sizes) {
      for (const one of all) {
        if (!touched.has(one) || one.total <= limits.buildBytes) continue;
        const left = trim(one, limits.buildBytes * 0.9);
        commands.push((pipeline) => pipeline.xtrim(keys.build(preview, one.build), 'MAXLEN', left));
      }
    }
    return commands;
  }

  function keepBuilds(preview: PreviewId, build: BuildId | undefined, count: number): Command {
    const streams = keys.build(preview, '' as BuildId);
    return (pipeline) => pipeline.eval(KEEP_BUILDS, 1, keys.builds(preview), build ?? '', count, streams);
  }

  function grow(preview: PreviewId, build: BuildId, bytes: number): Sizes {
    const all = sizes.get(preview) ?? [];
    sizes.set(preview, all);
    let one = all.find((candidate) => candidate.build === build);
    if (!one) {
      one = { build, entries: [], total: 0 };
      all.push(one);
    }
    one.entries.push(bytes);
    one.total += bytes;
    return one;
  }

  async function writeBatch(batch: readonly Item[], commands: readonly Command[]): Promise<void> {
    batches += 1;
    const number = String(batches);
    let refusals = 0;
    for (let attempt = 0; !closed; attempt += 1) {
      try {
        await redis.ready(connection);
        // An attempt that seemed to fail may have gone through.
        if (attempt > 0 && (await connection.get(keys.batch(writer))) === number) return;
        const records = await recordsAfter(batch);
        const pipeline = connection.multi();
        for (const command of commands) command(pipeline);
        if (records.size > 0) writeRecords(pipeline, keys, records);
        pipeline.set(keys.batch(writer), number, 'EX', 86_400);
        const replies = await pipeline.exec();
        const fault = replies?.find(([error]) => error !== null)?.[0];
        if (fault) options.onLoss('Redis refused a part of what a build said', fault);
        return;
      } catch (error) {
        if (isRefusal(error)) refusals += 1;
        if (refusals >= REFUSALS_MAX) {
          options.onLoss(`Redis refused ${batch.length} events of builds; they are dropped`, error);
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  /** The records that the batch changes, as JSON. */
  async function recordsAfter(batch: readonly Item[]): Promise<Map<string, string>> {
    const events = batch.map((item) => item.event).filter((event) => event.type !== 'log' && event.type !== 'change');
    const ids = [...new Set(events.map((event) => event.preview))];
    if (ids.length === 0) return new Map();
    const stored = await connection.hmget(keys.records, ...ids);
    const changed = new Map<string, string>();
    for (const [at, id] of ids.entries()) {
      const text = stored[at];
      let record = text ? (JSON.parse(text) as PreviewRecord) : undefined;
      for (const event of events) {
        if (event.preview !== id) continue;
        const key = options.keyOf(id);
        record ??= key ? newRecord(key, event.at) : undefined;
        if (record) record = transition(record, event);
      }
      if (record) changed.set(id, JSON.stringify(record));
    }
    return changed;
  }

  return {
    append,
    close: async (ms) => {
      let timer: NodeJS.Timeout | undefined;
      const enough = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, ms);
      });
      await Promise.race([writing, enough]);
      clearTimeout(timer);
      closed = true;
      connection.disconnect();
    },
  };
}

function itemOf(event: BuildEvent, lineBytes: number, written: () => void): Item {
  const json = JSON.stringify(event.type === 'log' ? { ...event, line: cutLine(event.line, lineBytes) } : event);
  return { event, json, bytes: Buffer.byteLength(json) + ENTRY_BYTES, written };
}

/** The line's beginning, and how much more there was. */
export function cutLine(line: string, max: number): string {
  if (line.length * 3 <= max) return line;
  const bytes = Buffer.from(line);
  if (bytes.length <= max) return line;
  // With `stream` the decoder leaves a character out that the cut goes through.
  const kept = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(0, max), { stream: true });
  return `${kept}… (${bytes.length - max} more bytes)`;
}

/** Forgets the oldest entries until `bytes` are left; returns how many entries are. */
function trim(sizes: Sizes, bytes: number): number {
  let gone = 0;
  while (sizes.total > bytes && gone < sizes.entries.length) {
    sizes.total -= sizes.entries[gone] ?? 0;
    gone += 1;
  }
  sizes.entries = sizes.entries.slice(gone);
  return sizes.entries.length;
}

/** Redis answered, and said no. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError';
}
