/** Which services are reached from outside, and what `x-treehouse` says of it. */
import type { Exposure, StackService } from '../domain/stack.ts';
import { readIdle } from './idle.ts';
import { readLogin } from './login.ts';
import type { Notes } from './notes.ts';
import { asArray, isRecord } from './sources.ts';

export interface Extension {
  readonly expose: readonly Exposure[] | undefined;
  readonly test: string | undefined;
  readonly tests: 'gate' | 'report';
  /** To be read once the services are known: see seed.ts. */
  readonly seed: unknown;
  /** See idle.ts. */
  readonly idle: number | undefined;
  /** See login.ts. */
  readonly login: readonly string[] | undefined;
}

const KEYS = new Set(['expose', 'test', 'idle', 'seed', 'tests', 'login']);

/** Reads the repository's own `x-treehouse`. */
export function readExtension(raw: unknown, notes: Notes): Extension {
  const section = isRecord(raw) ? raw : {};
  if (raw !== undefined && raw !== null && !isRecord(raw)) {
    notes.refuse('x-treehouse', 'value', `it holds keys: ${[...KEYS].join(', ')}`);
  }
  for (const key of Object.keys(section)) {
    if (!KEYS.has(key)) notes.refuse(`x-treehouse.${key}`, 'unknown', `known keys are ${[...KEYS].join(', ')}`);
  }
  const tests = section.tests ?? 'gate';
  if (tests !== 'gate' && tests !== 'report') {
    notes.refuse('x-treehouse.tests', 'value', "it is 'gate' or 'report'");
  }
  if (section.test !== undefined && typeof section.test !== 'string') {
    notes.refuse('x-treehouse.test', 'value', 'it is the name of a service');
  }
  return {
    expose: section.expose === undefined ? undefined : readExpose(section.expose, notes),
    test: typeof section.test === 'string' ? section.test : undefined,
    tests: tests === 'report' ? 'report' : 'gate',
    seed: section.seed,
    idle: readIdle(section.idle, notes),
    login: readLogin(section.login, notes),
  };
}

/** `web` · `web:8080` · a list of these · `{web: 8080}`. */
function readExpose(raw: unknown, notes: Notes): Exposure[] {
  const entries = isRecord(raw) ? Object.entries(raw).map(([name, port]) => `${name}:${String(port)}`) : asArray(raw);
  const found: Exposure[] = [];
  for (const entry of entries) {
    const match = /^([A-Za-z0-9][A-Za-z0-9._-]*)(?::(\d{1,5}))?$/.exec(String(entry));
    const port = match?.[2] === undefined ? undefined : Number(match[2]);
    if (match?.[1] === undefined || (port !== undefined && (port < 1 || port > 65535))) {
      notes.refuse('x-treehouse.expose', 'value', `${JSON.stringify(entry)} is not SERVICE or SERVICE:PORT`);
    } else if (found.some((one) => one.service === match[1])) {
      notes.refuse('x-treehouse.expose', 'value', `${match[1]} is named twice; a service is reached at one port`);
    } else found.push({ service: match[1], ...(port === undefined ? {} : { port }) });
  }
  return found;
}

/** Without a word from the repository: the service that publishes or exposes a port, `web` first. */
export function chooseExposed(services: readonly StackService[], extension: Extension, notes: Notes): Exposure[] {
  if (extension.expose) {
    return extension.expose.flatMap((one) => {
      const service = services.find((other) => other.name === one.service);
      if (!service) {
        notes.refuse('x-treehouse.expose', 'value', `there is no service '${one.service}'`);
        return [];
      }
      const port = one.port ?? service.ports[0];
      return [{ service: one.service, ...(port === undefined ? {} : { port }) }];
    });
  }
  const open = services.filter((one) => one.ports.length > 0);
  const main = open.find((one) => one.name === 'web') ?? open.find((one) => one.build) ?? open[0];
  const port = main?.ports[0];
  return main && port !== undefined ? [{ service: main.name, port }] : [];
}
