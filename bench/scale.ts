/** `npm run scale`: what grows with the number of previews, and how long one takes to wake beside a bare `docker start`. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectEngine } from '../src/adapters/engine.ts';
import { messageOf } from '../src/errors.ts';
import { describeMachine, machineText } from './machine.ts';
import { SCALE_MARKS, terminalText, writeDocs } from './output.ts';
import { runTag } from './run-tag.ts';
import { readScaleOptions, SCALE_USAGE, type ScaleOptions } from './scale-options.ts';
import { scaleTable } from './scale-report.ts';
import { measureScale } from './scale-rounds.ts';
import { abortOnSignals } from './signals.ts';

/** The project's folder, seen from dist-bench/bench. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const say = (text: string) => void process.stderr.write(`scale: ${text}\n`);

async function scale(options: ScaleOptions, signal: AbortSignal): Promise<void> {
  const docker = connectEngine(process.env.DOCKER_HOST);
  const machine = await describeMachine(docker);
  const date = new Date().toISOString();
  const folder = await mkdtemp(path.join(tmpdir(), 'treehouse-scale-'));
  try {
    const results = await measureScale(options, { docker, root: ROOT, folder, tag: runTag(), signal, say });
    const table = scaleTable(results);
    const intro = `${date.slice(0, 10)}, ${machineText(machine)}.`;
    console.log([intro, terminalText(table)].join('\n\n'));
    if (options.json !== undefined) {
      await writeFile(options.json, `${JSON.stringify({ date, machine, options, results }, undefined, 2)}\n`);
    }
    if (options.writeDocs) await writeDocs(path.join(ROOT, 'docs/benchmarks.md'), intro, [table], SCALE_MARKS);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

try {
  const options = readScaleOptions(process.argv.slice(2));
  if (options) await scale(options, abortOnSignals(say));
  else console.log(SCALE_USAGE);
} catch (error) {
  say(messageOf(error));
  process.exitCode = 1;
}
