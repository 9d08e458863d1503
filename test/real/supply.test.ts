// biome-ignore-all lint/suspicious/noTemplateCurlyInString: a Dockerfile's variables look so
/** Images on the real engine: a neighbour's are refused however they are named, and scanners stand between build and push. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findPlugin } from '../../src/adapters/compose.ts';
import { drawnImages } from '../../src/supply/drawn.ts';
import { fullName, parseImageName } from '../../src/supply/reference.ts';
import { drawnByBuilder } from '../../src/supply/witness.ts';
import { type Files, makeRepo, type TestRepo } from '../support/repo.ts';
import { CLAIR, TRIVY } from '../support/scanner-reports.ts';
import { docker, startWorld, until, type World } from '../support/treehouse.ts';

const run = promisify(execFile);

const SITE = `RUN mkdir /www && echo hello >/www/index.html
EXPOSE 8080
CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]
`;
const COMPOSE = 'services:\n  web:\n    build: .\n    expose: ["8080"]\n';

/** Repositories of one Treehouse: without rules, with rules, and with each mode of scanning. */
const PLAIN = 'acme/plain';
const RULED = 'acme/ruled';
const GATED = 'acme/gated';
const REPORTED = 'acme/reported';
const CLAIRED = 'acme/claired';
const ALL = [PLAIN, RULED, GATED, REPORTED, CLAIRED];

let folder: string;
let world: World;
const repos = new Map<string, TestRepo>();
const branches = new Map<string, number>();
const fetched: string[] = [];

/** A Clair that fetches the layers that it is told of, as a real one does. */
const clair = createServer(async (request, response) => {
  if (request.method !== 'POST') {
    response.writeHead(200).end(JSON.stringify({ ...CLAIR, manifest_hash: request.url?.split('/').at(-1) }));
    return;
  }
  let body = '';
  for await (const chunk of request) body += String(chunk);
  const manifest = JSON.parse(body) as { hash: string; layers: { hash: string; uri: string }[] };
  for (const { uri } of manifest.layers) fetched.push(`${(await fetch(uri, { method: 'HEAD' })).status} ${uri}`);
  response.writeHead(201).end(JSON.stringify({ manifest_hash: manifest.hash, state: 'IndexFinished', success: true }));
});

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-supply-'));
  const home = path.join(folder, 'home');
  await mkdir(home);
  const report = path.join(folder, 'report.json');
  await writeFile(report, JSON.stringify(TRIVY));
  const scanner = path.join(folder, 'trivy');
  await writeFile(scanner, `#!/bin/sh\ncat ${report}\n`);
  await chmod(scanner, 0o755);
  await new Promise<void>((resolve) => clair.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(clair.address() as AddressInfo).port}`;
  await writeFile(
    path.join(home, 'treehouse.yml'),
    JSON.stringify({
      repositories: {
        [RULED]: { images: { registries: ['docker.io'], allow: ['busybox', 'redis'], pin: 'require' } },
        [GATED]: { scan: { by: 'trivy', command: scanner } },
        [REPORTED]: { scan: { by: 'trivy', command: scanner, mode: 'report' } },
        [CLAIRED]: { scan: { by: 'clair', url, severity: 'critical' } },
      },
    }),
  );
  for (const name of ALL) repos.set(name, await makeRepo(path.join(folder, name)));
  const repositories = Object.fromEntries([...repos].map(([name, repo]) => [name, repo.remote]));
  world = await startWorld({ repositories, home });
});
afterAll(async () => {
  await world?.stop();
  clair.close();
  await rm(folder, { recursive: true, force: true });
});

interface Ended {
  readonly id: ReturnType<World['idOf']>;
  readonly outcome: string;
  readonly message: string;
  readonly log: readonly string[];
}

/** Pushes a branch with these files alone, and waits until its build has ended. */
async function push(repository: string, files: Files): Promise<Ended> {
  const repo = repos.get(repository);
  if (!repo) throw new Error(repository);
  const count = (branches.get(repository) ?? 0) + 1;
  branches.set(repository, count);
  const branch = `b${count}`;
  await repo.branch(branch, 'main');
  const commit = await repo.commit({ 'compose.yaml': null, Dockerfile: null, ...files });
  await repo.push();
  await world.pushed(repository, branch, { after: commit });
  const id = world.idOf(repository, branch);
  await world.ended(id, commit);
  await until('the end is told', async () => {
    return world.events.some((one) => one.preview === id && (one.type === 'build.live' || one.type === 'build.failed'));
  });
  const events = world.events.filter((one) => one.preview === id);
  const failed = events.find((one) => one.type === 'build.failed');
  const started = events.find((one) => one.type === 'build.started');
  const log = started?.type === 'build.started' ? await world.treehouse.store.tail(id, started.build, 1_000) : [];
  return {
    id,
    outcome: failed?.type === 'build.failed' ? `${failed.stage} ${failed.code}` : 'live',
    message: failed?.type === 'build.failed' ? failed.message : '',
    log,
  };
}
const built = (repository: string, dockerfile: string) =>
  push(repository, { 'compose.yaml': COMPOSE, Dockerfile: dockerfile });

describe("a neighbour's image", () => {
  let name: string;
  let id: string;
  beforeAll(async () => {
    const neighbour = await built(PLAIN, `FROM busybox\n${SITE}`);
    expect(neighbour.outcome).toBe('live');
    const found = await docker(
      'images',
      '--filter',
      `label=treehouse.preview=${neighbour.id}`,
      '--no-trunc',
      '--format',
      '{{.Repository}}:{{.Tag}} {{.ID}}',
    );
    [name = '', id = ''] = (found.find((one) => !one.includes('.src-')) ?? '').split(' ');
    expect(name).toContain('acme/plain/web');
    await docker('tag', name, 'th-supply-innocent:1');
  });
  afterAll(async () => {
    await docker('rmi', 'th-supply-innocent:1').catch(() => undefined);
  });

  const NAMES: readonly [string, () => string, RegExp][] = [
    ['its name', () => name, /neighbour/],
    ['a name that does not show it', () => 'th-supply-innocent:1', /neighbour/],
    ['its whole id', () => id, /id may be any image/],
    ['the beginning of its id', () => id.slice(7, 19), /neighbour|by its id/],
  ];
  const PLACES: readonly [string, (reference: string) => Files, RegExp][] = [
    ['FROM', (one) => ({ Dockerfile: `FROM ${one}\n${SITE}` }), /Dockerfile:1: FROM/],
    [
      'COPY --from',
      (one) => ({ Dockerfile: `FROM busybox\nCOPY --from=${one} /www /www\n${SITE}` }),
      /Dockerfile:2: COPY/,
    ],
    [
      'RUN --mount',
      (one) => ({ Dockerfile: `FROM busybox\nRUN --mount=from=${one},target=/m cp -r /m/www /x\n${SITE}` }),
      /Dockerfile:2: RUN/,
    ],
    [
      'image:',
      (one) => ({ 'compose.yaml': `services:\n  web:\n    image: "${one}"\n    expose: ["8080"]\n` }),
      /compose.yaml:3: image/,
    ],
  ];
  const CASES = PLACES.flatMap(([place, files, where]) =>
    NAMES.map(([what, reference, why]) => ({ place, what, files, where, reference, why })),
  );
  it.each(CASES)('is refused in $place by $what', async ({ files, where, reference, why }) => {
    const ended = await push(PLAIN, {
      'compose.yaml': COMPOSE,
      Dockerfile: `FROM busybox\n${SITE}`,
      ...files(reference()),
    });
    expect(ended.outcome).toMatch(/^(?:plan|build) refused-by-policy$/);
    expect(ended.message).toMatch(where);
    expect(ended.message).toMatch(why);
    expect(ended.log.join('\n')).not.toMatch(/^#\d+ \[/m);
  });

  it('is not reached through the triggers of a base either', async () => {
    const base = path.join(folder, 'base');
    await mkdir(base);
    await writeFile(path.join(base, 'Dockerfile'), `FROM busybox\nONBUILD COPY --from=${name} /www /stolen\n`);
    await docker('build', '-q', '-t', 'th-supply-base:1', base);
    try {
      const ended = await built(PLAIN, `FROM th-supply-base:1\n${SITE}`);
      expect(ended.outcome).toBe('build refused-by-policy');
      expect(ended.message).toContain('Dockerfile:1, th-supply-base:1, ONBUILD COPY');
    } finally {
      await docker('rmi', 'th-supply-base:1');
    }
  });
});

it("has no part in a neighbour's caches", async () => {
  const steps = (script: string) => `FROM busybox\nRUN --mount=type=cache,id=common,target=/c ${script}\n${SITE}`;
  expect((await built(PLAIN, steps('touch /c/poison'))).outcome).toBe('live');
  const other = await built(PLAIN, steps('test ! -e /c/poison'));
  expect(other.message).toBe('');
  expect(other.outcome).toBe('live');
});

it('the rules of a repository hold, and say where and what to do', async () => {
  const ended = await push(RULED, {
    'compose.yaml': `${COMPOSE}  db:\n    image: redis:7-alpine\n`,
    Dockerfile: 'FROM quay.io/x/y\nFROM nginx\nFROM busybox\n',
  });
  expect(ended.outcome).toBe('plan refused-by-policy');
  for (const part of [
    'Dockerfile:1: FROM quay.io/x/y: images come only from docker.io here',
    'Dockerfile:2: FROM nginx: only busybox, redis may be used here',
    'Dockerfile:3: FROM busybox: it names no digest',
    'compose.yaml:6: image redis:7-alpine: it names no digest',
  ]) {
    expect(ended.message).toContain(part);
  }
});

it('which image each was is in the log', async () => {
  const ended = await push(PLAIN, {
    'compose.yaml': `${COMPOSE}  db:\n    image: redis:7-alpine\n`,
    Dockerfile: `FROM busybox\n${SITE}`,
  });
  expect(ended.outcome).toBe('live');
  const log = ended.log.join('\n');
  for (const [where, image] of [
    ['Dockerfile:1: FROM', 'busybox'],
    ['compose.yaml:6: image', 'redis:7-alpine'],
  ]) {
    const [id] = await docker('image', 'inspect', '--format', '{{.Id}}', image ?? '');
    expect(log).toContain(`${where} ${image} is ${id}`);
  }
});

const tagsOf = async (repository: string): Promise<readonly string[]> => {
  const answer = await fetch(`http://${world.treehouse.registry}/v2/${repository}/web/tags/list`);
  return answer.ok ? (((await answer.json()) as { tags: string[] | null }).tags ?? []) : [];
};

describe('a scanner', () => {
  it('that is a gate keeps what it speaks against from registry and start', async () => {
    const ended = await built(GATED, `FROM busybox\n${SITE}`);
    expect(ended.outcome).toBe('build refused-by-policy');
    expect(ended.message).toContain('1 critical, 2 high: CVE-2022-37434 in zlib 1.2.11-r3 (fixed in 1.2.12-r2)');
    expect(await tagsOf(GATED)).toEqual([]);
    expect(await docker('ps', '-aq', '--filter', `label=treehouse.preview=${ended.id}`)).toEqual([]);
  });

  it('that only reports is in the log', async () => {
    const ended = await built(REPORTED, `FROM busybox\n${SITE}`);
    expect(ended.outcome).toBe('live');
    expect(ended.log.join('\n')).toContain('1 critical, 2 high: CVE-2022-37434 in zlib');
  });

  it('that fetches layers finds them in the registry, for so long as it looks', async () => {
    const ended = await built(CLAIRED, `FROM busybox\n${SITE}`);
    expect(ended.message).toBe('');
    expect(fetched.length).toBeGreaterThan(0);
    for (const one of fetched) expect(one).toMatch(/^200 http:\/\/.*\/v2\/acme\/claired\/web\/blobs\/sha256:/);
    const left = [...(await tagsOf(CLAIRED)), ...(await docker('images', '--format', '{{.Tag}}'))];
    expect(left.filter((tag) => tag.includes('scan-'))).toEqual([]);
    expect(await tagsOf(CLAIRED)).toHaveLength(1);
  });
});

describe('BuildKit and we', () => {
  // What makes a difference between the two could hide an image; the images are those of test/images.
  const FILES = [
    'FROM busybox AS a\nFROM redis AS b\nCOPY --from=a /etc/passwd /p',
    'ARG T=alpine\nARG N=nginx:$T\nFROM ${N}\nRUN true',
    'FROM busybox\nRUN <<EOF\nFROM redis\nEOF\nCOPY --from=nginx:alpine /etc/passwd /p',
    'FROM busybox\nRUN echo "<<EOF"\nFROM redis',
    'FROM busybox\nRUN ["true"] <<EOF\nFROM redis',
    'FROM busybox\nRUN ${V:0:3}true <<EOF\nFROM redis\nEOF',
    'FROM busybox\nRUN cat <<-"A B"\n\tFROM redis\n\tA B\nCOPY --from=nginx:alpine /etc/passwd /p',
    'FROM busybox\nCOPY --chown=à--from=redis /etc/passwd /p',
    'FROM busybox\nCOPY --fr\\om=redis /etc/passwd /p',
    'FROM busybox\nRUN --mount=type=bind,"from=redis",target=/m true',
    'FROM busybox\nRUN --mount=FROM=redis,target=/m true',
    '# escape=`\nFROM busybox\nRUN true `\n\n# x\n && true\nCOPY --from=redis /etc/passwd /p',
    'FROM busybox\nRUN true \\\\\nFROM redis',
    'FROM busybox\nRUN <<\ufeffE\nE\nFROM redis',
    'FROM busybox AS busybox\nFROM busybox\nCOPY --from=redis /etc/passwd /p',
    'FR\\\nOM redis\n',
  ];
  it.each(FILES)('read %j alike', async (text) => {
    const context = await mkdtemp(path.join(folder, 'alike-'));
    await writeFile(path.join(context, 'Dockerfile'), text);
    const buildx = await findPlugin('docker-buildx', process.env.HOME ?? '');
    const args = ['build', '--progress', 'plain', '--network', 'none', '--output', 'type=cacheonly', context];
    const { stderr } = await run(buildx, args).catch((error: unknown) => error as { stderr: string });
    const theirs = new Set(stderr.split('\n').flatMap((line) => drawnByBuilder(line) ?? []));
    const ours = drawnImages(text, { file: 'Dockerfile', args: {}, contexts: [] }).images.flatMap((one) => {
      const image = one.needed ? parseImageName(one.reference ?? '') : undefined;
      return image ? [fullName(image)] : [];
    });
    // A file that BuildKit refuses draws nothing in.
    if (theirs.size > 0) expect([...theirs].sort()).toEqual([...new Set(ours)].sort());
    else expect(stderr).toContain('ERROR');
  });
});
