/** Which images are refused, by name and by what the engine says of them; and what the settings may say. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { watchBuilder } from '../../src/converge/images.ts';
import { branchName, previewId } from '../../src/domain/names.ts';
import type { StackService } from '../../src/domain/stack.ts';
import type { ImageFacts, ImageRules } from '../../src/domain/supply.ts';
import { admitImages } from '../../src/supply/admit.ts';
import { drawnByCompose, drawnImages } from '../../src/supply/drawn.ts';
import { judgeImages, readStackImages } from '../../src/supply/judge.ts';
import { fullName, isSameRegistry, matchesGlob, parseImageName } from '../../src/supply/reference.ts';

const PINNED = `sha256:${'a'.repeat(64)}`;
const OWN = '127.0.0.1:5001';
const mine = previewId('shop', branchName('mine'));

/** The rules that refuse a Dockerfile. */
function rulesOf(text: string, rules?: Partial<ImageRules>, registry: string | undefined = OWN): string[] {
  const drawn = drawnImages(text, { file: 'Dockerfile', args: {}, contexts: [] });
  const on = { rules: rules && { pin: 'off' as const, ...rules }, registry };
  return judgeImages(drawn, on).map((one) => `${one.path} ${one.rule}`);
}

describe('names of images', () => {
  it.each([
    ['redis', 'docker.io/library/redis:latest'],
    ['redis:7', 'docker.io/library/redis:7'],
    ['a/b', 'docker.io/a/b:latest'],
    ['index.docker.io/redis', 'docker.io/library/redis:latest'],
    ['ghcr.io/a/b/c:1', 'ghcr.io/a/b/c:1'],
    ['localhost/a', 'localhost/a:latest'],
    ['localhost:5000/a:1', 'localhost:5000/a:1'],
    ['[::1]:5000/a', '[::1]:5000/a:latest'],
    [`redis@${PINNED}`, `docker.io/library/redis@${PINNED}`],
    [`redis:7@${PINNED}`, `docker.io/library/redis:7@${PINNED}`],
  ])('%s is %s', (text, expected) => {
    const name = parseImageName(text);
    expect(name && fullName(name)).toBe(expected);
  });

  it.each([
    '',
    ' ',
    'Redis',
    'a//b',
    '-a',
    'a:',
    'a:b:c',
    'a@b',
    `a@${PINNED}@${PINNED}`,
    '../a',
    'a\0',
    'f'.repeat(64),
  ])('%j is none', (text) => expect(parseImageName(text)).toBeUndefined());

  it.each([
    ['redis', 'redis:7', true],
    ['redis', 'me/redis', false],
    ['node:20*', 'node:20-slim', true],
    ['node:20*', 'node:18', false],
    ['node:20*', `node@${PINNED}`, false],
    ['*', 'redis', true],
    ['*', 'a/b', false],
    ['docker.io/**', 'a/b', true],
    ['ghcr.io/acme/**', 'ghcr.io/acme/a/b:1', true],
    ['ghcr.io/acme/*', 'ghcr.io/acme/a/b:1', false],
    ['ghcr.io/acme/**', 'ghcr.io/acme-evil/a', false],
    ['**', 'x.y/z', true],
    ['a.c/b', 'abc/b', false],
  ])('%s against %s: %s', (glob, text, expected) => {
    const name = parseImageName(text);
    expect(name && matchesGlob(glob, name)).toBe(expected);
  });

  it.each(['localhost:5001', 'LOCALHOST:5001', '127.1.2.3:5001', '[::1]:5001', '0.0.0.0:5001', 'a.localhost:5001'])(
    '%s is the registry of this machine',
    (text) => expect(isSameRegistry(text, OWN)).toBe(true),
  );
  it.each(['localhost:5002', 'registry.acme:5001', '128.0.0.1:5001'])('%s is another', (text) =>
    expect(isSameRegistry(text, OWN)).toBe(false),
  );
});

describe('images by name', () => {
  it.each([
    ['FROM 127.0.0.1:5001/acme/shop/web:x', ['Dockerfile:1 neighbour']],
    [`FROM localhost:5001/acme/shop/web@sha256:${'b'.repeat(64)}`, ['Dockerfile:1 neighbour']],
    ['FROM treehouse/acme/shop/web:x', ['Dockerfile:1 neighbour']],
    ['FROM docker.io/treehouse/acme/shop/web', ['Dockerfile:1 neighbour']],
    ['ARG A=treehouse\nFROM $A/acme/shop/web', ['Dockerfile:2 neighbour']],
    ['FROM redis\nCOPY --from=treehouse/a/b/c /f /', ['Dockerfile:2 neighbour']],
    ['FROM redis\nRUN --mount=from=treehouse/a/b/c true', ['Dockerfile:2 neighbour']],
    ['FROM redis\nONBUILD COPY --from=treehouse/a/b/c /f /', ['Dockerfile:2 neighbour']],
    ['FROM redis AS x\nFROM treehouse/a/b/c AS y\nFROM x', ['Dockerfile:2 neighbour']],
    [`FROM ${PINNED}`, ['Dockerfile:1 image-id']],
    [`FROM ${'a'.repeat(64)}`, ['Dockerfile:1 image-id']],
    ['FROM Redis', ['Dockerfile:1 image-name']],
    ['FROM redis\nCOPY --from=$X /f /', ['Dockerfile:2 image-name']],
    ['# syntax=docker/dockerfile:1.7-labs\nFROM redis', []],
    ['# syntax=docker.io/docker/dockerfile-upstream:master\nFROM redis', []],
    ['# syntax=evil/dockerfile\nFROM redis', ['Dockerfile:1 image-syntax']],
    ['# syntax=ghcr.io/docker/dockerfile\nFROM redis', ['Dockerfile:1 image-syntax']],
    ['FROM redis:$V', ['Dockerfile:1 image-name']],
    ['FROM redis$V', []],
  ])('%j without rules', (text, expected) => {
    expect(rulesOf(text)).toEqual(expected);
  });

  it('of a registry that is not on this machine alone only those of previews', () => {
    const there = 'ghcr.io';
    expect(rulesOf('FROM ghcr.io/acme/base:1', undefined, there)).toEqual([]);
    expect(rulesOf(`FROM ghcr.io/acme/shop/web:a--shop.${'0'.repeat(40)}`, undefined, there)).toEqual([
      'Dockerfile:1 neighbour',
    ]);
    expect(rulesOf('FROM ghcr.io/acme/shop/web:a--shop.src-0123456789abcdef01234567', undefined, there)).toHaveLength(
      1,
    );
  });

  it.each<[string, Partial<ImageRules>, string[]]>([
    ['FROM redis', { registries: ['docker.io'] }, []],
    ['FROM redis', { registries: ['index.docker.io'] }, []],
    ['FROM quay.io/a/b', { registries: ['docker.io', 'ghcr.io'] }, ['Dockerfile:1 image-registry']],
    ['FROM redis\nCOPY --from=quay.io/a/b /f /', { registries: ['docker.io'] }, ['Dockerfile:2 image-registry']],
    ['FROM redis:7', { allow: ['node', 'redis:7'] }, []],
    ['FROM redis:6', { allow: ['node', 'redis:7'] }, ['Dockerfile:1 image-allow']],
    ['FROM redis$V', { allow: ['redis'] }, ['Dockerfile:1 image-name']],
    ['FROM redis', { pin: 'require' }, ['Dockerfile:1 image-pin']],
    [`FROM redis:7@${PINNED} AS a\nFROM a\nFROM scratch`, { pin: 'require' }, []],
    ['# syntax=docker/dockerfile:1\nFROM scratch', { pin: 'require' }, ['Dockerfile:1 image-pin']],
    ['# syntax=docker/dockerfile:1\nFROM scratch', { registries: [], allow: [] }, []],
    ['FROM scratch', { registries: [], allow: [] }, []],
    ['FROM treehouse/a/b/c', { allow: ['**'] }, ['Dockerfile:1 neighbour']],
  ])('%j with %j', (text, rules, expected) => {
    expect(rulesOf(text, rules)).toEqual(expected);
  });

  it('the message names rule and way out', () => {
    const drawn = drawnImages('FROM quay.io/a/b', { file: 'web/Dockerfile', args: {}, contexts: [] });
    const [refusal] = judgeImages(drawn, { rules: { registries: ['docker.io'], pin: 'off' }, registry: OWN });
    expect(refusal?.path).toBe('web/Dockerfile:1');
    expect(refusal?.message).toBe(
      'FROM quay.io/a/b: images come only from docker.io here (images.registries); use one of those, or ask an admin to add quay.io',
    );
  });
});

describe('images of a stack', () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'treehouse-supply-'));
    await mkdir(path.join(root, 'api'));
    await writeFile(path.join(root, 'compose.yaml'), 'services:\n  db:\n    restart: always\n    image: redis:7\n');
    await writeFile(path.join(root, 'api/Dockerfile'), 'FROM a AS one\nFROM b AS two\n');
    await writeFile(path.join(root, 'api/Latin'), Buffer.from([0x46, 0x52, 0x4f, 0x4d, 0x20, 0xe4]));
    await writeFile(path.join(root, 'api/Long'), 'x'.repeat(300_000));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  const service = (name: string, more: Partial<StackService>): StackService => ({
    ...{ name, definition: {}, environment: {}, dependsOn: [], networks: {}, mounts: [], files: [], ports: [] },
    ...more,
  });
  const build = { context: 'api', args: {}, contexts: {}, noNetwork: false };
  const read = (services: StackService[]) =>
    readStackImages(root, { services, networks: {}, volumes: [], exposed: [], changes: [] }, [
      path.join(root, 'compose.yaml'),
    ]);

  it('has the lines of the compose file, and what any of two targets comes to', async () => {
    const dockerfile = 'api/Dockerfile';
    const { images } = await read([
      service('db', { image: 'redis:7' }),
      service('cache', { image: 'redis:8' }),
      service('x', { build: { ...build, dockerfile, target: 'one' } }),
      service('y', { build: { ...build, dockerfile, target: 'two' } }),
    ]);
    const lines = images.map((one) => `${one.where} ${one.how} ${one.reference} ${one.needed}`).sort();
    expect(lines).toEqual([
      'api/Dockerfile:1 FROM a true',
      'api/Dockerfile:2 FROM b true',
      'compose.yaml:4 image redis:7 true',
      'services.cache image redis:8 true',
    ]);
  });

  it('refuses what BuildKit and we may read in two ways, and arguments that steer it', async () => {
    const args = { BUILDKIT_SYNTAX: 'evil/x', BUILDKIT_INLINE_CACHE: '1' };
    const { faults, images } = await read([
      service('a', { build: { ...build, dockerfile: 'api/Latin' } }),
      service('b', { build: { ...build, dockerfile: 'api/Long' } }),
      service('c', { build: { ...build, dockerfileInline: 'FROM a\nRUN --network=host x', args } }),
    ]);
    expect(faults.map((one) => `${one.path} ${one.rule}`)).toEqual([
      'api/Latin dockerfile',
      'api/Long dockerfile',
      'services.c.build.args.BUILDKIT_SYNTAX build-rights',
      'services.c.build.dockerfile_inline:2 build-rights',
    ]);
    expect(images).toHaveLength(1);
  });
});

describe('images by what the engine says', () => {
  const facts = (names: string[], more: Partial<ImageFacts> = {}): ImageFacts => ({
    ...{ id: `sha256:${'1'.repeat(64)}`, names, labels: {}, onBuild: [] },
    ...more,
  });

  async function admit(text: string, has: Record<string, ImageFacts>, more: Record<string, ImageFacts> = {}) {
    const pulled: string[] = [];
    const said: string[] = [];
    const drawn = text.startsWith('image: ')
      ? { images: [drawnByCompose('compose.yaml:3', text.slice(7))], faults: [], fetched: [] }
      : drawnImages(text, { file: 'Dockerfile', args: {}, contexts: [] });
    const { refusals, images } = await admitImages(drawn, {
      ...{ rules: undefined, registry: OWN, preview: mine, refresh: false },
      ...{ lookUp: async () => [], allowsPrivate: false },
      store: { look: async (reference) => has[reference] },
      pull: async (reference) => {
        pulled.push(reference);
        const found = more[reference];
        if (!found) throw new Error(`no ${reference}`);
        has[reference] = found;
      },
      say: (line) => void said.push(line),
    });
    return { refusals: refusals.map((one) => `${one.path} ${one.rule}`), images, pulled, said };
  }
  const neighbour = { 'treehouse.preview': 'other--shop' };

  it.each([
    ['FROM x', 'Dockerfile:1'],
    ['FROM scratch\nCOPY --from=x /f /', 'Dockerfile:2'],
    ['FROM scratch\nRUN --mount=from=x true', 'Dockerfile:2'],
    ['FROM x AS unused\nFROM scratch', 'Dockerfile:1'],
    ['image: x', 'compose.yaml:3'],
  ])("%j is refused as a neighbour's, whatever its name", async (text, where) => {
    const { refusals } = await admit(text, { x: facts(['x:latest'], { labels: neighbour }) });
    expect(refusals).toEqual([`${where} neighbour`]);
  });

  it("a neighbour's that had to be fetched first is refused too", async () => {
    const { refusals, pulled } = await admit('FROM r.test/x', {}, { 'r.test/x': facts([], { labels: neighbour }) });
    expect(pulled).toEqual(['r.test/x']);
    expect(refusals).toEqual(['Dockerfile:1 neighbour']);
  });

  it('its own is not, nor is another that has labels', async () => {
    const own = facts(['x:latest'], { labels: { 'treehouse.preview': mine } });
    expect((await admit('FROM x', { x: own })).refusals).toEqual([]);
  });

  it.each(['FROM 1111', 'image: 1111', 'image: sha256:1111'])('%s by an id is refused', async (text) => {
    const { refusals } = await admit(text, { [text.split(' ')[1] ?? '']: facts(['redis:latest']) });
    expect(refusals.map((one) => one.split(' ')[1])).toEqual(['image-id']);
  });

  it('an image that is named so as an id begins is taken by its name', async () => {
    expect((await admit('FROM 1111', { 1111: facts(['1111:latest']) })).refusals).toEqual([]);
  });

  it('says which image it was', async () => {
    const redis = facts(['redis:7', `redis@${PINNED}`]);
    const { said } = await admit(`FROM redis:7\nCOPY --from=redis:7@${PINNED} /f /`, {
      ...{ 'redis:7': redis, [`redis:7@${PINNED}`]: redis },
    });
    expect(said).toEqual([
      `Dockerfile:1: FROM redis:7 is ${redis.id} (${PINNED})`,
      `Dockerfile:2: COPY --from redis:7@${PINNED} is ${redis.id} (${PINNED})`,
    ]);
  });

  it('fetches only what is needed, and fails where that cannot be had', async () => {
    const { pulled } = await admit('FROM a AS x\nFROM b', {}, { b: facts(['b:latest']) });
    expect(pulled).toEqual(['b']);
    await expect(admit('FROM gone', {})).rejects.toThrow('no gone');
    expect((await admit('FROM --platform=linux/s390x gone', {})).refusals).toEqual([]);
  });

  it('looks at what triggers of a base draw in', async () => {
    const base = facts(['a:latest'], {
      onBuild: [
        'COPY --from=n /f /',
        'COPY --from=stage /f /',
        'RUN --network=host x',
        'COPY --from=treehouse/x/y/z / /',
      ],
    });
    const text = 'FROM scratch AS stage\nFROM a';
    expect((await admit(text, { a: base })).refusals).toEqual([
      'Dockerfile:2, a, ONBUILD RUN build-rights',
      'Dockerfile:2, a, ONBUILD COPY neighbour',
    ]);
    const other = facts(['a:latest'], { onBuild: ['COPY --from=n /f /'] });
    const { refusals, images } = await admit(text, { a: other, n: facts(['n:latest'], { labels: neighbour }) });
    expect(refusals).toEqual(['Dockerfile:2, a, ONBUILD COPY neighbour']);
    expect(images.map((one) => one.reference)).toEqual(['a', 'n']);
  });
});

describe('the builder as a witness', () => {
  const watch = (line: string): string | undefined => {
    let why: string | undefined;
    const admitted = new Set(['docker.io/library/redis:7', 'docker.io/docker/dockerfile:1']);
    const stop = (error: Error) => {
      why = error.message;
    };
    watchBuilder(admitted, () => undefined, stop)(line);
    return why;
  };
  it.each([
    '#2 [internal] load metadata for docker.io/library/redis:7',
    '#12 [t0 internal] load metadata for docker.io/library/redis:7',
    '#1 resolve image config for docker-image://docker.io/docker/dockerfile:1',
    '#7 0.123 load metadata for docker.io/library/evil',
    '#7 [1/2] RUN echo load metadata for docker.io/library/evil',
  ])('nothing against %j', (line) => expect(watch(line)).toBeUndefined());
  it.each([
    '#2 [internal] load metadata for docker.io/library/evil:7',
    '#1 resolve image config for docker.io/evil/frontend:1',
    '#2 [t0 internal] load metadata for not_a:name:at:all',
  ])('stops at %j', (line) => expect(watch(line)).toContain('which was not found in the Dockerfile'));
});

describe('settings', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'treehouse-supply-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const configOf = async (yaml: string, more: Partial<Parameters<typeof readConfig>[0]> = {}) => {
    await writeFile(path.join(folder, 'treehouse.yml'), `repositories:\n  acme/shop:\n${yaml}`);
    return readConfig({ env: {}, cwd: folder, ...more }).repositories[0];
  };

  it('have defaults', async () => {
    const repository = await configOf('    images: {registries: [docker.io]}\n    scan: {by: trivy}\n');
    expect(repository?.images).toEqual({ registries: ['docker.io'], pin: 'off' });
    expect(repository?.scan).toEqual({
      ...{ by: 'trivy', mode: 'gate', severity: 'high', ignoreUnfixed: false, timeoutMs: 300_000 },
    });
    expect(await configOf('    scan: {by: grype, command: /opt/grype, timeout: 90s}\n')).toMatchObject({
      scan: { command: ['/opt/grype'], timeoutMs: 90_000 },
    });
    expect(await configOf('    branches: [main]\n')).not.toHaveProperty('images');
  });

  it('stay where the environment or the command line give the repository another URL', async () => {
    const yaml = '    images: {pin: require}\n';
    const env = { TREEHOUSE_REPOS: 'acme/shop=/srv/shop' };
    expect(await configOf(yaml, { env })).toMatchObject({ url: '/srv/shop', images: { pin: 'require' } });
    const repositories = [{ name: 'acme/shop', url: '/srv/other' }];
    expect(await configOf(yaml, { repositories })).toMatchObject({ url: '/srv/other', images: { pin: 'require' } });
  });

  it.each([
    ['    images: {registry: [x]}\n', 'images.registry'],
    ['    images: {registries: ["https://ghcr.io"]}\n', 'images.registries.0'],
    ['    images: {pin: yes}\n', 'images.pin'],
    ['    scan: {by: snyk}\n', 'scan.by'],
    ['    scan: {by: clair}\n', 'scan.url'],
    ['    scan: {by: clair, url: "file:///etc"}\n', 'scan.url'],
    ['    scan: {by: trivy, url: "http://x"}\n', 'scan.url'],
    ['    scan: {by: trivy, severity: worst}\n', 'scan.severity'],
    ['    scan: {by: trivy, timeout: soon}\n', 'scan.timeout'],
  ])('%j is a fault of %s', async (yaml, key) => {
    await expect(configOf(yaml)).rejects.toThrow(`repositories.acme/shop.${key}`);
  });
});
