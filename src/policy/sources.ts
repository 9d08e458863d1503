/** Looks at a repository's compose files before Compose does: what it would open, and what its output hides. */
import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { lstat, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Document, isAlias, isNode, parseAllDocuments, visit } from 'yaml';
import type { Refusal } from '../domain/stack.ts';
import { insideCheckout } from './inside.ts';
import { isSteering } from './table.ts';

/** In the order in which Compose looks (compose-go, `DefaultFileNames`); the first of each list that exists is taken. */
export const COMPOSE_FILES = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml'] as const;
const OVERRIDE_FILES = [
  'compose.override.yml',
  'compose.override.yaml',
  'docker-compose.override.yml',
  'docker-compose.override.yaml',
] as const;

/** `docker compose config` took gigabytes on an alias bomb: files are bounded before it sees them. */
const MAX_BYTES = 1024 * 1024;
const MAX_ALIASES = 200;
const MAX_FILES = 50;
/** Of a stack; Compose takes seconds over hundreds. */
export const MAX_SERVICES = 50;

/** How the refusal of a file begins that is no YAML at all. */
export const NOT_YAML = 'it is not YAML';

export interface Sources {
  /** Absolute paths, for `-f`, in order. */
  readonly files: readonly string[];
  /** A `.env` whose keys are only names to fill in, if there is one. */
  readonly env: string | undefined;
  readonly refusals: readonly Refusal[];
  /** Hash of all that Compose reads; undefined where it opens more than the files themselves. */
  readonly fingerprint: string | undefined;
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

/** A compose file to look at, and the folder that Compose takes its relative paths from. */
interface Source {
  readonly name: string;
  readonly base: string;
}

/** Reads the files and all that they draw in; refusals name what may not be opened. */
export async function inspectSources(root: string, names: readonly string[]): Promise<Sources> {
  const refusals: Refusal[] = [];
  const queue: Source[] = names.map((name) => ({ name, base: '' }));
  const seen = new Set<string>();
  const hash = createHash('sha256');
  let alone = true;
  for (let source = queue.shift(); source; source = queue.shift()) {
    const key = JSON.stringify(source);
    if (seen.has(key)) continue;
    seen.add(key);
    if (seen.size > MAX_FILES) {
      refusals.push({ path: source.name, rule: 'files', message: `more than ${MAX_FILES} compose files` });
      break;
    }
    const text = await readBounded(root, source.name, refusals);
    if (text === undefined) continue;
    const references = new References(root, source.base, refusals);
    await inspectDocument(parse(source.name, text, refusals), references);
    queue.push(...references.sources);
    alone &&= !references.any;
    hash.update(`${source.name}\0${text}\0`);
  }
  const env = await inspectEnv(root, '.env', refusals);
  const fingerprint = alone && refusals.length === 0 ? hash.update(env ?? '').digest('hex') : undefined;
  return { files: names.map((name) => path.join(root, name)), env, refusals, fingerprint };
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

/**
 * Line breaks of YAML 1.1, which Compose reads: where our parser still sees a comment, Compose sees a new line. Likewise a
 * byte order mark within the text, and directives, which can give a tag another name.
 */
const READ_DIFFERENTLY = /[\u0085\u2028\u2029\ufeff]|\r(?!\n)|^%/m;

function parse(name: string, text: string, refusals: Refusal[]): unknown {
  const refuse = (rule: 'files' | 'yaml', message: string): undefined => {
    refusals.push({ path: name, rule, message });
  };
  if (READ_DIFFERENTLY.test(text.replace(/^\ufeff/, ''))) {
    return refuse('yaml', 'it holds a line break, mark or directive that is read in two ways; keep plain lines');
  }
  try {
    const documents = parseAllDocuments(text, { merge: true, logLevel: 'error', prettyErrors: true });
    const list = Array.isArray(documents) ? documents : [];
    if (list.length > 1) return refuse('files', 'it holds more than one YAML document; keep one');
    const document = list[0];
    const fault = document?.errors[0];
    if (fault) return refuse('yaml', `${NOT_YAML}: ${fault.message.split('\n')[0]}`);
    const tag = document && strangeTag(document);
    if (tag !== undefined) return refuse('yaml', `the tag ${JSON.stringify(tag)} is not known; write the value itself`);
    return document?.toJS({ maxAliasCount: MAX_ALIASES });
  } catch {
    return refuse('yaml', `it is nested too deep, or its aliases expand too far (over ${MAX_ALIASES})`);
  }
}

/** Compose's own tags, and YAML's that say no more than the value itself; `!!binary` would hide a path in base64. */
const TAGS = /^(?:!|!reset|!override|tag:yaml\.org,2002:(?:str|int|float|bool|null|map|seq))$/;

function strangeTag(document: Document): string | undefined {
  let found: string | undefined;
  visit(document, (_key, node) => {
    if (!isNode(node) || isAlias(node) || node.tag === undefined || TAGS.test(node.tag)) return undefined;
    found = node.tag;
    return visit.BREAK;
  });
  return found;
}

/** What Compose opens before `config` prints: include, extends.file, env_file, label_file. */
async function inspectDocument(document: unknown, references: References): Promise<void> {
  for (const entry of asArray(field(document, 'include'))) {
    const files = asArray(isRecord(entry) ? field(entry, 'path') : entry);
    const given = field(entry, 'project_directory');
    const found: string[] = [];
    for (const file of files) {
      const name = await references.file('include', file);
      if (name !== undefined) found.push(name);
    }
    const base =
      given === undefined
        ? path.dirname(found[0] ?? '.')
        : ((await references.folder('include.project_directory', given)) ?? '.');
    references.sources.push(...found.map((name) => ({ name, base })));
    for (const file of asArray(field(entry, 'env_file'))) await references.file('include.env_file', file);
    // An included project has a `.env` of its own.
    await references.file('include', path.relative(references.base, path.join(base, '.env')));
  }
  const services = field(document, 'services');
  if (isRecord(services) && Object.keys(services).length > MAX_SERVICES) return references.tooMany();
  for (const [name, service] of Object.entries(isRecord(services) ? services : {})) {
    const where = `services.${name}`;
    const parent = field(field(service, 'extends'), 'file');
    if (parent !== undefined) {
      const file = await references.file(`${where}.extends`, parent);
      if (file !== undefined) references.sources.push({ name: file, base: path.dirname(file) });
    }
    for (const key of ['env_file', 'label_file']) {
      for (const entry of asArray(field(service, key))) {
        await references.file(`${where}.${key}`, isRecord(entry) ? field(entry, 'path') : entry);
      }
    }
  }
}

/** Looks at the paths of one compose file. */
class References {
  /** Compose files that it draws in. */
  readonly sources: Source[] = [];
  /** Whether anything at all is referred to. */
  any = false;
  private readonly root: string;
  readonly base: string;
  private readonly refusals: Refusal[];

  constructor(root: string, base: string, refusals: Refusal[]) {
    this.root = root;
    this.base = base;
    this.refusals = refusals;
  }

  tooMany(): void {
    this.refusals.push({ path: 'services', rule: 'limits', message: `more than ${MAX_SERVICES} services` });
  }

  /** The file relative to the root; undefined where it is missing, of which Compose has its own word, or refused. */
  async file(where: string, value: unknown): Promise<string | undefined> {
    const found = await this.find(where, value);
    if (found === undefined) return undefined;
    if (found.stat.isFile() && found.stat.size <= MAX_BYTES) return found.name;
    return this.refuse(where, value, `is not a file of at most ${MAX_BYTES} bytes`);
  }

  /** Likewise a folder. */
  async folder(where: string, value: unknown): Promise<string | undefined> {
    const found = await this.find(where, value);
    if (!found || found.stat.isDirectory()) return found?.name;
    return this.refuse(where, value, 'is not a folder of the repository');
  }

  private async find(where: string, value: unknown): Promise<{ name: string; stat: Stats } | undefined> {
    this.any = true;
    if (typeof value !== 'string') return this.refuse(where, value, 'is not the name of a file');
    if (value.includes('$')) {
      return this.refuse(
        where,
        value,
        'holds a variable, so it cannot be checked before Compose opens it; name the file',
      );
    }
    // Compose makes `~` a home; a scheme or a user's name make it a remote.
    if (/^~|^[a-z][a-z0-9+.-]*:|^[^/]*@|^github\.com\//i.test(value) || path.isAbsolute(value)) {
      return this.refuse(where, value, 'is not a file of the repository; only its own files are read');
    }
    const name = path.normalize(path.join(this.base, value));
    const real = await insideCheckout(this.root, path.resolve(this.root, name));
    if (real !== undefined) return { name, stat: await lstat(path.join(this.root, real)) };
    const isMissing = !/^\.\.(?:\/|$)/.test(name) && !(await lstat(path.join(this.root, name)).catch(() => undefined));
    return isMissing ? undefined : this.refuse(where, value, 'lies outside the repository');
  }

  private refuse(where: string, value: unknown, message: string): undefined {
    this.refusals.push({ path: where, rule: 'inside', message: `${JSON.stringify(value)} ${message}` });
  }
}

/** The `.env` that Compose would read; a key that steers a program on the host is refused by name. */
async function inspectEnv(root: string, name: string, refusals: Refusal[]): Promise<string | undefined> {
  if (!(await lstat(path.join(root, name)).catch(() => undefined))) return undefined;
  const text = await readBounded(root, name, refusals);
  if (text === undefined) return undefined;
  // Compose begins a new entry at each line and right after a quoted value; refusing what only looks like one is safe.
  for (const [, key = ''] of text.matchAll(
    /(?<=^|[\r\n\u0085\u2028\u2029"'])[\s\ufeff]*(?:export\s+)?([A-Za-z_][\w.-]*)(?=[^\S\n]*(?:[=:\n]|$))/g,
  )) {
    if (isSteering(key)) {
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
