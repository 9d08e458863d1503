/** Looks after what containers take of the host, for as long as Treehouse runs: see domain/neighbours.ts. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Change, judge, type Memory } from './domain/neighbours.ts';
import type { Engine, Shares, Store } from './domain/ports.ts';
import { messageOf } from './errors.ts';
import type { Logger } from './log.ts';

export interface NeighbourOptions {
  readonly shares: Shares;
  readonly engine: Pick<Engine, 'watchAll'>;
  readonly store: Pick<Store, 'append' | 'record'>;
  readonly log: Logger;
}

/** Milliseconds between two looks. */
const LOOK_MS = 250;
/** From here on containers are looked at one by one. */
const CLOSER = 0.5;
/** Looks after which what runs is asked for though no event told of a change. */
const ANEW = 20;

/** Looks until `stop`; what cannot be read or given is said once, and tried again. */
export function keepNeighbours({ shares, engine, store, log }: NeighbourOptions): { stop(): Promise<void> } {
  const over = new AbortController();
  let memory: Memory = new Map();
  // What an earlier Treehouse set apart is found by the first look.
  let closer = true;
  let stale = true;
  let looks = 0;
  let fault = '';
  const unwatch = engine.watchAll(() => {
    stale = true;
  });

  async function look(): Promise<void> {
    const busy = await shares.busy();
    if (!closer && busy < CLOSER) return;
    const anew = stale || looks++ % ANEW === 0;
    stale = false;
    const taken = await shares.taken(anew);
    const judged = judge(memory, { at: performance.now(), busy, cores: shares.cores, taken });
    memory = judged.memory;
    await Promise.all(judged.changes.map((one) => shares.give(one.of.container, one.share)));
    for (const change of judged.changes) await tell(change);
    closer = [...memory.values()].some((one) => one.share !== 'usual');
  }

  async function tell({ of, why, share }: Change): Promise<void> {
    log.info(
      { preview: of.preview, service: of.service, share, reason: why },
      'a container has another share of the host',
    );
    const build = (await store.record(of.preview).catch(() => undefined))?.attempt?.build ?? of.build;
    const line = `services.${of.service} ${why}`;
    await store.append({
      ...{ type: 'log', at: Date.now(), preview: of.preview, build },
      ...{ stage: 'start', source: 'treehouse', line },
    });
  }

  async function run(): Promise<void> {
    while (!over.signal.aborted) {
      const began = performance.now();
      const before = fault;
      fault = '';
      await look().catch((error: unknown) => {
        fault = messageOf(error);
        if (fault !== before) log.warn({ reason: fault }, 'previews are not kept from slowing each other down');
      });
      // On a crowded host a look takes long, and is what ends that: half of the time at most.
      const pause = Math.max(LOOK_MS, performance.now() - began);
      await delay(pause, undefined, { signal: over.signal, ref: false }).catch(() => undefined);
    }
  }

  const running = run();
  return {
    async stop() {
      unwatch();
      over.abort();
      await running;
    },
  };
}
