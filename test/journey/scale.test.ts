/** The bench of many previews, run small: it measures all that it promises, and leaves nothing. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readScaleOptions } from '../../bench/scale-options.ts';
import { scaleTable } from '../../bench/scale-report.ts';
import { measureScale } from '../../bench/scale-rounds.ts';
import { connectEngine } from '../../src/adapters/engine.ts';
import { docker } from '../support/treehouse.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-scale-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('measures a handful of previews, and takes them away', async () => {
  const options = readScaleOptions(['--previews', '3', '--wakes', '1']);
  expect(options).toMatchObject({ previews: 3, steps: [3], wakes: 1 });
  if (!options) return;
  const said: string[] = [];
  const tag = `t${process.pid}`;
  const results = await measureScale(options, {
    docker: connectEngine(process.env.DOCKER_HOST),
    root: fileURLToPath(new URL('../..', import.meta.url)),
    folder,
    tag,
    signal: new AbortController().signal,
    say: (text) => said.push(text),
  });
  expect(results).toHaveLength(1);
  const [
    { previews, asleep, wakes, bare, sweepCpu, ...numbers } = {
      previews: 0,
      asleep: 0,
      wakes: [],
      bare: [],
      sweepCpu: -1,
    },
  ] = results;
  expect(sweepCpu).toBeGreaterThanOrEqual(0);
  expect({ previews, asleep, wakes: wakes.length, bare: bare.length }).toEqual({
    previews: 3,
    asleep: 2,
    wakes: 1,
    bare: 1,
  });
  for (const [name, value] of Object.entries(numbers)) expect(value, name).toBeGreaterThan(0);
  expect(scaleTable(results).rows[0]).toHaveLength(scaleTable(results).head.length);
  expect(said.filter((line) => line.startsWith('cleaning up'))).toEqual([]);
  const names = [
    await docker('ps', '-a', '--format', '{{.Names}}'),
    await docker('network', 'ls', '--format', '{{.Name}}'),
  ];
  expect(names.flat().filter((name) => name.includes(tag))).toEqual([]);
});
