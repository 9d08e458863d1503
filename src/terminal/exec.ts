/** `treehouse exec`: a command, or a shell, in a service of a preview. */
import type { Readable, Writable } from 'node:stream';
import type { Command } from 'commander';
import type { TerminalSize } from '../domain/exec.ts';
import type { Ends, RemoteCommand } from '../web/exec-client.ts';

/** A process's own input or output, which may be a terminal. */
export type TerminalInput = Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown };
export type TerminalOutput = Writable & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};

export interface ExecCommandDeps {
  run(command: RemoteCommand, ends: Ends): Promise<number>;
  readonly input: TerminalInput;
  readonly output: TerminalOutput;
  readonly errors: Writable;
  exit(code: number): void;
}

/** What is opened where nothing is said. */
const SHELL = ['sh'];

export function execCommand(program: Command, { run, input, output, errors, exit }: ExecCommandDeps): void {
  program
    .command('exec')
    .argument('<preview>', 'its id, as status shows it')
    .argument('<service>', 'of its compose file')
    .argument('[command...]', 'after --; a shell unless told')
    .option('-T, --no-tty', 'without a terminal, though there is one')
    .description('run a command in a service, as its own user: treehouse exec PREVIEW SERVICE -- CMD')
    .addHelpText('after', '\nIts exit code is the command’s own.')
    .action(async (preview: string, service: string, words: readonly string[], options: { readonly tty: boolean }) => {
      const isTty = options.tty && input.isTTY === true && output.isTTY === true;
      const command = words.length === 0 ? SHELL : words;
      const ends = {
        input,
        output,
        errors,
        onResize: (changed: (size: TerminalSize) => void) => follow(output, changed),
      };
      if (isTty) input.setRawMode?.(true);
      try {
        exit(await run({ preview, service, command, terminal: isTty ? sizeOf(output) : undefined }, ends));
      } finally {
        if (isTty) input.setRawMode?.(false);
        // Somebody may never end it, and the process would wait.
        input.destroy();
      }
    });
}

function follow(output: TerminalOutput, changed: (size: TerminalSize) => void): void {
  if (output.isTTY === true) output.on('resize', () => changed(sizeOf(output)));
}

function sizeOf({ columns, rows }: TerminalOutput): TerminalSize {
  return { columns: columns || 80, rows: rows || 24 };
}
