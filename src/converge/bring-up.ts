/** Starts containers in the order of their dependencies and waits until each does what it is for. */
import type { ObservedContainer } from '../domain/observed.ts';
import type { Engine, OnLine, Probe } from '../domain/ports.ts';
import type { PreviewKey } from '../domain/preview.ts';
import type { Condition, StackService } from '../domain/stack.ts';
import { oneShotServices } from '../domain/start-plan.ts';
import { abortReason, TreehouseError } from '../errors.ts';

export interface StartItem {
  readonly service: StackService;
  readonly container: ObservedContainer;
  /** Done right before it starts. */
  before?(): Promise<void>;
}

export interface BringUpInput {
  readonly engine: Engine;
  readonly probe: Probe;
  readonly preview: PreviewKey;
  readonly items: readonly StartItem[];
  /** Milliseconds until all must be ready. */
  readonly limit: number;
  readonly onLine: OnLine;
  readonly signal: AbortSignal;
}

/** More restarts than this before it is ready, and it is called crashing. */
const MAX_RESTARTS = 5;
const TAIL_LINES = 20;
/** Should the engine's event stream break, its state is looked at this often. */
const LOOK_AGAIN = 1_000;

/** @returns the containers as they are when all are ready. @throws `not-healthy` or `start-failed` naming the service. */
export async function bringUp(input: BringUpInput): Promise<readonly ObservedContainer[]> {
  const pending = new Set(input.items.map((one) => one.service.name));
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(notHealthy([...pending], input.limit)), input.limit);
  const failed = new AbortController();
  const signal = AbortSignal.any([input.signal, limit.signal, failed.signal]);
  const oneShots = oneShotServices(input.items.map((one) => one.service));
  const progress = new Map<string, Record<Condition, Promise<unknown>>>();

  // Dependencies come first, so that a service finds the promises of those it waits for.
  for (const item of inOrder(input.items)) {
    const waits = item.service.dependsOn.map((one) => progress.get(one.service)?.[one.condition]);
    const started = Promise.all(waits).then(async () => {
      signal.throwIfAborted();
      await item.before?.();
      await input.engine.start(item.container.id);
      input.onLine(`${item.service.name} started`);
    });
    const oneShot = oneShots.has(item.service.name);
    const ready = started.then(async () => {
      const settled = await untilReady(input, item, oneShot, signal);
      pending.delete(item.service.name);
      input.onLine(`${item.service.name} ${settled}`);
    });
    for (const promise of [started, ready]) promise.catch((error: unknown) => failed.abort(error));
    progress.set(item.service.name, {
      service_started: started,
      service_healthy: ready,
      service_completed_successfully: ready,
    });
  }
  try {
    await Promise.all([...progress.values()].map((one) => one.service_healthy));
  } catch (error) {
    await Promise.allSettled([...progress.values()].map((one) => one.service_healthy));
    if (limit.signal.aborted) {
      for (const item of input.items) if (pending.has(item.service.name)) await tellTail(input, item);
    }
    throw signal.aborted ? reasonOf(signal, error) : error;
  } finally {
    clearTimeout(timer);
  }
  return lastLook(input, oneShots);
}

function reasonOf(signal: AbortSignal, error: unknown): unknown {
  return signal.reason instanceof Error ? signal.reason : error;
}

/** What needed no health check may have ended since it was seen running. */
async function lastLook(input: BringUpInput, oneShots: ReadonlySet<string>): Promise<readonly ObservedContainer[]> {
  return Promise.all(
    input.items.map(async (item) => {
      const state = await input.engine.container(item.container.id);
      const verdict = state ? judge(state, oneShots.has(item.service.name)) : 'ended';
      if (!state || verdict === 'ended') throw await ended(input, item, state);
      return state;
    }),
  );
}

function inOrder(items: readonly StartItem[]): readonly StartItem[] {
  const byName = new Map(items.map((one) => [one.service.name, one]));
  const sorted = new Set<StartItem>();
  const visit = (item: StartItem, path: ReadonlySet<string>): void => {
    if (sorted.has(item) || path.has(item.service.name)) return;
    for (const dependency of item.service.dependsOn) {
      const next = byName.get(dependency.service);
      if (next) visit(next, new Set([...path, item.service.name]));
    }
    sorted.add(item);
  };
  for (const item of items) visit(item, new Set());
  return [...sorted];
}

async function untilReady(
  input: BringUpInput,
  item: StartItem,
  oneShot: boolean,
  signal: AbortSignal,
): Promise<string> {
  const state = await watchUntil(input, item, signal, (container) => {
    const verdict = judge(container, oneShot);
    return verdict === 'wait' ? undefined : { container, verdict };
  });
  if (state.verdict === 'ended') throw await ended(input, item, state.container);
  if (state.verdict === 'unhealthy') {
    await tellTail(input, item);
    throw new TreehouseError('not-healthy', `${item.service.name} is unhealthy: its health check keeps failing`);
  }
  if (state.verdict === 'done') return 'ended well';
  if (!state.container.exposed) return state.container.health === 'healthy' ? 'is healthy' : 'runs';
  await untilListening(input, item, state.container, signal);
  return state.container.health === 'healthy' ? 'is healthy and listens' : 'listens';
}

type Verdict = 'wait' | 'ready' | 'done' | 'unhealthy' | 'ended';

function judge(container: ObservedContainer, oneShot: boolean): Verdict {
  if (container.restarts > MAX_RESTARTS) return 'ended';
  if (container.restarting) return 'wait';
  if (!container.running) return container.exitCode === 0 && !container.exposed ? 'done' : 'ended';
  if (oneShot) return 'wait';
  if (container.health === 'unhealthy') return 'unhealthy';
  return container.health === 'starting' ? 'wait' : 'ready';
}

/** The exposed port accepts a connection, unless the container ends first. */
async function untilListening(
  input: BringUpInput,
  item: StartItem,
  container: ObservedContainer,
  signal: AbortSignal,
): Promise<void> {
  const address = [...container.networks.values()].find((ip) => ip !== '') ?? '';
  const port = container.exposed?.port ?? 0;
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  try {
    await Promise.race([
      input.probe.listening(address, port, both).catch((error: unknown) => {
        if (!over.signal.aborted) throw error;
      }),
      watchUntil(input, item, both, (state) => (state.running || state.restarting ? undefined : state)).then(
        async (state) => {
          throw await ended(input, item, state);
        },
        (error: unknown) => {
          if (!over.signal.aborted) throw error;
        },
      ),
    ]);
  } finally {
    over.abort();
  }
}

async function watchUntil<T>(
  input: BringUpInput,
  item: StartItem,
  signal: AbortSignal,
  decide: (container: ObservedContainer) => T | undefined,
): Promise<T> {
  let wake: (() => void) | undefined;
  let changed = false;
  const unwatch = input.engine.watch(input.preview.id, () => {
    changed = true;
    wake?.();
  });
  const abort = () => wake?.();
  signal.addEventListener('abort', abort);
  try {
    for (;;) {
      if (signal.aborted) throw signal.reason instanceof Error ? signal.reason : abortReason(signal);
      changed = false;
      const state = await input.engine.container(item.container.id);
      if (!state)
        throw new TreehouseError('start-failed', `${item.service.name} was removed while it started`, {
          kind: 'transient',
        });
      const decision = decide(state);
      if (decision !== undefined) return decision;
      if (changed || signal.aborted) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LOOK_AGAIN);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } finally {
    unwatch();
    signal.removeEventListener('abort', abort);
  }
}

async function ended(
  input: BringUpInput,
  item: StartItem,
  state: ObservedContainer | undefined,
): Promise<TreehouseError> {
  await tellTail(input, item);
  const { name } = item.service;
  if (state && state.restarts > MAX_RESTARTS) {
    return new TreehouseError(
      'start-failed',
      `${name} keeps crashing: it exited ${state.restarts} times, last with code ${state.exitCode}`,
    );
  }
  return new TreehouseError('start-failed', `${name} exited with code ${state?.exitCode ?? '?'} instead of running`);
}

/** What the service said last, into the build's log. */
async function tellTail(input: BringUpInput, item: StartItem): Promise<void> {
  const say = (line: string) => input.onLine(line, item.service.name);
  await input.engine
    .logs(item.container.id, { tail: TAIL_LINES, follow: false }, say, AbortSignal.timeout(5_000))
    .catch(() => undefined);
}

function notHealthy(services: readonly string[], limit: number): TreehouseError {
  return new TreehouseError(
    'not-healthy',
    `${services.join(', ')} did not become healthy within ${Math.round(limit / 1000)} s`,
  );
}
