/** What a preview runs, started again beside it from the file that pulling gives: the same content over HTTP. */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { repositoryName } from '../../src/domain/names.ts';
import { openSecretStore } from '../../src/secrets/store.ts';
import { createClient } from '../../src/web/client.ts';
import { type Files, makeRepo } from '../support/repo.ts';
import { fourServices } from '../support/stacks.ts';
import { docker, serves, startWorld, until, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const four = `acme/pulled${process.pid}`;
const parts = `acme/parts${process.pid}`;
const ADMIN = 'the admin token of this test';
const SECRET = 'a value that is in no file';

/** Files, a folder, a secret, a hostile value and a read-only root. */
const files: Files = {
  'compose.yml': `services:
  web:
    image: busybox
    read_only: true
    command: ["sh", "/start.sh"]
    environment: {ODD: "$$HOME: 'yes' # \\"no\\""}
    volumes: ["./start.sh:/start.sh:ro", "./site:/site:ro", "cache:/cache"]
    configs: [{source: motd, target: /etc/motd}]
    secrets: [db_password]
    ports: ["8080:8000"]
    networks: {default: {aliases: [www]}, inner: {}}
networks:
  inner: {internal: true}
volumes:
  cache:
configs:
  motd: {content: "hello $$you\\n"}
secrets:
  db_password: {external: true}
`,
  'start.sh': `mkdir -p /cache/www && cd /cache/www || exit 1
{ cat /site/index.html /site/deep/part.html /etc/motd; echo "$ODD"; cat /run/secrets/db_password | md5sum; } > index.html
exec httpd -f -p 8000 -h /cache/www
`,
  'site/index.html': '<h1>parts</h1>\n',
  'site/deep/part.html': '<p>$PATH stays</p>\n',
  'site/logo.png': new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0xff, 0x00]),
};

let folder: string;
let world: World;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  const repositories = {
    [four]: (await makeRepo(path.join(folder, 'four'), fourServices('one for all'))).remote,
    [parts]: (await makeRepo(path.join(folder, 'parts'), files)).remote,
  };
  const home = path.join(folder, 'home');
  await mkdir(home, { mode: 0o700 });
  // Before the start, which builds what it finds.
  const secrets = openSecretStore(home, { now: Date.now });
  await secrets.set(repositoryName(parts), { name: 'db_password', service: '*', branch: '*' }, Buffer.from(SECRET));
  world = await startWorld({ home, repositories, env: { TREEHOUSE_ADMIN_TOKEN: ADMIN } });
});
afterAll(async () => {
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

const client = () => createClient({ url: world.url, token: ADMIN });

/** `docker compose -f -` with the file, as `treehouse pull PREVIEW | docker compose -f - …` has it. */
async function compose(file: string, args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const child = spawn('docker', ['compose', '-f', '-', '-p', `other${process.pid}`, ...args], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.stdin.end(file);
  const [out, said] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const code = await ended;
  if (code !== 0) throw new Error(`docker compose ${args.join(' ')} ended with ${code}: ${said}`);
  return out.trim();
}

async function started<T>(file: string, env: Record<string, string>, work: () => Promise<T>): Promise<T> {
  try {
    await compose(file, ['up', '-d', '--wait'], env);
    return await work();
  } finally {
    await compose(file, ['down', '--volumes', '--timeout', '1'], env);
  }
}

/** Once it answers 200: a service without a health check is up before it listens. */
function bodyOf(at: string): Promise<string> {
  return until(`${at} answers`, async () => {
    const answer = await fetch(`http://${at}/`).catch(() => undefined);
    return answer?.status === 200 && answer.text();
  });
}

it('a preview of four services starts from its file under another name, and serves the same', async () => {
  const id = world.idOf(four, 'main');
  await world.pushed(four, 'main');
  const seen = await serves(world, id, 'one for all');
  const file = await client().composeFile(id, []);
  const { services } = parse(file) as { services: Record<string, { image: string; depends_on?: object }> };
  expect(Object.keys(services)).toEqual(['api', 'db', 'web', 'worker']);
  for (const name of ['api', 'web', 'worker']) {
    const registry = world.treehouse.registry ?? '';
    expect(services[name]?.image).toMatch(/@sha256:[0-9a-f]{64}$/);
    expect(services[name]?.image.startsWith(`${registry}/acme/`)).toBe(true);
    // What a developer's engine would fetch is what runs here.
    await docker('pull', '-q', services[name]?.image ?? '');
    const [running = ''] = await docker(
      'ps',
      '-q',
      '--filter',
      `label=treehouse.preview=${id}`,
      '--filter',
      `label=treehouse.service=${name}`,
    );
    const [ran] = await docker('inspect', '--format', '{{.Image}}', running);
    expect(await docker('inspect', '--format', '{{.Id}}', services[name]?.image ?? '')).toEqual([ran]);
  }
  expect(services.api?.depends_on).toEqual({
    db: { condition: 'service_healthy' },
    worker: { condition: 'service_started' },
  });
  expect(file).not.toMatch(new RegExp(`treehouse\\.(?!\\w+: ""\\n)|VIRTUAL_HOST|seccomp|${world.home}`));
  await started(file, {}, async () => {
    const at = await compose(file, ['port', 'web', '3000']);
    expect(at).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(await bodyOf(at)).toBe(seen.body);
  });
  expect(await docker('ps', '-aq', '--filter', `label=com.docker.compose.project=other${process.pid}`)).toEqual([]);
  await serves(world, id, 'one for all');

  const some = parse(await client().composeFile(id, ['api'])) as { services: object };
  expect(Object.keys(some.services)).toEqual(['api', 'db', 'worker']);

  // Asleep it is what it was.
  await client().act('sleep', id);
  await until('it sleeps', async () => (await world.record(id))?.state === 'asleep');
  expect(await client().composeFile(id, [])).toBe(file);
});

it('files come along, secrets are asked for, and what cannot come is named', async () => {
  const id = world.idOf(parts, 'main');
  await world.pushed(parts, 'main');
  const seen = await serves(world, id, 'parts');
  const file = await client().composeFile(id, []);
  expect(file).not.toContain(SECRET);
  expect(file).toContain('# Not here: /site/logo.png, which is site/logo.png of the repository: it is no text.');
  expect(file).toContain('# read_only is left out');
  await expect(compose(file, ['up', '-d'])).rejects.toThrow('SECRET_DB_PASSWORD');
  await started(file, { SECRET_DB_PASSWORD: SECRET }, async () => {
    expect(await bodyOf(await compose(file, ['port', 'web', '8000']))).toBe(seen.body);
    expect(seen.body).toContain('$HOME: \'yes\' # "no"');
    const inside = await compose(file, ['exec', '-T', 'web', 'ls', '-ln', '/run/secrets/db_password', '/start.sh']);
    expect(inside).toMatch(/-r-------- .* 0 {8}0 .*\/run\/secrets\/db_password/);
  });
});

it('what was never built has nothing to pull', async () => {
  await expect(client().composeFile('none--shop', [])).rejects.toThrow('There is no preview with this id.');
  const id = world.idOf(parts, 'main');
  await expect(client().composeFile(id, ['nobody'])).rejects.toThrow('It has no service nobody; it has web.');
});
