/** Programs that the bench runs to their end, in the environment that a user's own shell would give them. */
import { runProcess } from '../src/adapters/run-process.ts';

const LIMIT_MS = 180_000;

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly act: string;
  readonly signal?: AbortSignal;
}

/** @returns what it printed on stdout. */
export async function run(one: Command): Promise<string> {
  const { stdout } = await runProcess({
    command: one.command,
    args: one.args,
    ...(one.cwd === undefined ? {} : { cwd: one.cwd }),
    env: { ...shell(), ...one.env },
    timeoutMs: LIMIT_MS,
    signal: one.signal ?? new AbortController().signal,
    act: one.act,
  });
  return stdout;
}

/** The few variables that git, docker and the script's own programs look at. */
export function shell(): Record<string, string> {
  const { PATH = '', HOME = '/', DOCKER_HOST } = process.env;
  return {
    PATH,
    HOME,
    LC_ALL: 'C.UTF-8',
    // A checkout of root's in a folder of root's; the user's own git configuration decides nothing.
    GIT_CONFIG_GLOBAL: '/dev/null',
    ...(DOCKER_HOST === undefined ? {} : { DOCKER_HOST }),
  };
}
