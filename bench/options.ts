/** The bench's command line. */
import { parseArgs } from 'node:util';

export interface Options {
  readonly redeploys: number;
  readonly only: 'one' | 'four' | undefined;
  readonly json: string | undefined;
  readonly writeDocs: boolean;
}

export const USAGE = `npm run bench -- [options]
  --redeploys N     of each stack and way, 1 to 100; 10 unless told
  --only one|four   that stack alone
  --json FILE       every measurement, for a program
  --write-docs      the tables into docs/benchmarks.md
  TREEHOUSE_BENCH_DIY names the folder of the script that it is measured beside (../shared/peers/diy)`;

/** @throws an error whose message is for the reader; undefined where only help was asked for. */
export function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      redeploys: { type: 'string', default: '10' },
      only: { type: 'string' },
      json: { type: 'string' },
      'write-docs': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const redeploys = Number(values.redeploys);
  if (!Number.isInteger(redeploys) || redeploys < 1 || redeploys > 100) throw new Error('--redeploys is 1 to 100');
  const { only } = values;
  if (only !== undefined && only !== 'one' && only !== 'four') throw new Error('--only is one or four');
  return { redeploys, only, json: values.json, writeDocs: values['write-docs'] };
}
