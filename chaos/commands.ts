/** Programs run to their end, by argv and with an environment of their own. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PATH = process.env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly timeoutMs?: number;
}

/** Its output. @throws where it fails or takes too long; default 60 s. */
export async function command(name: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const running = run(name, [...args], {
    env: { PATH, LC_ALL: 'C', ...options.env },
    maxBuffer: 64 * 1024 * 1024,
    timeout: options.timeoutMs ?? 60_000,
  });
  // One that ends before it has read all says why by its exit.
  running.child.stdin?.on('error', () => undefined);
  running.child.stdin?.end(options.input ?? '');
  return (await running).stdout;
}

export function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}
