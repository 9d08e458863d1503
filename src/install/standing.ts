/**
 * How `walls` tells the other processes, and its own health check, that the walls stand: by a file of the home, written at each look.
 * Who may not touch the host's rules so knows of them all the same.
 */
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Firewall } from '../domain/ports.ts';
import { TreehouseError } from '../errors.ts';

const fileIn = (home: string) => path.join(home, 'walls');
/** They are looked at every 30 s. */
const STALE_MS = 120_000;

/** @param state `up`, `off`, or `down: ` and why */
export async function tellWalls(home: string, state: string): Promise<void> {
  const file = fileIn(home);
  // Root writes it for others; who may come into the home may read it.
  await writeFile(`${file}.new`, `${state.replaceAll('\n', ' ')}\n${Date.now()}\n`, { mode: 0o644 });
  await rename(`${file}.new`, file);
}

/** Undefined where they stand, or are switched off; else why not. */
export function lookAtWalls(home: string): string | undefined {
  const said = read(home);
  if (said === undefined) return 'treehouse walls has not said that they stand';
  const [state = '', at = ''] = said.split('\n');
  if (Date.now() - Number(at) > STALE_MS) return 'treehouse walls has not looked at them for two minutes';
  return state === 'up' || state === 'off' ? undefined : state;
}

/** The walls as `walls` says they are; where no such process ever ran in this home, as `own` sees to them. */
export function toldFirewall(home: string, own: Firewall): Firewall {
  return {
    async ensure() {
      if (read(home) === undefined) return own.ensure();
      const fault = lookAtWalls(home);
      if (fault === undefined) return false;
      throw new TreehouseError('bad-config', `previews cannot be kept from the host: ${fault}`, { kind: 'transient' });
    },
  };
}

function read(home: string): string | undefined {
  try {
    return readFileSync(fileIn(home), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
