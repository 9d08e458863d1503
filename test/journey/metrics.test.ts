/** A real Prometheus reads a real Treehouse, and every query of the Grafana dashboard has an answer. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createClient } from '../../src/web/client.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { plainDockerfile } from '../support/stacks.ts';
import { freePorts, serves, startWorld, until, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/metrics${process.pid}`;
const ADMIN = 'the admin token of this test';
const DASHBOARD = fileURLToPath(new URL('../../docs/grafana/treehouse.json', import.meta.url));
let folder: string;
let repo: TestRepo;
let world: World;
let prometheus: ChildProcess | undefined;
let port = 0;
let token = '';

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-metrics-'));
  repo = await makeRepo(path.join(folder, 'repository'), plainDockerfile('measured'));
  world = await startWorld({ repositories: { [repository]: repo.remote }, env: { TREEHOUSE_ADMIN_TOKEN: ADMIN } });
  const client = createClient({ url: world.url, token: ADMIN });
  ({ token } = await client.createToken({ name: 'prometheus', role: 'reader' }));
  [port = 0] = await freePorts(1);
  const config = path.join(folder, 'prometheus.yml');
  const target = world.url.replace('http://', '');
  await writeFile(path.join(folder, 'token'), token);
  await chmod(path.join(folder, 'token'), 0o600);
  await writeFile(
    config,
    JSON.stringify({
      scrape_configs: [
        {
          ...{ job_name: 'treehouse', scrape_interval: '250ms', scrape_timeout: '250ms' },
          authorization: { credentials_file: path.join(folder, 'token') },
          static_configs: [{ targets: [target] }],
        },
      ],
    }),
  );
  const args = [`--config.file=${config}`, `--storage.tsdb.path=${path.join(folder, 'data')}`];
  args.push(`--web.listen-address=127.0.0.1:${port}`, '--log.level=error');
  prometheus = spawn('prometheus', args, { stdio: 'ignore', env: { PATH: process.env.PATH ?? '' } });
});
afterAll(async () => {
  if (prometheus && prometheus.exitCode === null) {
    const gone = once(prometheus, 'exit');
    prometheus.kill('SIGKILL');
    await gone;
  }
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** How many series the query has now. */
async function series(query: string): Promise<number> {
  const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`;
  const answer = await fetch(url).catch(() => undefined);
  // It answers before it is ready.
  if (!answer || answer.status === 503) return 0;
  const body = (await answer.json()) as { status: string; error?: string; data?: { result: unknown[] } };
  expect(body.error, query).toBeUndefined();
  return body.data?.result.length ?? 0;
}

it('has an answer to every query of the dashboard', async () => {
  await until('it is read', async () => (await series('up{job="treehouse"} == 1')) === 1);
  const id = world.idOf(repository, 'main');
  await world.pushed(repository, 'main');
  await serves(world, id, 'measured');
  const dashboard = JSON.parse(await readFile(DASHBOARD, 'utf8')) as {
    panels: { title: string; targets: { expr: string }[] }[];
  };
  const queries = dashboard.panels.flatMap((one) => one.targets.map(({ expr }) => expr));
  expect(queries.length).toBeGreaterThan(15);
  for (const query of queries) await until(`${query} has a series`, async () => (await series(query)) > 0);
  await until('the build is counted', async () => (await series('treehouse_builds_total{outcome="live"} >= 1')) === 1);
  await until(
    'the delivery is',
    async () => (await series('treehouse_webhook_deliveries_total{event="push",outcome="hinted"} == 1')) === 1,
  );
  await until('the preview is', async () => (await series('treehouse_previews{state="live"} == 1')) === 1);
  await until('the visits are', async () => (await series('treehouse_gateway_requests >= 1')) === 1);
});

it('is for who reaches everything', async () => {
  const status = async (given: string) =>
    (await fetch(`${world.url}/metrics`, { headers: { authorization: `Bearer ${given}` } })).status;
  const client = createClient({ url: world.url, token: ADMIN });
  const some = await client.createToken({ name: 'some', role: 'admin', repositories: [repository] });
  expect([await status(token), await status(some.token), await status('wrong'), await status('')]).toEqual([
    200, 403, 401, 401,
  ]);
});
