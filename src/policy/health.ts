/** The `healthcheck` of a service: each check is a process that the engine starts, outside of the container's own limits. */
import { nanosecondsOf } from '../domain/duration.ts';
import { SHORTEST_CHECK } from '../domain/isolation.ts';
import type { Notes } from './notes.ts';
import { isRecord } from './sources.ts';

/** Undefined where the file says nothing of it. */
export function readHealthCheck(where: string, raw: unknown, notes: Notes): Record<string, unknown> | undefined {
  if (!isRecord(raw)) return undefined;
  const check: Record<string, unknown> = Object.create(null);
  for (const [key, value] of Object.entries(notes.section('healthcheck', where, raw))) {
    const shortest = key === 'interval' || key === 'start_interval' ? SHORTEST_CHECK[key] : undefined;
    const asked = shortest === undefined ? undefined : nanosecondsOf(String(value));
    if (shortest === undefined) check[key] = value;
    // Nought is what the image or the engine says.
    else if (asked === undefined)
      notes.refuse(`${where}.${key}`, 'value', `${JSON.stringify(value)} is not a duration`);
    else if (asked >= shortest * 1e9) check[key] = value;
    else if (asked > 0) {
      check[key] = `${shortest * 1000}ms`;
      notes.change(`${where}.${key}`, `raised to ${shortest} s: each check is a process that the host starts`);
    }
  }
  return check;
}
