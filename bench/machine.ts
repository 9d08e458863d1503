/** What the numbers were measured on. */
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import type Docker from 'dockerode';
import { run } from './commands.ts';

export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryBytes: number;
  /** Processes that wanted to run, over the minute before the bench began. */
  readonly load: number;
  readonly node: string;
  readonly engine: string;
  readonly compose: string;
  readonly buildx: string;
}

export async function describeMachine(docker: Docker): Promise<Machine> {
  const plugin = async (args: readonly string[]) => {
    const said = await run({ command: 'docker', args, act: `asking docker ${args[0]} for its version` });
    return /\d+\.\d+\.\d+/.exec(said)?.[0] ?? said.trim();
  };
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? 'unknown',
    memoryBytes: totalmem(),
    load: loadavg()[0] ?? Number.NaN,
    node: process.versions.node,
    engine: (await docker.version()).Version,
    compose: await plugin(['compose', 'version', '--short']),
    buildx: await plugin(['buildx', 'version']),
  };
}

export function machineText(machine: Machine): string {
  const gigabytes = Math.round(machine.memoryBytes / 2 ** 30);
  return (
    `${machine.cores} cores (${machine.processor}), ${gigabytes} GB, load ${machine.load.toFixed(1)} at the start; ` +
    `Node ${machine.node}, Docker engine ${machine.engine}, compose ${machine.compose}, buildx ${machine.buildx}`
  );
}
