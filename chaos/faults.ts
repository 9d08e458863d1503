/** What goes wrong in a round: each fault begins, goes on for a while, and is healed. */
import { rm, statfs } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { command } from './commands.ts';
import type { PrivateEngine } from './engine.ts';
import type { GitHub } from './github.ts';
import { type House, PARTS } from './house.ts';
import type { Random } from './random.ts';
import type { Remote } from './remote.ts';

export interface Afflicted {
  readonly house: House;
  readonly engine: PrivateEngine;
  readonly remote: Remote;
  readonly github: GitHub;
  /** The small file system that holds Treehouse's home and the engine's data. */
  readonly disk: string;
}

/** Resolves when it is over and all that it ended is being started again. */
export type Fault = (on: Afflicted, random: Random) => Promise<void>;

const HOUR = 3_600_000;

export const FAULTS: Readonly<Record<string, Fault>> = {
  /** Receiver and worker, wherever they are. */
  async treehouse({ house }, random) {
    await house.end('SIGKILL');
    await delay(random.below(1_500));
    await house.start();
  },
  async restart({ house }, random) {
    await house.end('SIGTERM');
    await delay(random.below(500));
    await house.start();
  },
  /** One of its processes, whatever it does just then. */
  process: async ({ house }, random) => house.killProcess(random.below(12)),
  redis: async ({ house }) => void (await house.killPart('redis')),
  nginx: async ({ house }) => void (await house.killPart('nginx')),
  registry: async ({ house }) => void (await house.killPart('registry')),
  /** Its Redis has lost everything. */
  async wipe({ house, github }) {
    await house.end('SIGKILL');
    await house.wipeRedis();
    await house.start();
    github.sayAgain();
  },
  async engine({ engine }, random) {
    await (random.chance(0.5) ? engine.kill() : engine.stop());
    await delay(random.below(1_500));
    await engine.start();
  },
  /** Everything at once, with no goodbye. */
  async power({ house, engine }) {
    await house.end('SIGKILL');
    for (const part of PARTS) await house.killPart(part);
    await engine.losePower();
    await engine.start();
    await house.start();
  },
  async slow({ remote }, random) {
    remote.weather = 'slow';
    await delay(1_000 + random.below(3_000));
    remote.weather = 'fair';
  },
  async refuses({ remote }, random) {
    remote.weather = 'refuses';
    await delay(1_000 + random.below(3_000));
    remote.weather = 'fair';
  },
  async full({ disk }, random) {
    const file = path.join(disk, 'full');
    const { bavail, bsize } = await statfs(disk);
    // As much as fallocate gets in one go leaves crumbs; the rest is written until nothing more fits.
    await command('fallocate', ['-l', String(Math.max(1, bavail * bsize - 65_536)), file]).catch(() => undefined);
    await command('dd', ['if=/dev/zero', `of=${file}.rest`, 'bs=4k', 'count=4096']).catch(() => undefined);
    await delay(1_500 + random.below(2_500));
    await rm(file, { force: true });
    await rm(`${file}.rest`, { force: true });
  },
  async clock({ house }, random) {
    house.setClock((random.below(48) - 24) * HOUR);
    await delay(random.below(2_000));
    if (random.chance(0.5)) house.setClock(0);
  },
  /** Somebody removes or stops a container by hand. */
  async hand({ engine }, random) {
    const all = await engine.docker('ps', '-q', '--filter', 'label=treehouse.role=app').catch(() => []);
    if (all.length === 0) return;
    const [act, id] = [
      random.pick([['rm', '-f'], ['kill'], ['stop', '-t', '0'], ['restart', '-t', '0']]),
      random.pick(all),
    ];
    await engine.docker(...act, id).catch(() => undefined); // It may be gone by now.
  },
};
