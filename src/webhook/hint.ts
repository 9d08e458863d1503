/** From a branch's name in a payload to the preview that is looked at. Pure. */
import { excludedBecause } from '../domain/desired.ts';
import { selects } from '../domain/globs.ts';
import { type Branch, branchName } from '../domain/names.ts';
import type { Repository } from '../domain/ports.ts';
import { type PreviewKey, previewKey } from '../domain/preview.ts';
import type { PullRequestFact } from '../domain/pull-requests.ts';
import { messageOf } from '../errors.ts';
import { type Interpretation, ignored, quote } from './interpretation.ts';

export function hint(
  known: Repository,
  ref: string,
  cause: (branch: Branch) => string,
  fact?: PullRequestFact,
): Interpretation {
  let branch: Branch;
  try {
    branch = branchName(ref);
  } catch (error) {
    return ignored(messageOf(error));
  }
  const isNamed = selects(known.branches, branch);
  // Who opened a pull request of it is told why there is none.
  if (!isNamed && !fact) {
    return ignored(`the \`branches\` setting of ${known.name} leaves out ${quote(branch)}`);
  }
  const key: PreviewKey = previewKey(known, branch);
  if (key.id === known.reserved) return ignored(excludedBecause(key, known) ?? '');
  const why = isNamed ? '' : `; ${excludedBecause(key, known)}`;
  return { kind: 'hint', key, cause: `${cause(branch)}${why}`, ...(fact ? { pullRequest: fact } : {}) };
}
