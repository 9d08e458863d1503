/** The repositories as they are now: those of the configuration, which only it changes, and those that the API added. */
import { isDeepStrictEqual } from 'node:util';
import type { RepositoryName } from '../domain/names.ts';
import type { Repository } from '../domain/ports.ts';
import { TreehouseError } from '../errors.ts';
import { type RepositoryDefaults, resolveRepositories } from './repositories.ts';
import { repositorySchema } from './schema.ts';

/** A repository's section, as it would stand in `treehouse.yml`. */
export type Section = Readonly<Record<string, unknown>>;

/** Where what was added outlives Treehouse. */
export interface AddedRepositories {
  /** Its path, for people. */
  readonly file: string;
  read(): Promise<ReadonlyMap<string, Section>>;
  write(all: ReadonlyMap<string, Section>): Promise<void>;
}

export interface RepositoryBook {
  all(): readonly Repository[];
  /** Whether the configuration has it. */
  isConfigured(name: RepositoryName): boolean;
  /** Adds it, or changes what was added. @returns what is wrong with it; none: it is done. */
  put(name: RepositoryName, section: Section): Promise<readonly string[]>;
  /** @returns false where it was not added. */
  remove(name: RepositoryName): Promise<boolean>;
  /** Takes over what another process added or removed. @throws where it cannot be read, or not be used. */
  reread(): Promise<void>;
}

export interface BookOptions {
  readonly configured: readonly Repository[];
  readonly defaults: RepositoryDefaults;
  readonly added: AddedRepositories;
  /** @throws {TreehouseError} `bad-config` where git could not read it. */
  checkUrl(url: string): Promise<unknown>;
  /** Told of each change once it is kept, before it is said to be done. */
  onChange(): Promise<void>;
}

/**
 * What the configuration names as well is the configuration's.
 * @throws {TreehouseError} `bad-config` where what was added cannot be used any more: to leave it out would remove its previews.
 */
export async function openBook(options: BookOptions): Promise<RepositoryBook> {
  const { configured, defaults, added } = options;
  const isConfigured = (name: string) => configured.some((one) => one.name.toLowerCase() === name.toLowerCase());
  const read = async () => new Map([...(await added.read())].filter(([name]) => !isConfigured(name)));
  const begun = await read();
  let sections: ReadonlyMap<string, Section> = begun;
  let repositories = usable(begun);
  let last: Promise<unknown> = Promise.resolve();

  function resolve(all: ReadonlyMap<string, Section>): {
    readonly repositories: readonly Repository[];
    readonly faults: readonly string[];
  } {
    const faults: string[] = [];
    const listed = new Map(
      [...all].flatMap(([name, section]) => {
        const parsed = repositorySchema.safeParse(section);
        for (const { path, message } of parsed.error?.issues ?? []) {
          faults.push(`repositories.${[name, ...path].join('.')}: ${message}`);
        }
        return parsed.data ? [[name, parsed.data] as const] : [];
      }),
    );
    const more = resolveRepositories(listed, defaults, faults, configured);
    const whole = [...configured, ...more];
    if (defaults.shortNames && whole.length > 1) {
      faults.push("hostname is '{branch}', which is for one repository; make it '{branch}--{repo}' to have more");
    }
    return { repositories: Object.freeze(whole), faults };
  }

  function usable(all: ReadonlyMap<string, Section>): readonly Repository[] {
    const { repositories: found, faults } = resolve(all);
    if (faults.length === 0) return found;
    const list = faults.map((one) => `\n  ${one}`).join('');
    throw new TreehouseError('bad-config', `${added.file} has faults; mend them, or remove what they are of:${list}`);
  }

  /** One change after the other, each kept before it counts. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  }

  async function become(all: ReadonlyMap<string, Section>, now: readonly Repository[]): Promise<void> {
    await added.write(all);
    sections = all;
    repositories = now;
    await options.onChange();
  }

  return {
    all: () => repositories,
    isConfigured,
    reread: () =>
      inTurn(async () => {
        const now = await read();
        if (isDeepStrictEqual(now, new Map(sections))) return;
        repositories = usable(now);
        sections = now;
        await options.onChange();
      }),
    put: (name, section) =>
      inTurn(async () => {
        const all = new Map(sections).set(name, section);
        const { repositories: now, faults } = resolve(all);
        if (faults.length > 0) return faults;
        const url = now.find((one) => one.name === name)?.url;
        try {
          if (url !== undefined) await options.checkUrl(url);
        } catch (error) {
          if (error instanceof TreehouseError && error.code === 'bad-config') return [error.message];
          throw error;
        }
        await become(all, now);
        return [];
      }),
    remove: (name) =>
      inTurn(async () => {
        const all = new Map(sections);
        if (!all.delete(name)) return false;
        await become(all, resolve(all).repositories);
        return true;
      }),
  };
}
