/** Asks before what cannot be taken back. */
import { createInterface } from 'node:readline/promises';
import { TreehouseError } from '../errors.ts';

export interface ConfirmOptions {
  /** Said beforehand, on the command line. */
  readonly yes: boolean;
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream;
}

/** @throws `bad-config` where nobody can be asked, `stopped` where the answer is no. */
export async function confirm(question: string, { yes, input, output }: ConfirmOptions): Promise<void> {
  if (yes) return;
  if (input.isTTY !== true) throw new TreehouseError('bad-config', `${question} Say --yes to do it`);
  const asking = createInterface({ input, output });
  try {
    const answer = await asking.question(`${question} [y/N] `);
    if (!/^y(?:es)?$/i.test(answer.trim())) throw new TreehouseError('stopped', 'nothing was done');
  } finally {
    asking.close();
  }
}
