/** The command line of `npm run scale`. */
import { parseArgs } from 'node:util';

export interface ScaleOptions {
  /** How many there are at the end. */
  readonly previews: number;
  /** How many are measured at. */
  readonly steps: readonly number[];
  /** Wakes of each kind at each step. */
  readonly wakes: number;
  readonly json: string | undefined;
  readonly writeDocs: boolean;
}

export const SCALE_USAGE = `npm run scale -- [options]
  --previews N      how many at the end, 2 to 1000; 500 unless told (about half an hour)
  --wakes N         of a preview and of a bare container at each step, 1 to 100; 11 unless told
  --json FILE       every measurement, for a program
  --write-docs      the table into docs/benchmarks.md`;

const STEPS = [10, 50, 100, 250, 500];

/** @throws an error whose message is for the reader; undefined where only help was asked for. */
export function readScaleOptions(args: readonly string[]): ScaleOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      previews: { type: 'string', default: '500' },
      wakes: { type: 'string', default: '11' },
      json: { type: 'string' },
      'write-docs': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const previews = whole('previews', values.previews, { least: 2, most: 1000 });
  const wakes = whole('wakes', values.wakes, { least: 1, most: 100 });
  const steps = [...STEPS.filter((one) => one < previews), previews];
  return { previews, steps, wakes, json: values.json, writeDocs: values['write-docs'] };
}

function whole(name: string, text: string, { least, most }: { readonly least: number; readonly most: number }): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < least || number > most) throw new Error(`--${name} is ${least} to ${most}`);
  return number;
}
