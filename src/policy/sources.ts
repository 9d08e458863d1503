/** Looks at a repository's compose files before Compose does: what it would open, and what its output hides. */
import { lstat, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { Refusal } from '../domain/stack.ts';
import { insideCheckout } from './inside.ts';
import { STEERING_KEYS } from './table.ts';

/** In the order in which Compose looks (compose-spec, "Compose file"); the first of each list that exists is taken. */
export const COMPOSE_FILES = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml'] as const;
const OVERRIDE_FILES = [
  'compose.override.yaml',
  'compose.override.yml',
  'docker-compose.override.yaml',
  'docker-compose.override.yml',
] as const;

/** `docker compose config` took gigabytes on an alias bomb: files are bounded before it sees them. */
const MAX_BYTES = 1024 * 1024;
const MAX_ALIASES = 200;
const MAX_FILES = 50;

export interface Sources {
  /** Absolute paths, for `-f`, in order. */
  readonly files: readonly string[];
  /** A `.env` whose keys are only names to fill in, if there is one. */
  readonly env: string | undefined;
  readonly refusals: readonly Refusal[];
}

/** The compose files of a checkout as Compose would find them; empty where there are none. */
export async function findComposeFiles(root: string): Promise<readonly string[]> {
  const first = async (names: readonly string[]): Promise<string | undefined> => {
    for (const name of names) {
      if (await lstat(path.join(root, name)).catch(() => undefined)) return name;
    }
    return undefined;
  };
  const main = await first(COMPOSE_FILES);
  if (main === undefined) return [];
  const override = await first(OVERRIDE_FILES);
  return override === undefined ? [main] : [main, override];
}

/** Reads the files and all that they draw in; refusals name what may not be opened. */
export async function inspectSources(root: string, names: readonly string[]): Promise<Sources> {
  const refusals: Refusal[] = [];
  const queue = [...names];
  const seen = new Set<string>();
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    if (seen.has(name)) continue;
    seen.add(name);
    if (seen.size > MAX_FILES) {
      refusals.push({ path: name, rule: 'files', message: `more than ${MAX_FILES} compose files` });
      break;
    }
    const text = await readBounded(root, name, refusals);
    if (text === undefined) continue;
    const document = parse(name, text, refusals);
    for (const reference of referencesOf(document)) {
      const base = path.dirname(name);
      await inspectReference(root, base, reference, refusals, (file) => queue.push(file));
    }
  }
  const env = await inspectEnv(root, '.env', refusals);
  return { files: names.map((name) => path.join(root, name)), env, refusals };
}

async function readBounded(root: string, name: string, refusals: Refusal[]): Promise<string | undefined> {
  const file = path.join(root, name);
  const inside = await insideCheckout(root, file);
  const stat = inside === undefined ? undefined : await lstat(path.join(root, inside));
  if (!stat?.isFile()) {
    refusals.push({ path: name, rule: 'inside', message: 'it is not a file of the repository' });
    return undefined;
  }
  if (stat.size > MAX_BYTES) {
    refusals.push({ path: name, rule: 'files', message: `it is larger than ${MAX_BYTES} bytes` });
    return undefined;
  }
  const bytes = await readFile(file);
  if (bytes.includes(0)) {
    refusals.push({ path: name, rule: 'files', message: 'it is not UTF-8 text' });
    return undefined;
  }
  return bytes.toString('utf8');
}

function parse(name: string, text: string, refusals: Refusal[]): unknown {
  const documents = parseAllDocuments(text, { merge: true, logLevel: 'error', prettyErrors: true });
  const list = Array.isArray(documents) ? documents : [];
  if (list.length > 1) {
    refusals.push({ path: name, rule: 'files', message: 'it holds more than one YAML document; keep one' });
    return undefined;
  }
  const document = list[0];
  const fault = document?.errors[0];
  if (fault) {
    refusals.push({ path: name, rule: 'yaml', message: `it is not YAML: ${fault.message.split('\n')[0]}` });
    return undefined;
  }
  try {
    return document?.toJS({ maxAliasCount: MAX_ALIASES });
  } catch {
    refusals.push({ path: name, rule: 'yaml', message: `its aliases expand too far (over ${MAX_ALIASES})` });
    return undefined;
  }
}

interface Reference {
  readonly path: string;
  readonly kind: 'compose' | 'env' | 'labels';
  readonly file: string;
}

/** What Compose opens before `config` prints: include, extends.file, env_file, label_file. */
function referencesOf(document: unknown): Reference[] {
  const found: Reference[] = [];
  const add = (kind: Reference['kind'], where: string, value: unknown): void => {
    for (const one of Array.isArray(value) ? value : [value]) {
      const file = typeof one === 'string' ? one : field(one, 'path');
      if (Array.isArray(file)) add(kind, where, file);
      else if (typeof file === 'string') found.push({ kind, path: where, file });
    }
  };
  for (const entry of asArray(field(document, 'include'))) {
    add('compose', 'include', entry);
    add('env', 'include.env_file', field(entry, 'env_file'));
    add('labels', 'include.project_directory', field(entry, 'project_directory'));
  }
  const services = field(document, 'services');
  for (const [name, service] of Object.entries(isRecord(services) ? services : {})) {
    const parent = field(service, 'extends');
    add('compose', `services.${name}.extends`, field(parent, 'file'));
    add('env', `services.${name}.env_file`, field(service, 'env_file'));
    add('labels', `services.${name}.label_file`, field(service, 'label_file'));
  }
  return found;
}

async function inspectReference(
  root: string,
  base: string,
  reference: Reference,
  refusals: Refusal[],
  more: (file: string) => void,
): Promise<void> {
  const { file, kind } = reference;
  const refuse = (message: string): void => {
    refusals.push({ path: reference.path, rule: 'inside', message: `${JSON.stringify(file)} ${message}` });
  };
  if (file.includes('$')) {
    refuse('holds a variable, so it cannot be checked before Compose opens it; name the file');
    return;
  }
  if (/^[a-z][a-z0-9+.-]*:|^[^/]*@|^github\.com\//i.test(file)) {
    refuse('is not a file of the repository; only its own files are read');
    return;
  }
  const name = path.normalize(path.join(base, file));
  const real = await insideCheckout(root, path.resolve(root, name));
  if (path.isAbsolute(file) || real === undefined) {
    const missing =
      !path.isAbsolute(file) && !name.startsWith('..') && !(await lstat(path.join(root, name)).catch(() => undefined));
    // Compose has its own word for a file that is missing and required.
    if (!missing) refuse('lies outside the repository');
    return;
  }
  const stat = await lstat(path.join(root, real));
  if (kind === 'labels' && stat.isDirectory()) return;
  if (!stat.isFile() || stat.size > MAX_BYTES) refuse(`is not a file of at most ${MAX_BYTES} bytes`);
  else if (kind === 'compose') more(name);
}

/** The `.env` that Compose would read; a key that steers a program on the host is refused by name. */
async function inspectEnv(root: string, name: string, refusals: Refusal[]): Promise<string | undefined> {
  if (!(await lstat(path.join(root, name)).catch(() => undefined))) return undefined;
  const text = await readBounded(root, name, refusals);
  if (text === undefined) return undefined;
  // Every line that could be taken for a key is looked at, also inside a quoted value: refusing too much is safe.
  for (const line of text.split(/[\r\n\u0085\u2028\u2029]/)) {
    const key = /^[\s\ufeff]*(?:export\s+)?["']?([A-Za-z_][\w.-]*)/.exec(line)?.[1];
    if (key !== undefined && STEERING_KEYS.test(key)) {
      refusals.push({
        path: `.env: ${key}`,
        rule: 'env',
        message: 'it would steer a program on the host; a .env here only fills in the compose file',
      });
    }
  }
  return text;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An own field of a record; undefined for anything else. */
export function field(value: unknown, name: string): unknown {
  return isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

export function asArray(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}
