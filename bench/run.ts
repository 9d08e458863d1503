/** `npm run bench`: from a push to its content served, by Treehouse, by a script of a careful user, and by bare compose. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectEngine } from '../src/adapters/engine.ts';
import { messageOf } from '../src/errors.ts';
import { describeMachine, type Machine, machineText } from './machine.ts';
import { type Options, readOptions, USAGE } from './options.ts';
import { BENCH_MARKS, terminalText, writeDocs } from './output.ts';
import { tables } from './report.ts';
import { measureStack, type StackResult } from './rounds.ts';
import { runTag } from './run-tag.ts';
import { findScript } from './script.ts';
import { abortOnSignals } from './signals.ts';
import { STACKS } from './stacks.ts';

/** The project's folder, seen from dist-bench/bench. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const say = (text: string) => void process.stderr.write(`bench: ${text}\n`);

async function bench(options: Options, signal: AbortSignal): Promise<void> {
  const docker = connectEngine(process.env.DOCKER_HOST);
  const machine = await describeMachine(docker);
  const script = await findScript(ROOT);
  if (script === undefined)
    say('the script (peers/diy) is not here: going on without it; TREEHOUSE_BENCH_DIY names it');
  const date = new Date().toISOString();
  const folder = await mkdtemp(path.join(tmpdir(), 'treehouse-bench-'));
  const tag = runTag();
  const results: StackResult[] = [];
  try {
    for (const stack of STACKS) {
      if (options.only !== undefined && options.only !== stack.name) continue;
      const { redeploys } = options;
      results.push(await measureStack(stack, { docker, root: ROOT, folder, tag, script, redeploys, signal, say }));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  await show({ date, machine, results }, options);
}

interface Report {
  readonly date: string;
  readonly machine: Machine;
  readonly results: readonly StackResult[];
}

async function show({ date, machine, results }: Report, options: Options): Promise<void> {
  const all = tables(results);
  const intro = `${date.slice(0, 10)}, ${machineText(machine)}.`;
  console.log([intro, ...all.map(terminalText)].join('\n\n'));
  if (options.json !== undefined) {
    await writeFile(options.json, `${JSON.stringify({ date, machine, options, results }, undefined, 2)}\n`);
  }
  if (options.writeDocs) await writeDocs(path.join(ROOT, 'docs/benchmarks.md'), intro, all, BENCH_MARKS);
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options) await bench(options, abortOnSignals(say));
  else console.log(USAGE);
} catch (error) {
  say(messageOf(error));
  process.exitCode = 1;
}
