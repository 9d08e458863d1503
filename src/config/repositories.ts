/** The repositories that file, environment and command line list, each with its defaults. */
import path from 'node:path';
import { repositoryName, repositorySlug } from '../domain/names.ts';
import type { Repository } from '../domain/ports.ts';
import { messageOf } from '../errors.ts';
import { type GatewayKind, repositoryFaults } from './nginx-proxy.ts';
import type { Listed, PreviewSettings } from './schema.ts';

/** `TREEHOUSE_REPOS`: name and URL of each. */
export function pairs(text: string | undefined, faults: string[]): [string, string][] {
  const found: [string, string][] = [];
  for (const part of (text ?? '').split(',').map((one) => one.trim())) {
    if (part === '') continue;
    const at = part.indexOf('=');
    if (at < 1) faults.push(`TREEHOUSE_REPOS: '${part}' has not the form owner/name=URL`);
    else found.push([part.slice(0, at), part.slice(at + 1)]);
  }
  return found;
}

/** What a repository gets that it does not say itself. */
export interface RepositoryDefaults {
  /** Where paths begin. */
  readonly cwd: string;
  readonly shortNames: boolean;
  readonly usual: PreviewSettings;
  /** See Repository. */
  readonly reserved?: string | undefined;
  /** `own` where nothing is said. */
  readonly gateway?: GatewayKind | undefined;
}

/**
 * Checks names against each other and puts defaults in; what is wrong is added to `faults`.
 * @param taken repositories that are there already
 */
export function resolveRepositories(
  listed: ReadonlyMap<string, Listed>,
  { cwd, shortNames, usual, reserved, gateway }: RepositoryDefaults,
  faults: string[],
  taken: readonly Repository[] = [],
): readonly Repository[] {
  const repositories: Repository[] = [];
  const slugs = new Map<string, string>(taken.map(({ name }) => [repositorySlug(name), name]));
  for (const [text, one] of listed) {
    try {
      const name = repositoryName(text);
      if (gateway === 'nginx-proxy') faults.push(...repositoryFaults(name, one));
      // `off` is there, and undefined.
      const said = { ...usual, ...one.previews };
      const { idle, ttl, max, running, builds, memory, atLimit = 'wait', sleepMode = 'stop' } = said;
      const slug = repositorySlug(name);
      const other = slugs.get(slug);
      if (other !== undefined) {
        faults.push(
          `repositories.${name}: its previews would have the names of ${other}'s ('${slug}'); rename one in the configuration`,
        );
      }
      slugs.set(slug, name);
      repositories.push(
        Object.freeze({
          name,
          slug: shortNames ? '' : slug,
          ...(reserved === undefined ? {} : { reserved }),
          url: absolute(one.url ?? `https://github.com/${name}.git`, cwd),
          branches: Object.freeze([...one.branches]),
          ...(one.selection ? { selection: Object.freeze(one.selection) } : {}),
          ...(one.approvalLabel === undefined ? {} : { approvalLabel: one.approvalLabel }),
          ...(one.images ? { images: Object.freeze(one.images) } : {}),
          ...(one.scan ? { scan: Object.freeze(one.scan) } : {}),
          ...(one.access ? { access: Object.freeze(one.access) } : {}),
          ...(idle === undefined ? {} : { idle }),
          ...(ttl === undefined ? {} : { ttl }),
          sleepMode,
          most: Object.freeze({ previews: max, running, builds, memory, atLimit }),
          ...(one.policy ? { policy: Object.freeze(one.policy) } : {}),
        }),
      );
    } catch (error) {
      faults.push(`repositories.${text}: ${messageOf(error)}`);
    }
  }
  return Object.freeze(repositories);
}

/** A path becomes absolute; anything with a scheme, or `user@host:path`, stays. */
function absolute(url: string, cwd: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\/|^[^/]+@[^/]+:|^-/i.test(url) ? url : path.resolve(cwd, url);
}
