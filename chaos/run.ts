/** `npm run chaos`: round after round against a real Treehouse in a network, an engine and a disk of its own. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startEngine } from './engine.ts';
import { FAULTS } from './faults.ts';
import { createGitHub } from './github.ts';
import { makeHouse } from './house.ts';
import { createModel } from './model.ts';
import { type Random, seeded } from './random.ts';
import { startRemote } from './remote.ts';
import { playRound } from './round.ts';
import { STACKS } from './stacks.ts';

const USAGE = `Usage: npm run chaos -- [--rounds N] [--seed S] [--faults a,b,…|none] [--branches N] [--several]
  --rounds    how many; 20 unless told
  --seed      of all choices; of the clock unless told
  --faults    of ${Object.keys(FAULTS).join(', ')}; all unless told
  --branches  over all repositories; 20 unless told
  --several   processes instead of one: a receiver, two workers and a gateway`;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SECRET = 'a secret of this run, which nobody else may know';

interface Settings {
  readonly rounds: number;
  readonly seed: number;
  readonly faults: readonly string[];
  readonly branches: number;
  readonly isSeveral: boolean;
  /** Holds the small disk at `disk`, the certificate at `tls`, and logs; made by setup/chaos. */
  readonly folder: string;
}

function readSettings(): Settings {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '20' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      faults: { type: 'string', default: Object.keys(FAULTS).join(',') },
      branches: { type: 'string', default: '20' },
      several: { type: 'boolean', default: false },
      folder: { type: 'string', default: '' },
      help: { type: 'boolean', default: false },
    },
  });
  const faults = values.faults === 'none' ? [] : values.faults.split(',');
  const numbers = [values.rounds, values.seed, values.branches].map(Number);
  const unknown = faults.find((one) => !(one in FAULTS));
  if (values.help || unknown !== undefined || numbers.some((one) => !Number.isInteger(one) || one < 0)) {
    console.error(unknown === undefined ? USAGE : `there is no fault '${unknown}'\n${USAGE}`);
    process.exit(values.help ? 0 : 2);
  }
  const [rounds = 0, seed = 0, branches = 0] = numbers;
  return { rounds, seed, branches, faults, isSeveral: values.several, folder: values.folder };
}

/** Each once before any a second time, so that a short run has many kinds. */
function deckOf(faults: readonly string[], random: Random): { draw(): string | undefined } {
  let left: string[] = [];
  return {
    draw() {
      if (left.length === 0) left = random.shuffled(faults);
      return left.pop();
    },
  };
}

async function main(settings: Settings): Promise<boolean> {
  const { folder, seed } = settings;
  const [disk, run, logs] = [path.join(folder, 'disk'), path.join(folder, 'run'), path.join(folder, 'logs')];
  await mkdir(logs, { recursive: true });
  const random = seeded(seed);
  const engine = await startEngine({ data: disk, run });
  await engine.docker('load', '--quiet', '--input', path.join(folder, 'busybox.tar'));
  const repositories = Object.keys(STACKS);
  const tls = { key: path.join(folder, 'tls', 'key.pem'), cert: path.join(folder, 'tls', 'cert.pem') };
  const remote = await startRemote({
    folder: path.join(folder, 'git'),
    repositories,
    served: repositories.filter((one) => one !== 'acme/blog'),
    certificate: tls,
  });
  const house = await makeHouse({
    ...{ root: ROOT, folder: disk, logs, dockerHost: engine.host, secret: SECRET },
    isSeveral: settings.isSeveral,
    config: {
      sweep: 4,
      sweepGrace: 2,
      startLimit: 30,
      logLevel: 'debug',
      repositories: Object.fromEntries(
        repositories.map((one) => [
          one,
          {
            url: remote.url(one),
            branches: ['*', '!main'],
            ...(one === 'acme/blog' ? { previews: { idle: '8s', sleepMode: seed % 2 === 0 ? 'stop' : 'pause' } } : {}),
          },
        ]),
      ),
    },
  });
  // A repository that people would configure has a branch.
  for (const one of repositories) await remote.move(one, 'main', await remote.commit(one, { README: one }, undefined));
  await house.start();
  const github = createGitHub({ url: house.url, secret: SECRET, random: random.fork() });
  const names = Array.from(
    { length: settings.branches },
    (_, index) => `${repositories[index % repositories.length]}:topic-${index}`,
  );
  const model = createModel(names);
  const on = { house, engine, remote, github, disk };
  const deck = deckOf(settings.faults, random.fork());
  let well = true;
  for (let round = 1; round <= settings.rounds && well; round++) {
    const lines: string[] = [];
    const began = performance.now();
    const say = (line: string): void => void lines.push(`${((performance.now() - began) / 1000).toFixed(1)}s${line}`);
    const result = await playRound({ on, model, random, nextFault: () => deck.draw(), say });
    const faults = lines.filter((one) => one.includes('fault ')).map((one) => one.split('fault ')[1]);
    well = result.differences.length === 0;
    const took = ((performance.now() - began) / 1000).toFixed(1);
    console.log(
      `round ${round}: ${well ? 'no difference' : 'DIFFERENT'}, ${took} s, settled ${(result.settledAfter / 1000).toFixed(1)} s after; ${lines.length - faults.length} acts; ${faults.join(' ') || 'no fault'}`,
    );
    if (!well) console.log([...lines, ...result.differences.map((one) => `  ≠ ${one}`)].join('\n'));
  }
  console.log(
    well
      ? `${settings.rounds} rounds without a difference, seed ${seed}`
      : `the world differs from the model: repeat it with --seed ${seed} --branches ${settings.branches}${settings.isSeveral ? ' --several' : ''}; the logs are in ${logs}`,
  );
  await house.stop();
  await remote.stop();
  // What is paused would keep the namespace from ending.
  await engine.losePower();
  return well;
}

process.exitCode = (await main(readSettings())) ? 0 : 1;
