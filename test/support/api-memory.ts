/** What the API keeps, in memory: for tests of what it answers. */

import { PassThrough } from 'node:stream';
import { openSharing, type Sharing } from '../../src/access/sharing.ts';
import type { ExecDeps } from '../../src/api/exec.ts';
import { type ExecLimits, execSessions } from '../../src/api/exec-sessions.ts';
import type { Replays } from '../../src/api/once.ts';
import type { RepositoryDeps } from '../../src/api/repositories.ts';
import type { Answer } from '../../src/api/route.ts';
import type { OutputPiece } from '../../src/domain/exec.ts';
import type { Doorkeeper } from '../../src/domain/guards.ts';
import type { LinkRecord } from '../../src/domain/links.ts';
import type { BuildId } from '../../src/domain/names.ts';
import type { ObservedStack } from '../../src/domain/observed.ts';
import type { Clock, Repository } from '../../src/domain/ports.ts';
import type { SessionRecord, Sessions } from '../../src/domain/sessions.ts';
import type { TokenRecord, Tokens } from '../../src/domain/tokens.ts';
import type { Trail, TrailEntry } from '../../src/domain/trail.ts';

export function memoryTokens(): Tokens {
  const kept = new Map<string, TokenRecord>();
  return {
    all: async () => [...kept.values()],
    find: async (id) => kept.get(id),
    add: async (record) => void kept.set(record.id, record),
    remove: async (id) => kept.delete(id),
  };
}

/** Links in memory, of which a gateway is told. */
export function sharingWith(clock: Clock, doorkeeper: () => Pick<Doorkeeper, 'setLinks'>): Sharing {
  const kept = new Map<string, LinkRecord>();
  const links = {
    all: async () => [...kept.values()],
    find: async (id: string) => kept.get(id),
    add: async (record: LinkRecord) => void kept.set(record.id, record),
    remove: async (id: string) => kept.delete(id),
  };
  return openSharing({ links, clock, doorkeeper });
}

/** Links without a gateway. */
export function memorySharing(clock: Clock): Sharing {
  return sharingWith(clock, () => ({ setLinks: async () => undefined }));
}

export function memoryTrail(): Trail & { readonly entries: TrailEntry[] } {
  const entries: TrailEntry[] = [];
  return {
    entries,
    note: async (entry) => void entries.push(entry),
    read: async ({ before = Number.POSITIVE_INFINITY, count }) =>
      entries
        .filter((one) => one.at < before)
        .reverse()
        .slice(0, count),
  };
}

/** One service `web` that runs, in which `cat` gives back what it is given, `yes` goes on, and `exit N` ends with N. */
export function memoryExec(
  containers: ObservedStack['containers'],
  deps: Pick<ExecDeps, 'trail' | 'clock'>,
  limits?: ExecLimits,
): ExecDeps & { readonly ended: string[][]; printed: number } {
  const network = { id: 'n', name: 'n', build: containers[0]?.build as BuildId, key: 'default', role: 'app' as const };
  const networks = containers.map((one) => ({ ...network, commit: one.commit }));
  const exec: ReturnType<typeof memoryExec> = {
    ...deps,
    engine: { observe: async (preview) => ({ preview, containers, networks, volumes: [], images: [] }) },
    gateway: { routesOf: async () => [] },
    sessions: execSessions(limits),
    remote: undefined,
    leftBehind: () => undefined,
    ended: [],
    printed: 0,
    shells: {
      async exec(_id, { command }) {
        const input = new PassThrough({ highWaterMark: 1024 });
        let isRunning = true;
        async function* output(): AsyncGenerator<OutputPiece> {
          if (command[0] === 'cat') for await (const data of input) yield { channel: 'stdout', data: data as Buffer };
          while (command[0] === 'yes' && isRunning) {
            exec.printed += 16_384;
            yield { channel: 'stderr', data: Buffer.alloc(16_384, 'y\n') };
          }
          isRunning = false;
        }
        return {
          ...{ input, output: output(), resize: async () => undefined },
          exitCode: async () => (isRunning ? undefined : Number(command[1] ?? 0)),
          async end() {
            if (isRunning) exec.ended.push([...command]);
            isRunning = false;
            return true;
          },
        };
      },
    },
  };
  return exec;
}

export function memoryReplays(): Replays {
  const kept = new Map<string, { readonly fingerprint: string; answer?: Answer }>();
  return {
    async claim(key, fingerprint) {
      const found = kept.get(key);
      if (!found) {
        kept.set(key, { fingerprint });
        return 'mine';
      }
      return found.fingerprint === fingerprint ? (found.answer ?? 'busy') : 'other';
    },
    async keep(key, answer) {
      const found = kept.get(key);
      if (found) found.answer = answer;
    },
    release: async (key) => void kept.delete(key),
  };
}

/** Takes whatever it is given, and keeps nothing of it. */
export function memoryBook(all: readonly Repository[]): RepositoryDeps['book'] {
  return {
    all: () => all,
    isConfigured: () => false,
    put: async () => [],
    remove: async (name) => all.some((one) => one.name === name),
  };
}

/** Without an end by time: tests of that ask Redis. */
export function memorySessions(): Sessions & { readonly kept: Map<string, SessionRecord> } {
  const kept = new Map<string, SessionRecord>();
  return {
    kept,
    add: async (hash, record) => void kept.set(hash, record),
    find: async (hash) => kept.get(hash),
    extend: async () => undefined,
    remove: async (hash) => void kept.delete(hash),
  };
}
