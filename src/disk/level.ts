/** How full the disks are, and whether builds wait for that. */
import {
  type Disk,
  type Fullest,
  fullestOf,
  fullness,
  type HighWater,
  isTooFull,
  tooFullText,
} from '../domain/disk.ts';
import { messageOf } from '../errors.ts';
import type { LevelDeps } from './deps.ts';

export interface Level {
  readonly mark: HighWater;
  /** Looks anew. @returns the disks for which builds wait */
  look(): Promise<readonly Disk[]>;
  /** Why no build may begin now, the fullest disk's reason. A disk that cannot be read keeps nobody waiting. */
  pausedBecause(): Promise<string | undefined>;
  /** Undefined where it is not known. */
  fullest(): Promise<Fullest | undefined>;
}

/** @param onPaused called at each look at which builds wait */
export function openLevel(deps: LevelDeps, onPaused: () => void = () => {}): Level {
  const { mark, log } = deps;
  /** Paths of those that were too full at the last look. */
  let full: ReadonlySet<string> = new Set();

  async function look(): Promise<readonly Disk[]> {
    const disks = await deps.disks();
    const found = disks.filter((one) => isTooFull(one, mark, full.has(one.path)));
    for (const one of found) {
      if (!full.has(one.path))
        log.warn({ disk: one.path, why: tooFullText(one, mark) }, 'builds wait for room on a disk');
    }
    for (const path of full) {
      if (!found.some((one) => one.path === path)) log.info({ disk: path }, 'a disk has room again, and builds go on');
    }
    full = new Set(found.map((one) => one.path));
    return found;
  }

  return {
    mark,
    look,
    fullest: () => deps.disks().then(fullestOf, () => undefined),
    async pausedBecause() {
      try {
        const [worst] = [...(await look())].sort((a, b) => fullness(b) - fullness(a));
        if (!worst) return undefined;
        onPaused();
        return tooFullText(worst, mark);
      } catch (error) {
        log.debug({ reason: messageOf(error) }, 'how full the disks are is not known');
        return undefined;
      }
    },
  };
}
