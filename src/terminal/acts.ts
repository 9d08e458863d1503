/** The verbs that ask something of one preview. */
import type { Command } from 'commander';
import type { PreviewAct } from '../web/api.ts';
import type { Client } from '../web/client.ts';

const ACTS: Readonly<Record<PreviewAct, readonly [what: string, said: (id: string) => string]>> = {
  redeploy: [
    'build and start the newest commit anew',
    (id) => `${id} is being built anew; treehouse logs -f ${id} shows it`,
  ],
  sleep: ['stop its containers until somebody visits it', (id) => `${id} goes to sleep; its next visitor wakes it`],
  wake: ['start its containers again', (id) => `${id} is being woken`],
  pin: [
    'keep it awake and there, however long nobody uses it and whoever needs its room',
    (id) => `${id} is pinned; treehouse unpin ${id} ends that`,
  ],
  unpin: ['let it sleep and go as others do', (id) => `${id} is not pinned any more`],
};

export function previewCommands(
  program: Command,
  { client, print }: { client(): Pick<Client, 'act'>; print(text: string): void },
): void {
  for (const [act, [what, said]] of Object.entries(ACTS) as [PreviewAct, (typeof ACTS)[PreviewAct]][]) {
    program
      .command(act)
      .argument('<preview>', 'its id, as status shows it')
      .description(what)
      .action(async (id: string) => {
        await client().act(act, id);
        print(said(id));
      });
  }
}
