/** The verbs that ask something of one preview. */
import type { Command } from 'commander';
import type { PreviewAct } from '../api/acts.ts';
import type { Client } from '../web/client.ts';

interface Act {
  readonly what: string;
  said(id: string): string;
  /** What is lost by it; it is asked about first. */
  lost?(id: string): string;
}

const ACTS: Readonly<Record<PreviewAct, Act>> = {
  redeploy: {
    what: 'build and start the newest commit anew',
    said: (id) => `${id} is being built anew; treehouse logs -f ${id} shows it`,
  },
  cancel: {
    what: 'end the build under way; what serves goes on',
    said: (id) => `the build of ${id} ends; treehouse redeploy ${id} begins it again`,
  },
  reset: {
    what: 'throw its data away: new volumes, seeded again',
    said: (id) => `${id} gets new data; treehouse logs -f ${id} shows it`,
    lost: (id) => `All data of ${id} goes.`,
  },
  sleep: {
    what: 'stop its containers until somebody visits it',
    said: (id) => `${id} goes to sleep; its next visitor wakes it`,
  },
  wake: { what: 'start its containers again', said: (id) => `${id} is being woken` },
  pin: {
    what: 'keep it awake and there, however long nobody uses it and whoever needs its room',
    said: (id) => `${id} is pinned; treehouse unpin ${id} ends that`,
  },
  unpin: { what: 'let it sleep and go as others do', said: (id) => `${id} is not pinned any more` },
  down: {
    what: 'remove it with its data, until its branch moves on or somebody asks for a build',
    said: (id) => `${id} is being removed; the next push to its branch, or treehouse redeploy ${id}, brings it back`,
    lost: (id) => `${id} goes, and all its data.`,
  },
};

export interface ActsDeps {
  client(): Pick<Client, 'act'>;
  print(text: string): void;
  /** Resolves where a person agrees, or `yes` says so. @throws where not. */
  confirm(lost: string, yes: boolean): Promise<void>;
}

export function previewCommands(program: Command, { client, print, confirm }: ActsDeps): void {
  for (const [name, { what, said, lost }] of Object.entries(ACTS) as [PreviewAct, Act][]) {
    const command = program.command(name).argument('<preview>', 'its id, as status shows it').description(what);
    if (lost) command.option('-y, --yes', 'do not ask');
    command.option('--json', 'for a program');
    command.action(async (id: string, options: { readonly yes?: boolean; readonly json?: boolean }) => {
      if (lost) await confirm(lost(id), options.yes === true);
      await client().act(name, id);
      print(options.json === true ? JSON.stringify({ act: name, preview: id }) : said(id));
    });
  }
}
