/** Which images a Dockerfile draws in, and what else it asks for that no build may have. */
import type { Refusal } from '../domain/stack.ts';
import { type Fetched, readAdd } from './adds.ts';
import { type Dockerfile, type Instruction, readDockerfile, WHITE } from './dockerfile.ts';
import { contextName, parseImageName } from './reference.ts';
import { expand, NO_NAME } from './shell-words.ts';

export interface Drawn {
  /** The words that draw it in. */
  readonly how: 'FROM' | 'COPY --from' | 'RUN --mount from' | '# syntax' | 'image';
  /** `web/Dockerfile:3`. */
  readonly where: string;
  /** With its variables filled in; undefined where that cannot be told. */
  readonly reference: string | undefined;
  readonly written: string;
  /** Variables in it that have no value. */
  readonly unset: readonly string[];
  /** Whether the build comes to it. */
  readonly needed: boolean;
  /** Whether it is asked for by platform, so that the engine may not be able to fetch it by itself. */
  readonly platform: boolean;
  /** Names that the file gives to its own stages, which triggers of the image may mean. */
  readonly stages: ReadonlySet<string>;
}

export interface DrawnIn {
  readonly images: readonly Drawn[];
  readonly faults: readonly Refusal[];
  /** What ADD fetches from the network. */
  readonly fetched: readonly Fetched[];
}

export interface BuildInput {
  /** The file's name in messages. */
  readonly file: string;
  readonly args: Readonly<Record<string, string>>;
  readonly target?: string | undefined;
  /** Names of folders that stand for images. */
  readonly contexts: readonly string[];
}

interface Stage {
  readonly images: Drawn[];
  /** Numbers of earlier stages, and names, in lower case, that may be given to a later one. */
  readonly needs: Set<number | string>;
}

/** What is known while the file is read from top to bottom. */
interface Reading {
  readonly input: BuildInput;
  readonly token: string;
  /** Arguments before the first FROM, which alone FROM may use. */
  readonly env: Map<string, string | undefined>;
  /** Every value that the file gives to a variable so far. */
  readonly values: Map<string, string | undefined>;
  readonly stages: Stage[];
  /** Name → number of the last stage so far that has it. */
  readonly numbers: Map<string, number>;
  /** Names of all stages of the file. */
  readonly names: ReadonlySet<string>;
}

export function drawnImages(text: string, input: BuildInput): DrawnIn {
  const images = new Map<string, Drawn>();
  const faults = new Map<string, Refusal>();
  const fetched = new Map<string, Fetched>();
  for (const reading of readDockerfile(text)) {
    const found = readOne(reading, input);
    for (const one of found.images) images.set(JSON.stringify([one.how, one.where, one.reference]), one);
    for (const one of found.faults) faults.set(JSON.stringify(one), one);
    for (const one of found.fetched) fetched.set(JSON.stringify(one), one);
  }
  return { images: [...images.values()], faults: [...faults.values()], fetched: [...fetched.values()] };
}

/** What the triggers of an image that is built from draw in; `stages` are those of the file. */
export function drawnByTriggers(triggers: readonly Instruction[], where: string, stages: ReadonlySet<string>): DrawnIn {
  const stage: Stage = { images: [], needs: new Set() };
  const faults: Refusal[] = [];
  const fetched: Fetched[] = [];
  for (const one of triggers) {
    const place = `${where}, ONBUILD ${one.name.toUpperCase()}`;
    readFlags(one, { stage, faults, names: stages, contexts: [], place, needed: true });
    if (one.name === 'add') readAdd(one, { place, faults, fetched, values: new Map(), token: '\\' });
  }
  return { images: stage.images, faults, fetched };
}

function readOne(dockerfile: Dockerfile, input: BuildInput): DrawnIn {
  const { instructions, syntaxes, token } = dockerfile;
  const env = platformArguments(input);
  const reading: Reading = {
    input,
    token,
    env,
    values: new Map(env),
    stages: [],
    numbers: new Map(),
    names: new Set(instructions.flatMap((one) => (isFrom(one) ? (stageName(one) ?? []) : []))),
  };
  const faults: Refusal[] = [];
  const fetched: Fetched[] = [];
  const outside: Stage = { images: [], needs: new Set() };
  for (const one of instructions) {
    if (isFrom(one)) {
      readFrom(one, reading);
      continue;
    }
    const place = `${input.file}:${one.line}`;
    const stage = reading.stages.at(-1) ?? outside;
    readFlags(one, { stage, faults, names: reading.names, contexts: input.contexts, place, needed: !one.onBuild });
    if (one.name === 'arg' || one.name === 'env') readValues(one, reading, { place, faults });
    if (one.name === 'add') readAdd(one, { place, faults, fetched, values: reading.values, token });
  }
  const reached = reachable(reading);
  const images = reading.stages.flatMap((stage, index) =>
    stage.images.map((one) => (reached.has(index) ? one : { ...one, needed: false })),
  );
  const syntax = syntaxes.map(({ line, reference }) =>
    drawn('# syntax', `${input.file}:${line}`, reference, { needed: false }),
  );
  return { images: [...syntax, ...outside.images, ...images], faults, fetched };
}

function isFrom(one: Instruction): boolean {
  return one.name === 'from' && !one.onBuild;
}

function drawn(
  how: Drawn['how'],
  where: string,
  written: string,
  more: Partial<Omit<Drawn, 'how' | 'where' | 'written'>> = {},
): Drawn {
  return {
    how,
    where,
    written,
    reference: written,
    unset: [],
    needed: true,
    platform: false,
    stages: new Set(),
    ...more,
  };
}

/** What compose itself draws in. */
export function drawnByCompose(where: string, reference: string): Drawn {
  return drawn('image', where, reference);
}

function readFrom(one: Instruction, reading: Reading): void {
  const { input, token, env, stages, numbers } = reading;
  const [base = ''] = one.rest.split(WHITE);
  const name = stageName(one);
  const stage: Stage = { images: [], needs: new Set() };
  const filled = expand(base, { token, env });
  const reference = filled?.text;
  const earlier = reference === undefined ? undefined : numbers.get(reference.toLowerCase());
  if (earlier !== undefined) stage.needs.add(earlier);
  else if (reference !== 'scratch' && !isContext(reference, input.contexts)) {
    stage.images.push(
      drawn('FROM', `${input.file}:${one.line}`, base, {
        reference,
        unset: filled?.unset ?? [],
        // A folder of the stage's name takes its place.
        needed: name === undefined || !input.contexts.includes(name),
        platform: one.flags.some((flag) => flag.startsWith('--platform')),
        stages: reading.names,
      }),
    );
  }
  if (name !== undefined) numbers.set(name, stages.length);
  stages.push(stage);
}

function stageName(one: Instruction): string | undefined {
  const [, as = '', name] = one.rest.split(WHITE);
  return as.toLowerCase() === 'as' && name ? name.toLowerCase() : undefined;
}

function isContext(reference: string | undefined, contexts: readonly string[]): boolean {
  if (reference === undefined || contexts.length === 0) return false;
  const name = parseImageName(reference);
  return name !== undefined && contexts.includes(contextName(name));
}

interface FlagsOn {
  readonly stage: Stage;
  readonly faults: Refusal[];
  readonly contexts: readonly string[];
  readonly names: ReadonlySet<string>;
  readonly place: string;
  /** Whether the instruction runs in this build. */
  readonly needed: boolean;
}

/** `COPY --from`, `RUN --mount=from`, and rights that no build gets. */
function readFlags(one: Instruction, on: FlagsOn): void {
  const draw = (how: Drawn['how'], name: string, isNumbered: boolean): void => {
    if (isNumbered && /^[+-]?\d+$/.test(name)) on.stage.needs.add(Number(name));
    else if (on.names.has(name.toLowerCase())) on.stage.needs.add(name.toLowerCase());
    else if (name !== 'scratch' && name !== '' && !isContext(name, on.contexts)) {
      // BuildKit fills nothing in here: what holds a variable is no name.
      const reference = name.includes('$') ? undefined : name;
      on.stage.images.push(drawn(how, on.place, name, { reference, needed: on.needed }));
    }
  };
  for (const flag of one.flags) {
    const [key = '', value = ''] = cut(flag);
    if ((one.name === 'copy' || one.name === 'add') && key === '--from') draw('COPY --from', value, true);
    if (one.name !== 'run') continue;
    if (key === '--mount') for (const from of mountSources(value)) draw('RUN --mount from', from, false);
    const isHost = key === '--network' && /^\s*host\s*$/i.test(value);
    const isInsecure = key === '--security' && !/^\s*sandbox\s*$/i.test(value);
    if (!isHost && !isInsecure && key !== '--device') continue;
    on.faults.push({
      path: on.place,
      rule: 'build-rights',
      message: `RUN ${flag}: a build gets no more rights than its own sandbox and network; remove the flag`,
    });
  }
}

/** The `from` of a mount, whose fields are written as CSV. */
function mountSources(value: string): readonly string[] {
  const fields = value.match(/"(?:[^"]|"")*"|[^,]+/g) ?? [];
  return fields.flatMap((field) => {
    const plain = field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field;
    const [key = '', from = ''] = cut(plain);
    return key.trim().toLowerCase() === 'from' ? [from] : [];
  });
}

/** ARG and ENV; an ARG before the first FROM is what a FROM may use. */
function readValues(
  one: Instruction,
  { input, token, env, values, stages }: Reading,
  on: { readonly place: string; readonly faults: Refusal[] },
): void {
  const isGlobal = one.name === 'arg' && stages.length === 0;
  const known = isGlobal ? env : values;
  for (const [key, value] of pairsOf(one, token)) {
    const given = one.name === 'arg' && Object.hasOwn(input.args, key) ? input.args[key] : undefined;
    const filled = value === undefined ? undefined : expand(value, { token, env: known });
    const own = value === undefined ? known.get(key) : (filled?.text ?? NO_NAME);
    values.set(key, given ?? own);
    if (isGlobal) env.set(key, given ?? own);
    if (!filled?.isEndless) continue;
    on.faults.push({
      path: on.place,
      rule: 'build-growth',
      message: `${one.name.toUpperCase()} ${key}: with its variables filled in it would take the builder's memory; keep it short`,
    });
  }
}

/** `K=V K` of ARG and ENV, quotes still on them as BuildKit keeps them until it fills in; `ENV K V V` of old. */
function pairsOf(one: Instruction, token: string): readonly [string, string?][] {
  const words = expand(one.rest, { token, raw: { quotes: true, escapes: true } })?.words ?? [];
  const [first = ''] = words;
  if (one.name === 'env' && !first.includes('=')) return [[first, one.rest.slice(first.length).trim()]];
  return words.map(cut);
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** What BuildKit defines by itself; a build argument of the name has its way. */
function platformArguments(input: BuildInput): Map<string, string | undefined> {
  const arch = ARCHITECTURES[process.arch] ?? process.arch;
  const env = new Map<string, string | undefined>([['TARGETSTAGE', input.target ?? 'default']]);
  for (const side of ['BUILD', 'TARGET']) {
    env.set(`${side}PLATFORM`, `linux/${arch}`).set(`${side}OS`, 'linux').set(`${side}ARCH`, arch);
    env.set(`${side}VARIANT`, '').set(`${side}OSVERSION`, '');
  }
  for (const key of env.keys()) if (Object.hasOwn(input.args, key)) env.set(key, input.args[key]);
  return env;
}

/** Numbers of the stages that the target is made of; all where it is not found. */
function reachable({ stages, numbers, input }: Reading): ReadonlySet<number> {
  const { target } = input;
  const first = target === undefined ? stages.length - 1 : (numbers.get(target.toLowerCase()) ?? Number(target));
  if (!stages[first]) return new Set(stages.keys());
  const reached = new Set<number>();
  const queue = [first];
  for (let index = queue.pop(); index !== undefined; index = queue.pop()) {
    if (reached.has(index)) continue;
    reached.add(index);
    for (const one of stages[index]?.needs ?? []) {
      const needed = typeof one === 'number' ? one : numbers.get(one);
      if (needed !== undefined) queue.push(needed);
    }
  }
  return reached;
}

function cut(text: string): [string, string?] {
  const at = text.indexOf('=');
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
