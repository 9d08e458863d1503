/** The delivery that GitHub would send after a push: one body for Treehouse and for the script. */
import { signed } from '../test/support/signed.ts';

export interface Push {
  readonly repository: string;
  readonly url: string;
  readonly branch: string;
  /** Undefined: the branch was deleted. */
  readonly commit: string | undefined;
}

const NONE = '0'.repeat(40);

/** @throws unless it is taken. */
export async function deliverPush(to: string, secret: string, push: Push, signal: AbortSignal): Promise<void> {
  const delivery = signed(
    'push',
    {
      ref: `refs/heads/${push.branch}`,
      before: NONE,
      after: push.commit ?? NONE,
      created: false,
      deleted: push.commit === undefined,
      forced: false,
      repository: { full_name: push.repository, clone_url: push.url },
    },
    secret,
  );
  const answer = await fetch(to, { method: 'POST', headers: { ...delivery.headers }, body: delivery.body, signal });
  const said = await answer.text();
  if (!answer.ok) throw new Error(`${to} answered ${answer.status} to a push: ${said.slice(0, 300)}`);
}
