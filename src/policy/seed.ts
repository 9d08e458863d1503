/** `x-treehouse.seed`: commands that are run once, when the data that they fill is new. */
import { undouble } from '../domain/dollars.ts';
import type { Seed, StackService } from '../domain/stack.ts';
import { oneShotServices } from '../domain/start-plan.ts';
import { commandWords, needsShell } from './command-words.ts';
import type { Notes } from './notes.ts';
import { asArray, isRecord } from './sources.ts';

const WHERE = 'x-treehouse.seed';
const MAX_SEEDS = 20;
const MAX_WORDS = 200;
/** Characters of one command; the engine's own limit is the kernel's, 128 kB a word. */
const MAX_LENGTH = 64 * 1024;
const FORM = 'it is {service: db, command: [psql, -f, seed.sql]}, or a list of these';

/** What is wrong in it is noted; `services` are those that run. */
export function readSeeds(raw: unknown, services: readonly StackService[], notes: Notes): readonly Seed[] {
  if (raw === undefined || raw === null) return [];
  const entries = asArray(raw);
  if (entries.length > MAX_SEEDS) notes.refuse(WHERE, 'limits', `more than ${MAX_SEEDS} seeds`);
  const ends = oneShotServices(services);
  return entries.slice(0, MAX_SEEDS).flatMap((entry, index) => {
    const where = Array.isArray(raw) ? `${WHERE}[${index}]` : WHERE;
    if (!isRecord(entry)) {
      notes.refuse(where, 'value', FORM);
      return [];
    }
    for (const key of Object.keys(entry)) {
      if (key !== 'service' && key !== 'command') notes.refuse(`${where}.${key}`, 'unknown', FORM);
    }
    const service = readService(`${where}.service`, entry.service, { services, ends }, notes);
    const command = readCommand(`${where}.command`, entry.command, notes);
    return service !== undefined && command ? [{ service, command }] : [];
  });
}

function readService(
  where: string,
  raw: unknown,
  { services, ends }: { readonly services: readonly StackService[]; readonly ends: ReadonlySet<string> },
  notes: Notes,
): string | undefined {
  if (typeof raw !== 'string' || !services.some((one) => one.name === raw)) {
    const names = services.map((one) => one.name).join(', ');
    notes.refuse(where, 'value', `it is a service that runs here: ${names}; ${JSON.stringify(raw)} is not`);
    return undefined;
  }
  if (ends.has(raw)) {
    notes.refuse(where, 'value', `others wait for '${raw}' to end; a seed runs in a service that goes on`);
    return undefined;
  }
  return raw;
}

function readCommand(where: string, raw: unknown, notes: Notes): readonly string[] | undefined {
  const words = wordsOf(raw);
  if (!words || words.length === 0 || words[0] === '') {
    notes.refuse(where, 'value', 'it is a list of words, or a line with its quotes closed');
    return undefined;
  }
  if (typeof raw === 'string' && needsShell(undouble(raw))) {
    notes.refuse(where, 'value', 'no shell reads it: write ["sh", "-c", "…"] where one is meant to');
    return undefined;
  }
  if (words.length > MAX_WORDS || words.join(' ').length > MAX_LENGTH || words.some((one) => one.includes('\0'))) {
    notes.refuse(where, 'limits', 'it is too long; put it into a script of the image');
    return undefined;
  }
  return words;
}

/** Compose doubles each `$` that it prints, here too. */
function wordsOf(raw: unknown): readonly string[] | undefined {
  if (typeof raw === 'string') return commandWords(undouble(raw));
  if (!Array.isArray(raw) || raw.some((one) => !['string', 'number'].includes(typeof one))) return undefined;
  return raw.map((one) => undouble(String(one)));
}
