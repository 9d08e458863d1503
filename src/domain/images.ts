/** How images are named: by repository, service and commit; and by their sources, so that an unchanged one is found again. */
import { createHash } from 'node:crypto';
import type { Commit } from './names.ts';
import type { PreviewKey } from './preview.ts';

/** First part of an image's name where there is no registry. */
const LOCAL = 'treehouse';

export interface ImageNames {
  /** Path in the registry. */
  readonly path: string;
  readonly commitTag: string;
  /** `name:tag` by commit, which is what runs and is pushed. */
  readonly reference: string;
  /** `name:tag` by the hash of all that the image is built from. */
  readonly bySource: string;
}

/**
 * @param registry `host:port`, or undefined
 * @param source see `sourceHash`
 */
export function imageNames(input: {
  readonly registry: string | undefined;
  readonly preview: PreviewKey;
  readonly service: string;
  readonly commit: Commit;
  readonly source: string;
}): ImageNames {
  const { preview, commit, source } = input;
  const [owner = '', repository = ''] = preview.repository.split('/');
  const path = `${component(owner.toLowerCase())}/${component(repository)}/${component(input.service)}`;
  const name = `${input.registry ?? LOCAL}/${path}`;
  const commitTag = `${tagPrefix(preview)}${commit}`;
  return { path, commitTag, reference: `${name}:${commitTag}`, bySource: `${name}:${tagPrefix(preview)}src-${source}` };
}

/** What every tag of a preview's images begins with, in a registry that many previews share. */
export function tagPrefix(preview: PreviewKey): string {
  return `${preview.id}.`;
}

/** Hash of what an image is built from: the build section, and git's ids of its folders and Dockerfile. */
export function sourceHash(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 24);
}

/** So that a registry's host and three parts stay below the 255 characters of a name (distribution/reference). */
const COMPONENT_MAX = 40;

/** A part of an image's name: lower case, no two separators in a row; what had to change, or looks so, gets a hash. */
function component(text: string): string {
  const plain = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  if (plain === text && plain.length <= COMPONENT_MAX && !/-[0-9a-f]{8}$/.test(plain)) return plain;
  return `${plain.slice(0, COMPONENT_MAX).replace(/-+$/, '') || 'x'}-${createHash('sha256').update(text).digest('hex').slice(0, 8)}`;
}
