/** Lets converges build and wake as there is room: observes, decides, gives places away, and tells those who wait. */
import {
  type Admitted,
  admit,
  type House,
  type MakesRoom,
  type PlaceBook,
  type Queueing,
  type Turn,
  type Waiter,
} from '../domain/admission.ts';
import type { PreviewId } from '../domain/names.ts';
import type { Admission, Asking, Hints, Store } from '../domain/ports.ts';
import { knownHead, type PreviewRecord } from '../domain/preview.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { type HouseDeps, lookAtHouse, type Sight } from './house.ts';

export interface AdmissionDeps extends HouseDeps {
  readonly book: PlaceBook;
  readonly hints: Hints;
  readonly store: Pick<Store, 'records' | 'append' | 'wantRest' | 'wantDeepRest' | 'setAside'>;
  readonly log: Logger;
}

export interface OpenAdmission extends Admission {
  /** Runs a converge of the preview; whatever place it took is free afterwards, and the next are called. */
  during<T>(id: PreviewId, work: () => Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

/** Between two beats, a third of the book's lease; and two looks at those who wait for room that nobody announces. */
const BEAT_MS = 2_000;
/** For who was called to come; then it is the next one's turn. */
const CALL_MS = 20_000;
/** Until who was asked to make room is asked again. */
const ASK_AGAIN_MS = 10_000;

export function openAdmission(deps: AdmissionDeps): OpenAdmission {
  const { book, hints, store, clock, log } = deps;
  /** A preview that is paused would keep what others wait for. */
  const countsMemory = () =>
    [deps.host, ...deps.repositories().map((one) => one.most)].some((one) => one?.memory !== undefined);
  /** Whose converge ended, or will, with a wait. */
  const told = new Set<PreviewId>();
  const asked = new Map<PreviewId, number>();
  let last: Promise<unknown> = Promise.resolve();
  let isLookDue = false;

  /** One after the other: those of other workers meet in the book. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  }

  /** The house as it is, with those known as visited who would else be asked to make room. */
  async function look(waiter?: Waiter): Promise<(queueing: Queueing) => { house: House; decided: Admitted }> {
    const [sight, queueing] = await Promise.all([lookAtHouse(deps), book.read()]);
    const busy = await visitedOf(sight, joined(queueing, waiter));
    return (now) => {
      const house = sight.with(joined(fresh(now, clock.now()), waiter), busy);
      return { house, decided: admit(house) };
    };
  }

  async function enter({ preview, purpose, commit }: Asking): Promise<Turn> {
    const now = clock.now();
    const { id, repository } = preview;
    const waiter: Waiter = { id, repository, purpose, since: now, ...(commit === undefined ? {} : { commit }) };
    const decide = await look(waiter);
    let decided: Admitted | undefined;
    const after = await book.change((queueing) => {
      const seen = decide(queueing);
      decided = seen.decided;
      return taken(seen.house, decided, id, now);
    });
    const turn = decided?.turns.get(id) ?? { kind: 'go' };
    if (turn.kind === 'wait') told.add(id);
    if (decided) await followUp(decided, after);
    return turn;
  }

  async function callNext(): Promise<void> {
    if ((await book.read()).waiting.length === 0) return;
    const decide = await look();
    const now = clock.now();
    let decided: Admitted | undefined;
    let called: readonly PreviewId[] = [];
    const after = await book.change((queueing) => {
      const seen = decide(queueing);
      decided = seen.decided;
      const { turns } = decided;
      const isNew = (one: Waiter) => turns.get(one.id)?.kind === 'go' && one.called === undefined;
      called = seen.house.waiting.filter(isNew).map((one) => one.id);
      return {
        ...queueingOf(seen.house),
        waiting: seen.house.waiting.map((one) => (isNew(one) ? { ...one, called: now } : one)),
      };
    });
    for (const id of called) await hints.hint(id);
    if (decided) await followUp(decided, after);
  }

  /** Says who waits, and asks for room; what fails here is done by the next look. */
  async function followUp({ turns, makeRoom }: Admitted, { waiting }: Queueing): Promise<void> {
    const records = new Map((await store.records()).map((one) => [one.id, one]));
    for (const { id, purpose, commit } of waiting) {
      const turn = turns.get(id);
      const record = records.get(id);
      if (turn?.kind !== 'wait' || !record || isSaid(record, turn)) continue;
      const { kind: _kind, ...wait } = turn;
      const what = commit === undefined ? {} : { commit };
      await store.append({ type: 'preview.waiting', at: clock.now(), preview: id, purpose, ...what, ...wait });
    }
    for (const [id, at] of asked) if (clock.now() - at >= ASK_AGAIN_MS) asked.delete(id);
    for (const one of makeRoom) {
      const record = records.get(one.id);
      if (record && !asked.has(one.id)) await askForRoom(record, one);
    }
  }

  async function askForRoom(record: PreviewRecord, { id, act, cause }: MakesRoom): Promise<void> {
    asked.set(id, clock.now());
    const commit = knownHead(record);
    if (act === 'sleep') await (countsMemory() ? store.wantDeepRest(id) : store.wantRest(id, true));
    else if (commit === undefined) return;
    else await store.setAside(record, { commit, cause });
    log.info({ preview: id, act, cause }, 'a preview makes room');
    await hints.hint(id);
  }

  async function leave(id: PreviewId): Promise<void> {
    const mine = ({ places, waiting }: Queueing) => [...places, ...waiting].some((one) => one.id === id);
    if (!mine(await book.read())) return;
    const without = <T extends { readonly id: PreviewId }>(all: readonly T[]) => all.filter((one) => one.id !== id);
    await book.change((now) => ({ ...now, places: without(now.places), waiting: without(now.waiting) }));
  }

  function callSoon(): void {
    if (isLookDue) return;
    isLookDue = true;
    void inTurn(() => {
      isLookDue = false;
      return callNext();
    }).catch((error: unknown) => log.debug({ reason: messageOf(error) }, 'those who wait are looked at again'));
  }

  const timer = setInterval(() => {
    book.beat().then(callSoon, (error: unknown) => log.debug({ reason: messageOf(error) }, 'no beat'));
  }, BEAT_MS);
  timer.unref();

  return {
    enter: (asking) => inTurn(() => enter(asking)),
    async during(id, work) {
      told.delete(id);
      try {
        return await work();
      } finally {
        if (!told.has(id))
          await inTurn(() => leave(id)).catch((error: unknown) => {
            log.warn({ preview: id, reason: messageOf(error) }, 'its place is free again once Redis is back');
          });
        callSoon();
      }
    },
    async stop() {
      clearInterval(timer);
      await last;
      book.close();
    },
  };
}

/** Those of whom room would be asked, as far as they are visited; until only the unvisited are left. */
async function visitedOf(sight: Sight, queueing: Queueing): Promise<ReadonlySet<PreviewId>> {
  const busy = new Set<PreviewId>();
  for (;;) {
    const asked = admit(sight.with(queueing, busy)).makeRoom.map((one) => one.id);
    const visited = await Promise.all(asked.map((id) => sight.isVisited(id)));
    const more = asked.filter((_, index) => visited[index]);
    if (more.length === 0) return busy;
    for (const id of more) busy.add(id);
  }
}

/** One who waits already keeps his time, and his call. */
function joined(queueing: Queueing, waiter: Waiter | undefined): Queueing {
  if (!waiter) return queueing;
  const known = queueing.waiting.find((one) => one.id === waiter.id && one.purpose === waiter.purpose);
  const others = queueing.waiting.filter((one) => one.id !== waiter.id);
  const called = known?.called === undefined ? {} : { called: known.called };
  const mine = known ? { ...waiter, since: known.since, ...called } : waiter;
  return { ...queueing, places: queueing.places.filter((one) => one.id !== waiter.id), waiting: [...others, mine] };
}

/** Who was called and did not come goes to the end of the queue, so that nobody waits for it. */
function fresh(queueing: Queueing, now: number): Queueing {
  const waiting = queueing.waiting.map((one): Waiter => {
    if (one.called === undefined || now - one.called < CALL_MS) return one;
    const { called: _called, ...rest } = one;
    return { ...rest, since: now };
  });
  return { ...queueing, waiting };
}

/** What is remembered once `id` has had its turn. */
function taken(house: House, { turns }: Admitted, id: PreviewId, now: number): Queueing {
  const before = queueingOf(house);
  const waiter = house.waiting.find((one) => one.id === id);
  if (!waiter || turns.get(id)?.kind !== 'go') {
    const isMine = (one: Waiter) => one.id === id;
    const uncalled = ({ called: _called, ...rest }: Waiter): Waiter => rest;
    return { ...before, waiting: before.waiting.map((one) => (isMine(one) ? uncalled(one) : one)) };
  }
  const { repository, purpose } = waiter;
  return {
    places: [...before.places, { id, repository, purpose }],
    waiting: before.waiting.filter((one) => one.id !== id),
    served: new Map(before.served).set(repository, now),
  };
}

function queueingOf({ places, waiting, served }: House): Queueing {
  return { places, waiting, served };
}

function isSaid({ wait }: PreviewRecord, turn: Extract<Turn, { kind: 'wait' }>): boolean {
  return wait?.position === turn.position && wait.because === turn.because;
}
