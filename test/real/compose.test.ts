// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of bake, which must stay what they are.
/** Building by the real BuildKit, through the engine and through buildx. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { findPlugin } from '../../src/adapters/compose.ts';
import { connectEngine, dockerEngine } from '../../src/adapters/engine.ts';
import { engineBuilder } from '../../src/adapters/engine-build.ts';
import { LABEL } from '../../src/domain/labels.ts';
import type { Builder, BuildTarget } from '../../src/domain/ports.ts';
import type { StackBuild } from '../../src/domain/stack.ts';
import { TreehouseError } from '../../src/errors.ts';
import { failureOf } from '../support/failure.ts';
import { type Court, type Layout, openCourt } from '../support/judge.ts';

const RUN = `test-${randomBytes(4).toString('hex')}`;
const run = promisify(execFile);
const never = new AbortController().signal;
const docker = connectEngine(undefined);
const engine = dockerEngine(docker, RUN);

let court: Court;
beforeAll(async () => {
  court = await openCourt();
});
afterAll(async () => {
  const filters = JSON.stringify({ label: [`${LABEL.instance}=${RUN}`] });
  for (const one of await docker.listContainers({ all: true, filters })) await engine.removeContainer(one.Id);
  for (const one of (await docker.listVolumes({ filters })).Volumes) await engine.removeVolume(one.Name);
  for (const one of await docker.listNetworks({ filters })) await engine.removeNetwork(one.Id);
  for (const one of await docker.listImages({ filters })) await docker.getImage(one.Id).remove({ force: true });
  await court?.close();
});

function target(service: string, build: Partial<StackBuild> = {}): BuildTarget {
  return {
    service,
    reference: `${RUN}/${service}:1`,
    build: { context: '', args: {}, contexts: {}, noNetwork: false, ...build },
    labels: { [LABEL.instance]: RUN, price: '${x} %{y} $1' },
  };
}

interface Built {
  readonly root: string;
  readonly lines: readonly string[];
}

/** What a command in the image prints. */
async function says(service: string, ...command: string[]): Promise<string> {
  const { stdout } = await run('docker', ['run', '--rm', `${RUN}/${service}:1`, ...command]);
  return stdout.trim();
}

// Both must do the same: which one builds depends on what the target needs.
describe.each([
  ['the engine', (one: Court): Builder => engineBuilder(docker, one.commands)],
  ['buildx', (one: Court): Builder => one.commands],
])('a build by %s', (by, builderOf) => {
  let builder: Builder;
  beforeAll(() => {
    builder = builderOf(court);
  });

  async function build(files: Layout, targets: readonly BuildTarget[], signal = never): Promise<Built> {
    const root = await court.layOut(files);
    const lines: string[] = [];
    await builder.build({ root, targets, onLine: (line) => lines.push(line), signal });
    return { root, lines };
  }

  it('takes every text as it is: bake would fill in templates', async () => {
    const text = '${x} %{y} $${z} %%{w} ${upper("a")} $HOME "quoted" \\ `id` $(id)';
    const files = { Dockerfile: 'FROM busybox\nARG A\nENV A=$A\nCOPY . /site/\n', 'a ${b}.txt': 'a file' };
    const { root } = await build(files, [target('text', { dockerfile: 'Dockerfile', args: { A: text } })]);
    expect(await says('text', 'sh', '-c', 'printf %s "$A"')).toBe(text);
    expect(await says('text', 'ls', '/site')).toBe(['Dockerfile', 'a ${b}.txt'].join('\n'));
    const labels = (await docker.getImage(`${RUN}/text:1`).inspect()).Config.Labels;
    expect(labels).toMatchObject({ [LABEL.instance]: RUN, price: '${x} %{y} $1' });
    expect(await readdir(root)).toEqual(['Dockerfile', 'a ${b}.txt']);
  });

  it('takes a Dockerfile from the compose file, a stage of it, a further context and a folder', async () => {
    const inline =
      'FROM busybox AS base\nRUN echo "${HOME} %{x}" >/home.txt\nFROM base AS wanted\nCOPY --from=lib a /a\nCOPY b /b\nFROM base\nRUN exit 1\n';
    await build({ 'lib ${x}/a': 'of lib', 'app/b': 'of app' }, [
      target('inline', { context: 'app', dockerfileInline: inline, target: 'wanted', contexts: { lib: 'lib ${x}' } }),
    ]);
    expect(await says('inline', 'cat', '/home.txt', '/a', '/b')).toBe('/root %{x}\nof libof app');
  });

  it('takes a Dockerfile beside its context', async () => {
    await build({ 'docker/web.Dockerfile': 'FROM busybox\nCOPY a /a\n', 'app/a': 'a' }, [
      target('beside', { context: 'app', dockerfile: 'docker/web.Dockerfile' }),
    ]);
    expect(await says('beside', 'cat', '/a')).toBe('a');
  });

  it('builds all targets in one go, side by side', async () => {
    // Each waits for a mark of the other in a cache that they share: one after the other they would never end.
    const meet = (own: string, other: string) =>
      `FROM busybox\nRUN --mount=type=cache,id=${RUN},target=/meet touch /meet/${own}; for i in $(seq 100); do [ -e /meet/${other} ] && exit; sleep 0.1; done; exit 1\n`;
    const files = { 'l/Dockerfile': meet('left', 'right'), 'r/Dockerfile': meet('right', 'left') };
    const { lines } = await build(files, [
      target('left', { context: 'l', dockerfile: 'l/Dockerfile' }),
      target('right', { context: 'r', dockerfile: 'r/Dockerfile' }),
    ]);
    expect(lines.length).toBeGreaterThan(2);
    expect(await engine.image(`${RUN}/left:1`)).toBeDefined();
    expect(await engine.image(`${RUN}/right:1`)).toBeDefined();
  });

  it('says in its lines of which service a step is, whatever its name', async () => {
    const names = ['web', 'all', 'a.b', 'a-b'];
    const { lines } = await build(
      Object.fromEntries(names.map((name) => [`${name}/Dockerfile`, `FROM busybox\nRUN echo ${RUN} ${name}\n`])),
      names.map((name, index) =>
        target(name, { context: name, dockerfile: `${name}/Dockerfile`, noNetwork: index % 2 === 0 }),
      ),
    );
    for (const name of names) expect(await engine.image(`${RUN}/${name}:1`)).toBeDefined();
    if (by === 'buildx') expect(lines.join('\n')).toMatch(/\[web 2\/2\] RUN echo/);
  });

  it('has no network where none is wanted', async () => {
    const Dockerfile = 'FROM busybox\nRUN ls /sys/class/net >/net.txt\n';
    await build({ 'app/Dockerfile': Dockerfile, 'app/a': 'a' }, [
      target('alone', { context: 'app', dockerfile: 'app/Dockerfile', noNetwork: true }),
      target('inline', { dockerfileInline: Dockerfile, noNetwork: true }),
      target('joined', { dockerfileInline: Dockerfile }),
    ]);
    expect(await says('alone', 'cat', '/net.txt')).toBe('lo');
    expect(await says('inline', 'cat', '/net.txt')).toBe('lo');
    expect(await says('joined', 'cat', '/net.txt')).toBe('eth0\nlo');
  });

  it.each([
    ['a step that fails', 'FROM busybox\nRUN echo so it goes; exit 7\n', /so it goes; exit 7.* exit code: 7$/s],
    ['a word that is none', 'FROM busybox\nRAN true\n', /unknown instruction: RAN/],
    ['a file that is missing', 'FROM busybox\nCOPY missing /\n', /"\/missing": not found/],
    ['a stage that is missing', 'FROM busybox AS a\n', /target stage "?wanted"? could not be found/],
    ['an image that is nowhere', `FROM 127.0.0.1:9/nowhere:1\n`, /127\.0\.0\.1:9\/nowhere:1.*connection refused/s],
  ])('that fails by %s says so in one line', async (what, Dockerfile, message) => {
    const lines: string[] = [];
    const root = await court.layOut({ Dockerfile });
    const wanted = target('bad', {
      dockerfile: 'Dockerfile',
      ...(what.startsWith('a stage') ? { target: 'wanted' } : {}),
    });
    const error = await failureOf(
      builder.build({ root, targets: [wanted], onLine: (line) => lines.push(line), signal: never }),
    );
    expect(error).toMatchObject({ code: 'build-failed', kind: 'terminal' });
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('\n');
    expect(error.message).not.toContain('bake.json');
    expect(lines.join('\n')).toMatch(message);
  });

  it('ends with its signal, and leaves no process behind', async () => {
    const stop = new AbortController();
    const root = await court.layOut({ Dockerfile: `FROM busybox\nRUN echo began ${RUN}; sleep 300\n` });
    const lines: string[] = [];
    const wanted = target('slow');
    const building = failureOf(
      builder.build({ root, targets: [wanted], onLine: (line) => lines.push(line), signal: stop.signal }),
    );
    try {
      await vi.waitFor(() => expect(lines.join('\n')).toMatch(new RegExp(`\\d began ${RUN}`)), { timeout: 30_000 });
      if (by === 'buildx') expect(await childrenOf('docker-buildx')).not.toEqual([]);
    } finally {
      stop.abort(new TreehouseError('superseded', 'the branch moved on'));
    }
    const error = await building;
    expect(by === 'buildx' ? error.cause : error).toMatchObject({ code: 'superseded' });
    expect(await childrenOf('docker-buildx')).toEqual([]);
    await vi.waitFor(async () => expect(await childrenOf('sleep 300')).toEqual([]), { timeout: 20_000 });
    expect(await engine.image(`${RUN}/slow:1`)).toBeUndefined();
  });

  /** Command lines that hold `text` and belong to this test: buildx by its temporary folder, the step by its words. */
  async function childrenOf(text: string): Promise<string[]> {
    const { stdout } = await run('ps', ['-eo', 'args']);
    return stdout
      .split('\n')
      .filter((line) => line.includes(text) && (line.includes(court.folder) || line.includes(RUN)));
  }
});

describe('the plugins', () => {
  it('are found where the docker CLI has them, or their packages are named', async () => {
    expect(path.basename(await findPlugin('docker-compose', '/nonexistent'))).toBe('docker-compose');
    const root = await court.layOut({ '.docker/cli-plugins/docker-buildx': '' });
    expect(await findPlugin('docker-buildx', root)).toBe(path.join(root, '.docker/cli-plugins/docker-buildx'));
    expect((await failureOf(findPlugin('docker-nothing' as never, '/nonexistent'))).message).toBe(
      'the docker-nothing plugin is missing: install the package docker-nothing, or run npm start',
    );
  });
});
