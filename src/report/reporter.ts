/**
 * Says on the forge what becomes of previews. It is told of events and only notes which preview is to be looked at; what is said
 * follows from the record alone. So a hundred events while the forge is away are one word at the end, and no build waits for any.
 */
import type { BuildEvent } from '../domain/events.ts';
import type { Forge } from '../domain/forge.ts';
import type { BuildId, PreviewId, RepositoryName } from '../domain/names.ts';
import type { Note } from '../domain/notes.ts';
import type { Repository, Store } from '../domain/ports.ts';
import type { PreviewKey, PreviewRecord } from '../domain/preview.ts';
import type { SaidBook } from '../domain/said.ts';
import type { Change } from '../domain/stack.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { backOff, isTerminal, type Patience, retryAtOf } from './again.ts';
import { openAgenda } from './agenda.ts';
import type { Known } from './known.ts';
import { leftOutBecause } from './left-out.ts';
import { forgetOld, type Saying, sayings } from './say.ts';
import { wantedOf } from './wanted.ts';

export interface ReporterDeps {
  readonly forge: Forge;
  readonly book: SaidBook;
  readonly store: Pick<Store, 'record' | 'records' | 'pullRequests' | 'tail'>;
  readonly log: Logger;
  now(): number;
  repositories(): readonly Repository[];
  /** What policy changed of the compose file in a build. */
  changesOf(key: PreviewKey, build: BuildId): Promise<readonly Change[]>;
  /** Bytes of the images that serve since then, milliseconds since the epoch; undefined where nothing does. */
  sizeOf(id: PreviewId, since: number): Promise<number | undefined>;
  /** Of an open pull request: what somebody was answered there last. */
  noteOf(repository: RepositoryName, pullRequest: number): Promise<Note | undefined>;
  /** See Known. */
  readonly dashboard: string | undefined;
  readonly patience?: Partial<ReporterPatience>;
}

/** All in milliseconds. */
export interface ReporterPatience extends Patience {
  /** Between two looks at a preview, unless something came to its end. */
  readonly calmMs: number;
  /** After which what was made is found by everyone who asks. */
  readonly settlesMs: number;
}

export interface Reporter {
  /** Told of an event. Takes no time, and never fails. */
  take(event: BuildEvent): void;
  /** Something beside the record is new: a pull request, say. */
  look(id: PreviewId): void;
  /** Says what is to be said for at most so many milliseconds; the rest is said after the next start. */
  stop(graceMs: number): Promise<void>;
}

const PATIENCE: ReporterPatience = { firstMs: 1_000, mostMs: 300_000, calmMs: 10_000, settlesMs: 15_000 };
/** Previews that are spoken of at once; the forge has an order of its own for what it is asked. */
const SIDE_BY_SIDE = 8;
const TAIL_LINES = 20;
/** Failures in a row of one preview after which it is worth a word in the log. */
const WORTH_A_WORD = 5;

/** What is different after an event: at once, soon, or not at all. */
const HASTE: Readonly<Record<BuildEvent['type'], 'now' | 'soon' | 'none'>> = {
  'build.started': 'now',
  'build.live': 'now',
  'build.failed': 'now',
  'build.superseded': 'now',
  'preview.removed': 'now',
  'preview.observed': 'soon',
  'preview.waiting': 'soon',
  // The rest is told when what they are a part of ends.
  'preview.removing': 'none',
  'preview.expiring': 'none',
  'stage.started': 'none',
  'stage.finished': 'none',
  change: 'none',
  log: 'none',
};

/** Looks at every preview once, and then at those of which it is told. */
export function startReporting(deps: ReporterDeps): Reporter {
  const { store, book, log, now } = deps;
  const patience = { ...PATIENCE, ...deps.patience };
  const over = new AbortController();
  const { signal } = over;
  /** Preview and subject → digest of what was refused for good: not tried again until it is another. */
  const refused = new Map<string, string>();
  /** Repository and feature of refusals that were logged. */
  const logged = new Set<string>();
  /** Owner and feature → until when the forge wants to hear nothing of them. */
  const silentUntil = new Map<string, number>();
  const agenda = openAgenda({ work: lookAt, now, sideBySide: SIDE_BY_SIDE, calmMs: patience.calmMs });

  /** @returns when it is to be looked at again at the latest, and undefined where all is said. */
  async function lookAt(id: PreviewId, failures: number): Promise<number | undefined> {
    try {
      const record = await store.record(id);
      return record && (await speak(record, failures));
    } catch (error) {
      return putOff(id, error, failures);
    }
  }

  async function speak(record: PreviewRecord, failures: number): Promise<number | undefined> {
    const { id } = record;
    const [known, said] = await Promise.all([knownOf(record), book.read(id)]);
    const wanted = wantedOf(record, known, said);
    if (!wanted) return undefined;
    const input = { preview: record, wanted, said, signal };
    let isWhole = true;
    let again: number | undefined;
    for (const one of sayings({ ...deps, settlesMs: patience.settlesMs }, input)) {
      // What is no longer true need not be said: it is looked at anew at once.
      if (agenda.isUrgent(id)) return undefined;
      const at = await sayOne(record, one, failures);
      if (at === 'said') continue;
      isWhole = false;
      if (at !== 'refused') again = Math.min(again ?? at, at);
    }
    if (!isWhole) return again;
    if (wanted.isLast) await book.forget(id);
    else await forgetOld({ ...deps, settlesMs: patience.settlesMs }, input);
    return undefined;
  }

  /** @returns what became of it, or when it is to be tried again */
  async function sayOne(record: PreviewRecord, one: Saying, failures: number): Promise<'said' | 'refused' | number> {
    const key = `${record.id} ${one.subject}`;
    if (refused.get(key) === one.digest) return 'refused';
    const account = `${ownerOf(record.repository)} ${one.feature}`;
    const silent = silentUntil.get(account) ?? 0;
    if (silent > now()) return silent;
    try {
      await one.say();
      refused.delete(key);
      return 'said';
    } catch (error) {
      signal.throwIfAborted();
      if (!isTerminal(error)) {
        const until = retryAtOf(error);
        if (until !== undefined) silentUntil.set(account, until);
        return putOff(record.id, error, failures);
      }
      refused.set(key, one.digest);
      tellRefusal(record, one, error);
      return 'refused';
    }
  }

  async function knownOf(record: PreviewRecord): Promise<Known> {
    const { id, attempt, serving, state } = record;
    const isOver = attempt?.outcome !== undefined && state !== 'removed';
    const [pullRequests, changes, tail, size] = await Promise.all([
      store.pullRequests(record.repository, record.branch),
      isOver ? deps.changesOf(record, attempt.build) : [],
      isOver && attempt.outcome === 'failed' ? store.tail(id, attempt.build, TAIL_LINES) : [],
      serving && state !== 'building' ? deps.sizeOf(id, serving.since).catch(() => undefined) : undefined,
    ]);
    const notes = new Map<number, Note>();
    for (const { number, open } of pullRequests) {
      const note = open ? await deps.noteOf(record.repository, number) : undefined;
      if (note) notes.set(number, note);
    }
    const repository = deps.repositories().find((one) => one.name === record.repository);
    const leftOut = leftOutBecause(record, repository, pullRequests);
    return { pullRequests, leftOut, changes, tail, notes, size, dashboard: deps.dashboard };
  }

  function putOff(id: PreviewId, error: unknown, failures: number): number {
    if (!signal.aborted) {
      const fields = { preview: id, reason: messageOf(error) };
      if (failures + 1 === WORTH_A_WORD) log.warn(fields, 'what became of a preview could not be said yet');
      else log.debug(fields, 'what became of a preview could not be said yet');
    }
    return now() + backOff(failures, retryAtOf(error), now(), patience);
  }

  function tellRefusal({ id, repository }: PreviewRecord, { feature, subject }: Saying, error: unknown): void {
    const key = `${repository} ${feature}`;
    const fields = { preview: id, repository, subject, reason: messageOf(error) };
    if (logged.has(key)) log.debug(fields, `${feature} are refused`);
    else log.warn(fields, `${feature} are refused: previews of ${repository} go on without them`);
    logged.add(key);
  }

  async function lookAtAll(): Promise<void> {
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        for (const record of await store.records()) {
          // Whatever was said of one that is gone was its last word, unless something is still noted.
          if (record.state !== 'removed' || !isNothing(await book.read(record.id))) agenda.soon(record.id);
        }
        return;
      } catch (error) {
        log.debug({ reason: messageOf(error) }, 'the records could not be read to tell of them');
        await agenda.pause(backOff(failures, undefined, now(), patience));
      }
    }
  }

  const looking = lookAtAll();
  return {
    take(event) {
      const haste = HASTE[event.type];
      if (haste === 'now') agenda.now(event.preview);
      else if (haste === 'soon') agenda.soon(event.preview);
    },
    look: (id) => agenda.soon(id),
    async stop(graceMs) {
      await agenda.quiet(graceMs);
      over.abort();
      await Promise.all([agenda.stop(), looking]);
    },
  };
}

function isNothing({ commits, deployments, comments }: Awaited<ReturnType<SaidBook['read']>>): boolean {
  return commits.size === 0 && deployments === undefined && comments.size === 0;
}

/** Limits are of an installation, which has one owner; those of a token are found out once for each. */
function ownerOf(repository: RepositoryName): string {
  return repository.slice(0, repository.indexOf('/')).toLowerCase();
}
