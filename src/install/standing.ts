/** How `walls` tells the other parts, and its own health check, that they stand: by a file of the home, written at each look. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { writeWhole } from '../whole-file.ts';

const file = (home: string) => path.join(home, 'walls');
/** They are looked at every 30 s. */
const STALE_MS = 120_000;

/** @param state `up`, `off`, or `down: ` and why */
export async function tellWalls(home: string, state: string): Promise<void> {
  await writeWhole(file(home), `${state}\n${Date.now()}\n`);
}

/** Undefined where they stand, or are switched off; else why not. */
export function lookAtWalls(home: string): string | undefined {
  let text = '';
  try {
    text = readFileSync(file(home), 'utf8');
  } catch {
    return 'treehouse walls has not said that they stand';
  }
  const [state = '', at = ''] = text.split('\n');
  if (Date.now() - Number(at) > STALE_MS) return 'treehouse walls has not looked at them for two minutes';
  return state === 'up' || state === 'off' ? undefined : state;
}
