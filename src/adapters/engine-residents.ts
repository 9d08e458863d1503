/** Which previews are on the engine, which of them run and what memory they are promised: one question for all. */
import type Docker from 'dockerode';
import { LABEL } from '../domain/labels.ts';
import type { PreviewId } from '../domain/names.ts';
import type { PreviewKey } from '../domain/preview.ts';
import { away } from './engine-errors.ts';
import { keyOf } from './engine-labels.ts';

/** See `Resident`, without what the engine cannot tell. */
export interface FoundResident extends PreviewKey {
  readonly running: boolean;
  /** Bytes. */
  readonly memory: number;
  readonly held: number;
}

interface Sums {
  readonly key: PreviewKey;
  running: boolean;
  /** Of those that run or are paused. */
  used: number;
  all: number;
}

/** @returns what asks anew each time. @throws transient `engine-away` from it. */
export function engineResidents(docker: Docker, instance: string): () => Promise<readonly FoundResident[]> {
  const filters = JSON.stringify({ label: [`${LABEL.instance}=${instance}`, `${LABEL.role}=app`] });
  return async () => {
    const containers = await docker.listContainers({ all: true, filters }).catch((cause: unknown) => {
      throw away('looking at which previews run', cause);
    });
    const found = new Map<PreviewId, Sums>();
    for (const { Labels: labels, State: state } of containers) {
      const key = keyOf(labels);
      if (!key) continue;
      const sums = found.get(key.id) ?? { key, running: false, used: 0, all: 0 };
      found.set(key.id, sums);
      const memory = Number(labels[LABEL.memory]) || 0;
      sums.all += memory;
      const runs = state === 'running' || state === 'restarting';
      if (!runs && state !== 'paused') continue;
      sums.running ||= runs;
      sums.used += memory;
    }
    return [...found.values()].map(({ key, running, used, all }) => {
      return { ...key, running, memory: running ? used : all, held: running ? 0 : used };
    });
  };
}
