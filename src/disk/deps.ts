/** What keeping the disks needs from outside. */
import type { Disk, DiskStore, HighWater } from '../domain/disk.ts';
import type { PreviewId } from '../domain/names.ts';
import type { Clock } from '../domain/ports.ts';
import type { Logger } from '../log.ts';

export interface LevelDeps {
  /** Every file system that something of Treehouse is on, as it is now. */
  disks(): Promise<readonly Disk[]>;
  readonly mark: HighWater;
  readonly log: Logger;
}

export interface CaretakerDeps {
  readonly stores: readonly DiskStore[];
  /** Path of the disk that a folder is on. */
  diskOf(folder: string): Promise<string>;
  readonly level: { look(): Promise<readonly Disk[]>; readonly mark: HighWater };
  readonly worker: {
    /** Previews that are worked on, and since when, milliseconds since the epoch. */
    atWork(): Promise<readonly { readonly id: PreviewId; readonly since: number }[]>;
    /** @returns false, undone, where the preview's converge runs */
    hold(id: PreviewId, work: () => Promise<void>): Promise<boolean>;
  };
  readonly clock: Clock;
  readonly log: Logger;
}
