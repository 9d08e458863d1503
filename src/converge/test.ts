/** Stage 4: the repository's tests, on the new images, with data and networks of their own; gone afterwards. */

import type { ObservedContainer } from '../domain/observed.ts';
import { type Stack, withDependencies } from '../domain/stack.ts';
import { TreehouseError } from '../errors.ts';
import { removeBuild } from '../teardown/remove.ts';
import { bringUp } from './bring-up.ts';
import type { Images } from './build.ts';
import type { BuildRun } from './build-run.ts';
import type { ConvergeDeps } from './deps.ts';
import { instance } from './instances.ts';
import { makeNetworks } from './networks.ts';
import { patiently } from './patience.ts';
import { sweepSecrets } from './secrets.ts';
import { createContainers, missing } from './start.ts';

export interface TestInput {
  readonly stack: Stack;
  readonly test: NonNullable<Stack['test']>;
  readonly images: Images;
}

/** @returns a note for the stage. @throws `test-failed` where the test is a gate and red. */
export async function runTest(deps: ConvergeDeps, run: BuildRun, input: TestInput): Promise<string> {
  const { test } = input;
  const { name } = test.service;
  try {
    const code = await runService(deps, run, input);
    if (code === 0) return 'green';
    if (!test.gate) return `red (exit code ${code}), reported only`;
    throw new TreehouseError('test-failed', `the tests are red: service '${name}' exited with code ${code}`);
  } finally {
    await removeBuild(deps.engine, run.preview, run.build, 'test');
    await sweepSecrets(deps, run.preview);
  }
}

async function runService(deps: ConvergeDeps, run: BuildRun, { stack, test, images }: TestInput): Promise<number> {
  const { service } = test;
  const needed = withDependencies(
    service.dependsOn.map((one) => one.service),
    stack.services,
  );
  const instances = await Promise.all([...needed, service].map((one) => instance(deps, run, one, images, undefined)));
  const networks = await makeNetworks(deps, run, stack, 'test');
  const made = await createContainers(deps, run, {
    instances,
    networks,
    role: 'test',
    volumes: [],
    seeds: [],
  });
  const onLine = run.lines('test', 'treehouse');
  const items = needed.map((one) => ({ service: one, container: made.get(one.name) ?? missing(one.name) }));
  await bringUp({
    engine: deps.engine,
    probe: deps.probe,
    preview: run.preview,
    items,
    limit: deps.startLimit,
    onLine,
    signal: run.signal,
  });
  return runToEnd(deps, run, made.get(service.name) ?? missing(service.name));
}

function runToEnd(deps: ConvergeDeps, run: BuildRun, container: ObservedContainer): Promise<number> {
  const { test: limit, silence } = deps.patience;
  return patiently(
    { act: 'running the tests', code: 'test-failed', limit, setting: 'TREEHOUSE_TEST_LIMIT', silence },
    run.lines('test', container.service),
    run.signal,
    async (onLine, signal) => {
      await deps.engine.start(container.id);
      await deps.engine.logs(container.id, { follow: true }, onLine, signal);
      signal.throwIfAborted();
      return deps.engine.wait(container.id, signal);
    },
  );
}
