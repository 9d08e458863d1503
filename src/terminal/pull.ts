/** `treehouse pull`: what runs of a preview, as a compose file for one's own engine. */
import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { execa } from 'execa';
import { parse } from 'yaml';
import { messageOf, TreehouseError } from '../errors.ts';
import type { Client } from '../web/client.ts';

export interface PullCommandDeps {
  client(): Pick<Client, 'composeFile'>;
  write(text: string): void;
  /** Beside the output, for people. */
  say(text: string): void;
  /** A file as it was named, absolute. */
  resolve(file: string): string;
  /** For docker, which finds its engine and its logins by it. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

interface Options {
  readonly output?: string;
  readonly images?: boolean;
  readonly json?: boolean;
}

export function pullCommand(program: Command, deps: PullCommandDeps): void {
  program
    .command('pull')
    .argument('<preview>', 'its id, as status shows it')
    .argument('[service...]', 'only these, and what they need')
    .option('-o, --output <file>', 'where to write it; the standard output unless told')
    .option('--images', 'also pull its images')
    .option('--json', 'as JSON, which Compose reads too')
    .description('a compose file of what runs, to start the same here: treehouse pull PREVIEW | docker compose -f - up')
    .action(async (id: string, services: readonly string[], options: Options) => {
      const text = await deps.client().composeFile(id, services);
      if (options.images === true) await pullImages(imagesOf(text), deps);
      const said = options.json === true ? `${JSON.stringify(parse(text), null, 2)}\n` : text;
      if (options.output === undefined) return deps.write(said);
      await writeFile(deps.resolve(options.output), said);
      deps.say(`docker compose -f ${options.output} up starts it`);
    });
}

function imagesOf(text: string): readonly string[] {
  const { services } = parse(text) as { readonly services: Readonly<Record<string, { readonly image: string }>> };
  return [...new Set(Object.values(services).map((one) => one.image))];
}

/** What only Treehouse's engine has cannot be pulled; the file says what to do. @throws `image-missing` */
async function pullImages(images: readonly string[], { env, say }: PullCommandDeps): Promise<void> {
  for (const image of images) {
    if (image.startsWith('sha256:')) {
      say(`${image} is in no registry: the file says what to do`);
      continue;
    }
    try {
      // Its progress is not the file.
      await execa('docker', ['pull', '--', image], {
        env: { ...env },
        stdio: ['ignore', process.stderr, process.stderr],
      });
    } catch (cause) {
      throw new TreehouseError('image-missing', `pulling ${image} failed: ${messageOf(cause).split('\n')[0]}`, {
        cause,
      });
    }
  }
}
