/** What a repository asks of those who visit its previews, as the gateway holds it. Pure. */
import type { PreviewId, RepositoryName } from './names.ts';

/** `password` also takes links. */
export const ACCESS = ['public', 'password', 'link'] as const;
export type Access = (typeof ACCESS)[number];

export interface AccessRules {
  readonly mode: Access;
  /** Paths, and all below them, that are let through to anybody. */
  readonly open: readonly string[];
}

export const PUBLIC: AccessRules = { mode: 'public', open: [] };

/** What the gateway asks of visitors to a repository's previews. */
export interface Guard {
  /** See `Repository.slug`; `*`: of every repository that has no guard of its own. */
  readonly slug: string;
  readonly access: AccessRules;
  /** Of the password that there is now: passes that carry another open nothing. */
  readonly mark?: string | undefined;
}

/** A share link, as the gateway holds it. */
export interface OpenLink {
  readonly id: string;
  readonly preview: PreviewId;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Where guards and links are told. */
export interface Doorkeeper {
  /** Makes these be all the guards; they outlive the gateway. */
  setGuards(guards: readonly Guard[]): Promise<void>;
  /** Makes these be all the links; a gateway that starts anew has forgotten them. */
  setLinks(links: readonly OpenLink[]): Promise<void>;
}

/**
 * Why a path cannot be let through; undefined where it can. It is written as it has to be asked for: a path that others would
 * read as another one is never let through.
 */
export function openPathFault(path: string): string | undefined {
  if (!path.startsWith('/')) return 'it begins with /';
  if (path === '/') return 'it would let everything through: say access: public';
  if (path.startsWith('/.treehouse/')) return 'what is below /.treehouse/ is answered by Treehouse';
  if (!/^[A-Za-z0-9/_.~:@+,=-]+$/.test(path))
    return 'it has letters, digits and / _ . ~ : @ + , = - only, none of them encoded';
  if (/\/\/|\/\.\.?(?:\/|$)/.test(path)) return 'it has no //, and neither . nor .. as a part';
  return undefined;
}

/** The repository that a host label or a preview's id is of, by its last part. */
export function repositoryOf<T extends { readonly name: RepositoryName; readonly slug: string }>(
  repositories: readonly T[],
  label: string,
): T | undefined {
  const slug = /^.*--(.+)$/.exec(label)?.[1];
  return repositories.find((one) => one.slug === slug) ?? repositories.find((one) => one.slug === '');
}
