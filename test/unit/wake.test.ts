/** What is asked of a preview in the moment in which it wakes. */
import { expect, it } from 'vitest';
import type { ConvergeDeps } from '../../src/converge/deps.ts';
import { wakeNow } from '../../src/converge/rest.ts';
import type { BuildEvent } from '../../src/domain/events.ts';
import { type BuildId, branchName, type Commit, previewId, repositoryName } from '../../src/domain/names.ts';
import { newRecord } from '../../src/domain/preview.ts';
import { keptLog } from '../support/log.ts';

it('who sends it back to sleep as soon as it is said to be awake is heard', async () => {
  const id = previewId('shop', branchName('main'));
  const record = newRecord({ id, repository: repositoryName('acme/shop'), branch: branchName('main') }, 0);
  const network = { id: 'n', name: 'net', build: 'b1' as BuildId, commit: 'c0ffee' as Commit, key: '', role: 'app' };
  const route = { host: id, preview: id, build: 'b1', upstream: '127.0.0.1:80' };
  let rest = { wanted: false, deep: false, slept: ['gone'] as string[] | undefined };
  const said: string[] = [];
  const deps = {
    clock: { now: () => 1 },
    log: keptLog().log,
    urlOf: (host: string) => host,
    secrets: { layAgain: async () => (line: string) => line },
    admission: { enter: async () => ({ kind: 'go' }) },
    engine: { observe: async () => ({ preview: id, containers: [], networks: [network], volumes: [], images: [] }) },
    gateway: { routesOf: async () => [route], setRoutes: async () => true, open: async () => undefined },
    store: {
      record: async () => record,
      rest: async () => rest,
      append: async (event: BuildEvent) => {
        if (event.type !== 'preview.observed') return;
        said.push(event.state);
        if (event.state === 'live') rest = { ...rest, wanted: true };
      },
      forgetSlept: async () => {
        rest = { ...rest, slept: undefined };
      },
      forgetRest: async () => {
        rest = { wanted: false, deep: false, slept: undefined };
      },
    },
  } as unknown as ConvergeDeps;
  await wakeNow(deps, id, new AbortController().signal);
  expect(said).toEqual(['waking', 'live']);
  expect(rest).toEqual({ wanted: true, deep: false, slept: undefined });
});
