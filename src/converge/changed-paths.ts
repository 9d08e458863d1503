/** Whether a commit changed a file that counts: asked of the forge once for each commit, since git's mirror has no history. */
import type { Desired } from '../domain/desired.ts';
import type { Repository } from '../domain/ports.ts';
import type { PreviewKey } from '../domain/preview.ts';
import { type PathsQuestion, type PathsVerdict, touches } from '../domain/selection.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { timeLimit } from '../time-limit.ts';
import type { ConvergeDeps } from './deps.ts';

/** A forge that takes longer holds no build up. */
const ASK_MS = 10_000;

/** The verdict; where there is none, what is built all the same, and why. A build too many costs less than one that never comes. */
export async function askForPaths(
  deps: Pick<ConvergeDeps, 'store' | 'forge'>,
  preview: PreviewKey,
  { repository, question, signal }: { repository: Repository; question: PathsQuestion; signal: AbortSignal },
): Promise<PathsVerdict | Extract<Desired, { kind: 'present' }>> {
  const { commit, bases, paths } = question;
  const unasked = (why: string) => ({ kind: 'present', commit, because: `\`paths\` is not applied: ${why}` }) as const;
  const { forge } = deps;
  if (!forge) return unasked('there are no credentials to ask GitHub what was changed');
  const late = new TreehouseError('forge-failed', `no answer within ${ASK_MS / 1000} s`, { kind: 'transient' });
  const limit = timeLimit(signal, ASK_MS, late);
  try {
    const ask = (base: PathsQuestion['bases'][number]) =>
      forge.changedPaths(repository.name, { base, head: commit }, limit.signal);
    const all = await Promise.all(bases.map(ask));
    // Too many to be told are sure to be enough.
    const touched = all.some((files) => files === undefined || touches(paths, files));
    const verdict = { ...question, touched };
    await deps.store.notePaths(preview, verdict);
    return verdict;
  } catch (error) {
    signal.throwIfAborted();
    return unasked(messageOf(error));
  } finally {
    limit.clear();
  }
}
