/** The engine's adapter against the real Docker engine; every thing made here carries this run's own instance label. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect as connectSocket, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { connectEngine, dockerEngine } from '../../src/adapters/engine.ts';
import { engineBuilder } from '../../src/adapters/engine-build.ts';
import { containerMaker } from '../../src/adapters/engine-create.ts';
import { engineInventory } from '../../src/adapters/engine-inventory.ts';
import { labelled } from '../../src/adapters/engine-labels.ts';
import { engineResidents } from '../../src/adapters/engine-residents.ts';
import { createRegistry } from '../../src/adapters/registry.ts';
import { bridgeName, labelsFor } from '../../src/domain/compose-file.ts';
import { LABEL, type Role } from '../../src/domain/labels.ts';
import { branchName, commitId, type PreviewId, previewId, repositoryName } from '../../src/domain/names.ts';
import type { ObservedStack } from '../../src/domain/observed.ts';
import type { BuildTarget, Engine } from '../../src/domain/ports.ts';
import { type EmbeddedRegistry, startRegistry } from '../../src/embedded/registry.ts';
import { TreehouseError } from '../../src/errors.ts';
import { failureOf } from '../support/failure.ts';

const RUN = randomBytes(4).toString('hex');
const INSTANCE = `test-${RUN}`;
const COMMIT = commitId('1'.repeat(40));
const IMAGE = 'busybox:latest';
const never = new AbortController().signal;

const docker = connectEngine(undefined);
const inventoryOf = (instance: string) => engineInventory(() => labelled(docker, [`${LABEL.instance}=${instance}`]))();
const engine = dockerEngine(docker, INSTANCE);

function keyOf(branch: string) {
  const own = branchName(branch);
  return { id: previewId(`engine-${RUN}`, own), repository: repositoryName('acme/engine'), branch: own };
}
const preview = keyOf('main');

interface Wanted {
  readonly name?: string;
  readonly role?: Role;
  readonly labels?: Record<string, string>;
  readonly branch?: string;
  readonly options?: Partial<Docker.ContainerCreateOptions>;
}

let count = 0;
/** A container that was created and not started, whose shell runs `script`. */
async function create(script: string, wanted: Wanted = {}): Promise<string> {
  count += 1;
  const made = await docker.createContainer({
    name: `${INSTANCE}-${wanted.name ?? count}`,
    Image: IMAGE,
    Cmd: ['sh', '-c', script],
    ...wanted.options,
    Labels: labelsFor(INSTANCE, keyOf(wanted.branch ?? 'main'), wanted.role ?? 'app', {
      [LABEL.service]: 'web',
      [LABEL.build]: 'b1',
      [LABEL.commit]: COMMIT,
      [LABEL.config]: 'c0ffee',
      ...wanted.labels,
    }),
  });
  return made.id;
}

async function run(script: string, wanted?: Wanted): Promise<string> {
  const id = await create(script, wanted);
  await engine.start(id);
  return id;
}

async function network(name: string, internal = false, branch = 'main'): Promise<string> {
  const full = `${INSTANCE}-${name}`;
  await engine.createNetwork({
    name: full,
    bridge: bridgeName(full),
    internal,
    labels: labelsFor(INSTANCE, keyOf(branch), 'network', {
      [LABEL.build]: 'b1',
      [LABEL.commit]: COMMIT,
      [LABEL.network]: name,
    }),
  });
  return full;
}

async function linesOf(id: string, options: { tail?: number; follow: boolean }, signal = never): Promise<string[]> {
  const lines: string[] = [];
  await engine.logs(id, options, (line) => lines.push(line), signal);
  return lines;
}

/** Whatever carries this run's label; what is on its way out already is waited for. */
async function cleanUp(): Promise<void> {
  const filters = JSON.stringify({ label: [`${LABEL.instance}=${INSTANCE}`] });
  const once = async () => {
    for (const one of await docker.listContainers({ all: true, filters })) await engine.removeContainer(one.Id);
    for (const one of await docker.listNetworks({ filters })) await engine.removeNetwork(one.Id);
    for (const one of (await docker.listVolumes({ filters })).Volumes) await engine.removeVolume(one.Name);
    for (const one of await docker.listImages({ filters })) await docker.getImage(one.Id).remove({ force: true });
  };
  await vi.waitFor(once, { timeout: 20_000 });
}

beforeAll(async () => {
  expect(await engine.image(IMAGE), `build it by test/images/build busybox`).toBeDefined();
});
afterEach(cleanUp);

describe('what runs', () => {
  it('is found by label, whole, and nothing of another Treehouse or preview', async () => {
    const front = await network('front');
    const exposed = { [LABEL.host]: preview.id, [LABEL.port]: '8000', [LABEL.after]: 'db:service_healthy x:y z' };
    const web = await run('sleep 60', {
      name: 'web',
      labels: exposed,
      options: { HostConfig: { NetworkMode: front } },
    });
    const test = await create('exit 3', { name: 'test', role: 'test', labels: { [LABEL.service]: 'test' } });
    const volume = `${INSTANCE}-data`;
    await docker.createVolume({ Name: volume, Labels: labelsFor(INSTANCE, preview, 'volume') });
    await run('sleep 60', { branch: 'other' });
    const stranger = dockerEngine(docker, `${INSTANCE}-stranger`);

    const stack = await engine.observe(preview.id);
    const byName = [...stack.containers].sort((a, b) => (a.name < b.name ? -1 : 1));
    const imageId = (await engine.image(IMAGE))?.id;
    expect(byName).toEqual([
      {
        ...{ id: test, name: `${INSTANCE}-test`, service: 'test', role: 'test', build: 'b1', commit: COMMIT },
        ...{ config: 'c0ffee', running: false, restarting: false, exitCode: 0, health: 'none', restarts: 0 },
        ...{ networks: new Map([['bridge', '']]), image: IMAGE, imageId, after: [], exposed: undefined },
      },
      {
        ...{ id: web, name: `${INSTANCE}-web`, service: 'web', role: 'app', build: 'b1', commit: COMMIT },
        ...{ config: 'c0ffee', running: true, restarting: false, exitCode: 0, health: 'none', restarts: 0 },
        ...{ networks: new Map([[front, expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/)]]), image: IMAGE, imageId },
        after: [{ service: 'db', condition: 'service_healthy' }],
        exposed: { host: preview.id, port: 8000 },
      },
    ]);
    expect(stack).toMatchObject({
      preview: preview.id,
      networks: [{ name: front, build: 'b1', commit: COMMIT, key: 'front', role: 'app' }],
      volumes: [{ name: volume }],
      images: [],
    });
    expect((await engine.previews()).map((one) => one.id).sort()).toEqual([preview.id, keyOf('other').id].sort());
    expect(await stranger.previews()).toEqual([]);
    expect((await stranger.observe(preview.id)).containers).toEqual([]);
    expect(await engine.container('0'.repeat(64))).toBeUndefined();

    // All at once, it is the same.
    const { stacks, things } = await inventoryOf(INSTANCE);
    const sorted = ({ containers, ...rest }: ObservedStack) => ({
      ...rest,
      containers: [...containers].sort((a, b) => (a.name < b.name ? -1 : 1)),
    });
    for (const id of [preview.id, keyOf('other').id]) {
      const all = stacks.get(id);
      expect(all && sorted(all)).toEqual(sorted(await engine.observe(id)));
    }
    expect(things.filter((one) => one.what !== 'container').map((one) => [one.what, one.name, one.owner])).toEqual([
      ['network', front, { kind: 'preview', id: preview.id, key: preview }],
      ['volume', volume, { kind: 'preview', id: preview.id, key: preview }],
    ]);
    expect(await inventoryOf(`${INSTANCE}-stranger`)).toEqual({ stacks: new Map(), things: [] });
  });

  it('is not led astray by labels that no Treehouse wrote', async () => {
    const id = await create('true', { labels: { [LABEL.preview]: '../x', [LABEL.port]: 'http', [LABEL.host]: 'x' } });
    await create('true', { labels: { [LABEL.repository]: 'nonsense' } });
    expect(await engine.previews()).toEqual([]);
    const { things } = await inventoryOf(INSTANCE);
    expect(things.map((one) => one.owner)).toEqual([{ kind: 'preview', id: preview.id }, { kind: 'nobody' }]);
    expect(await engine.container(id)).toMatchObject({ exposed: undefined });
    // So Treehouse says of a container that it is not reached.
    const inner = await create('true', { labels: { [LABEL.port]: '', [LABEL.host]: '' } });
    expect(await engine.container(inner)).toMatchObject({ exposed: undefined });
  });

  it.each([
    ['healthy', 'true', 'healthy'],
    ['unhealthy', 'false', 'unhealthy'],
  ])('is %s as its check says', async (_state, test, health) => {
    const check = { Test: ['CMD', test], Interval: 100_000_000, Retries: 1, StartPeriod: 0 };
    const id = await run('sleep 60', { options: { Healthcheck: check } });
    await vi.waitFor(async () => expect((await engine.container(id))?.health).toBe(health), { timeout: 20_000 });
    const { stacks } = await inventoryOf(INSTANCE);
    expect(stacks.get(preview.id)?.containers).toMatchObject([{ id, running: true, health }]);
  });

  it('is seen restarting, and how often', async () => {
    const id = await run('exit 7', {
      options: { HostConfig: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } } },
    });
    await vi.waitFor(
      async () =>
        expect(await engine.container(id)).toMatchObject({
          running: false,
          restarting: false,
          exitCode: 7,
          restarts: 2,
        }),
      { timeout: 30_000 },
    );
    const { stacks } = await inventoryOf(INSTANCE);
    expect(stacks.get(preview.id)?.containers).toMatchObject([{ id, running: false, restarting: false, exitCode: 7 }]);
  });

  it('cannot be started where its program is missing, and the reason is said', async () => {
    const id = await create('true', { options: { Cmd: ['/no/such/program'] } });
    const error = await failureOf(engine.start(id));
    expect(error).toMatchObject({ code: 'start-failed', kind: 'terminal' });
    expect(error.message).toMatch(/^starting it failed: .*\/no\/such\/program.*no such file/s);
    expect(error.message).not.toContain('HTTP code');
  });

  it('is seen paused, goes on when started, and hears of its end while it is paused', async () => {
    const id = await run('trap "exit 7" TERM; echo listens; while :; do sleep 0.1; done');
    await vi.waitFor(async () => expect(await linesOf(id, { follow: false })).toEqual(['listens']));
    await engine.pause(id);
    await engine.pause(id);
    expect(await engine.container(id)).toMatchObject({ running: false, restarting: false, isPaused: true });
    const { stacks } = await inventoryOf(INSTANCE);
    expect(stacks.get(preview.id)?.containers).toMatchObject([{ id, running: false, isPaused: true }]);
    await engine.start(id);
    expect(await engine.container(id)).toMatchObject({ running: true });
    expect(await engine.container(id)).not.toHaveProperty('isPaused');

    await engine.pause(id);
    await engine.stop(id, 60);
    expect(await engine.container(id)).toMatchObject({ running: false, exitCode: 7 });
    await engine.pause(id);
    await engine.start(id);
    await engine.pause(id);
    await engine.removeContainer(id);
    await engine.pause(id);
  });

  it('is healthy when it goes on if it was when it was paused', async () => {
    const id = await run('while :; do sleep 0.1; done', {
      options: { Healthcheck: { Test: ['CMD', 'true'], Interval: 1e9, StartInterval: 1e8 } as Docker.HealthConfig },
    });
    await vi.waitFor(async () => expect(await engine.container(id)).toMatchObject({ health: 'healthy' }), 30_000);
    await engine.pause(id);
    await engine.start(id);
    expect(await engine.container(id)).toMatchObject({ running: true, health: 'healthy' });
  });

  it('counts among what uses memory while it is paused, and not among what runs', async () => {
    // The engine's list is a moment behind what it did.
    const counts = (running: boolean, memory: number, held: number) =>
      vi.waitFor(async () =>
        expect(await engineResidents(docker, INSTANCE)()).toMatchObject([{ running, memory, held }]),
      );
    const labels = { [LABEL.memory]: '1000' };
    const [id, other] = [await run('sleep 60', { labels }), await run('sleep 60', { labels })];
    await counts(true, 2000, 0);
    await engine.pause(id);
    await counts(true, 2000, 0);
    await engine.pause(other);
    await counts(false, 2000, 2000);
    await engine.stop(id, 0);
    await counts(false, 2000, 1000);
    await engine.stop(other, 0);
    await counts(false, 2000, 0);
  });

  it('may be started twice', async () => {
    await engine.start(await run('sleep 60'));
  });
});

describe('networks', () => {
  it('know a container by every name it was given, also one that it joined while it ran', async () => {
    const back = await network('back', true);
    const server = await run('sleep 60', { name: 'server' });
    await engine.connect(back, server, ['web', 'www.alias']);
    await engine.connect(back, server, ['web', 'www.alias']);
    const ask = 'for name in web www.alias; do ping -c 1 -W 5 $name >/dev/null 2>&1 && echo hello || echo no; done';
    const inside = await run(ask, { options: { HostConfig: { NetworkMode: back } } });
    expect(await linesOf(inside, { follow: true })).toEqual(['hello', 'hello']);
    const outside = await run(ask);
    expect(await linesOf(outside, { follow: true })).toEqual(['no', 'no']);

    await engine.disconnect(back, server);
    await engine.disconnect(back, server);
    expect([...((await engine.container(server))?.networks.keys() ?? [])]).toEqual(['bridge']);
  });

  it('are made once, and told apart by whether they have a way out', async () => {
    const inner = await network('inner', true);
    await network('inner', true);
    const info = await docker.getNetwork(inner).inspect();
    expect(info).toMatchObject({ Internal: true, Driver: 'bridge' });
    expect(info.Labels).toMatchObject({ [LABEL.preview]: preview.id, [LABEL.network]: 'inner' });
    expect((await docker.listNetworks({ filters: JSON.stringify({ name: [inner] }) })).length).toBe(1);
  });

  it('are kept while someone is in them, and leaving them is no fault of who is not', async () => {
    const busy = await network('busy');
    const id = await run('sleep 60', { options: { HostConfig: { NetworkMode: busy } } });
    expect(await failureOf(engine.removeNetwork(busy))).toMatchObject({ code: 'engine-away', kind: 'transient' });
    await engine.disconnect(busy, id);
    await engine.disconnect(`${busy}-gone`, id);
    await engine.removeNetwork(busy);
    expect((await failureOf(engine.connect(busy, id, []))).message).toContain(`joining ${busy} failed`);
  });
});

describe('logs', () => {
  it('are the last lines, of both outputs, whole', async () => {
    const id = await run(
      'for i in 1 2 3; do echo out $i; echo err $i >&2; sleep 0.05; done; printf "木 without an end"',
    );
    await engine.wait(id, never);
    expect((await linesOf(id, { follow: false })).sort()).toEqual(
      ['err 1', 'err 2', 'err 3', 'out 1', 'out 2', 'out 3', '木 without an end'].sort(),
    );
    expect(await linesOf(id, { tail: 1, follow: false })).toEqual(['木 without an end']);
  });

  it('are followed to the end', async () => {
    const id = await run('for i in 1 2 3; do echo $i; sleep 0.2; done');
    expect(await linesOf(id, { follow: true })).toEqual(['1', '2', '3']);
  });

  it('of a terminal come without headers', async () => {
    const id = await run('echo one; echo two >&2', { options: { Tty: true } });
    expect(await linesOf(id, { follow: true })).toEqual(['one', 'two']);
    expect(await linesOf(id, { tail: 1, follow: false })).toEqual(['two']);
  });

  it('are let go by a signal', async () => {
    const id = await run('echo first; sleep 60');
    const stop = new AbortController();
    const lines: string[] = [];
    const following = engine.logs(
      id,
      { follow: true },
      (line) => {
        lines.push(line);
        stop.abort();
      },
      stop.signal,
    );
    await following;
    expect(lines).toEqual(['first']);
    await engine.logs(id, { follow: true }, () => {}, stop.signal);
  });

  it('of what is gone are an error that says so', async () => {
    for (const follow of [true, false]) {
      expect(await failureOf(linesOf('0'.repeat(64), { follow }))).toMatchObject({ code: 'engine-away' });
    }
  });
});

describe('an end', () => {
  it('is waited for, with its code', async () => {
    const id = await run('sleep 0.3; exit 42');
    expect(await engine.wait(id, never)).toBe(42);
    expect(await engine.wait(id, never)).toBe(42);
    expect(await failureOf(engine.wait('0'.repeat(64), never))).toMatchObject({ code: 'engine-away' });
  });

  it('is not waited for past a signal, whose reason is given', async () => {
    const id = await run('sleep 60');
    const stop = new AbortController();
    const waiting = failureOf(engine.wait(id, stop.signal));
    stop.abort(new TreehouseError('superseded', 'the branch moved on'));
    expect(await waiting).toMatchObject({ code: 'superseded', message: 'the branch moved on' });
  });

  it('comes to who does not listen to the asking', async () => {
    const id = await run('trap "" TERM; echo deaf; while :; do sleep 0.1; done');
    await vi.waitFor(async () => expect(await linesOf(id, { follow: false })).toEqual(['deaf']));
    const began = performance.now();
    await engine.stop(id, 1);
    expect(performance.now() - began).toBeLessThan(8_000);
    expect(await engine.container(id)).toMatchObject({ running: false, exitCode: 137 });
  });

  it('is no fault of who asks twice, or for what is gone', async () => {
    const id = await run('sleep 60', { options: { HostConfig: { Init: true } } });
    await engine.stop(id, 5);
    expect(await engine.container(id)).toMatchObject({ running: false, exitCode: 143 });
    await engine.stop(id, 5);
    await engine.removeContainer(id);
    await engine.stop(id, 5);
    await engine.removeContainer(id);
  });
});

describe('removal', () => {
  it('takes what runs, with its nameless volumes, and does nothing the second time', async () => {
    const id = await run('sleep 60', { options: { Volumes: { '/data': {} } } });
    const [mount] = (await docker.getContainer(id).inspect()).Mounts;
    const volume = mount?.Name ?? '';
    expect(volume).not.toBe('');
    await engine.removeContainer(id);
    await engine.removeContainer(id);
    expect(await engine.container(id)).toBeUndefined();
    await expect(docker.getVolume(volume).inspect()).rejects.toMatchObject({ statusCode: 404 });
  });

  it('of networks, volumes and images may be asked for again', async () => {
    const name = await network('twice');
    await engine.removeNetwork(name);
    await engine.removeNetwork(name);
    const volume = `${INSTANCE}-twice`;
    await docker.createVolume({ Name: volume, Labels: labelsFor(INSTANCE, preview, 'volume') });
    await engine.removeVolume(volume);
    await engine.removeVolume(volume);
    await engine.removeImage(`${INSTANCE}/none:1`);
    expect(await engine.observe(preview.id)).toMatchObject({ containers: [], networks: [], volumes: [], images: [] });
  });

  it('of a volume that is in use is an error, and the data stays', async () => {
    const volume = `${INSTANCE}-used`;
    await docker.createVolume({ Name: volume, Labels: labelsFor(INSTANCE, preview, 'volume') });
    await run('sleep 60', { options: { HostConfig: { Binds: [`${volume}:/data`] } } });
    expect(await failureOf(engine.removeVolume(volume))).toMatchObject({ code: 'engine-away', kind: 'transient' });
  });
});

describe('events', () => {
  /** Counts the calls of a listener. */
  function listener() {
    let calls = 0;
    return { heard: () => void calls++, calls: () => calls };
  }

  it('tell of one preview, until they are no longer wanted', async () => {
    const mine = listener();
    const other = listener();
    const unwatch = engine.watch(preview.id, mine.heard);
    const unwatchOther = engine.watch(keyOf('other').id, other.heard);
    try {
      // Opening the stream calls once, for what happened before.
      await vi.waitFor(() => expect([mine.calls(), other.calls()]).toEqual([1, 1]));
      const id = await run('sleep 60');
      await vi.waitFor(() => expect(mine.calls()).toBeGreaterThan(1));
      const before = mine.calls();
      await engine.stop(id, 0);
      await vi.waitFor(() => expect(mine.calls()).toBeGreaterThan(before));
      expect(other.calls()).toBe(1);
      unwatch();
      const after = mine.calls();
      await run('sleep 60', { branch: 'other' });
      await run('true');
      await vi.waitFor(() => expect(other.calls()).toBeGreaterThan(1));
      expect(mine.calls()).toBe(after);
    } finally {
      unwatch();
      unwatchOther();
    }
  });

  it('tell of every start and end, whoever caused it, of this Treehouse alone', async () => {
    const ids: PreviewId[] = [];
    const strange: PreviewId[] = [];
    const ready = listener();
    const unwatch = [
      engine.watchAll((id) => void ids.push(id)),
      dockerEngine(docker, `${INSTANCE}-stranger`).watchAll((id) => void strange.push(id)),
      engine.watch(preview.id, ready.heard),
    ];
    try {
      await vi.waitFor(() => expect(ready.calls()).toBe(1));
      const id = await create('exit 1', { branch: 'other' });
      await docker.getContainer(id).start();
      await vi.waitFor(() => expect(ids).toEqual([keyOf('other').id, keyOf('other').id]));
      expect(strange).toEqual([]);
    } finally {
      for (const end of unwatch) end();
    }
  });

  it('go on after the connection broke, and what was missed is looked at', async () => {
    const wire = await proxy();
    const mine = listener();
    const unwatch = dockerEngine(connectEngine(wire.url), INSTANCE).watch(preview.id, mine.heard);
    try {
      await vi.waitFor(() => expect(mine.calls()).toBe(1));
      wire.cut();
      await vi.waitFor(() => expect(mine.calls()).toBe(2), { timeout: 10_000 });
      await run('true');
      await vi.waitFor(() => expect(mine.calls()).toBeGreaterThan(2));
    } finally {
      unwatch();
      await wire.close();
    }
  });

  /** A way to the engine over TCP that can be cut. */
  async function proxy() {
    const sockets = new Set<Socket>();
    const server = createServer((near) => {
      const far = connectSocket('/var/run/docker.sock');
      for (const one of [near, far]) {
        sockets.add(one);
        one.on('error', () => one.destroy());
        one.on('close', () => {
          sockets.delete(one);
          near.destroy();
          far.destroy();
        });
      }
      near.pipe(far).pipe(near);
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const cut = () => {
      for (const one of sockets) one.destroy();
    };
    return {
      url: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
      cut,
      close: async () => {
        const closed = new Promise((resolve) => server.close(resolve));
        cut();
        await closed;
      },
    };
  }
});

describe('images', () => {
  let home: string;
  let server: EmbeddedRegistry;
  beforeAll(async () => {
    home = await mkdtemp(path.join(tmpdir(), 'treehouse-engine-'));
    server = await startRegistry({ home, searchPath: process.env.PATH ?? '' });
  });
  afterAll(async () => {
    await server?.stop();
    await rm(home, { recursive: true, force: true });
  });

  /** An image of this preview, of content of its own. */
  async function image(reference: string, changes: string): Promise<void> {
    const id = await create('true');
    const [repo, tag] = [
      reference.slice(0, reference.lastIndexOf(':')),
      reference.slice(reference.lastIndexOf(':') + 1),
    ];
    const labels = Object.entries(labelsFor(INSTANCE, preview, 'image')).map(([key, value]) => `LABEL ${key}=${value}`);
    await docker.getContainer(id).commit({ repo, tag, changes: [...labels, changes].join('\n') });
    await engine.removeContainer(id);
  }

  it('say their ports, volumes and variables', async () => {
    const reference = `${INSTANCE}/web:1`;
    await image(reference, 'EXPOSE 9000 80/tcp 53/udp 443\nVOLUME ["/data", "/log"]\nENV VIRTUAL_HOST=evil.example');
    expect(await engine.image(reference)).toEqual({
      id: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      ports: [80, 443, 9000],
      volumes: ['/data', '/log'],
      variables: ['PATH', 'VIRTUAL_HOST'],
    });
    expect(await engine.image(`${INSTANCE}/none:1`)).toBeUndefined();
    await image(`${INSTANCE}/checked:1`, 'HEALTHCHECK --interval=500ms CMD true');
    expect(await engine.image(`${INSTANCE}/checked:1`)).toMatchObject({ checkEvery: 0.5 });
    await engine.removeImage(`${INSTANCE}/checked:1`);
    expect((await engine.observe(preview.id)).images).toEqual([{ reference, id: (await engine.image(reference))?.id }]);
  });

  it('stay while another name or a container needs them', async () => {
    const [one, two] = [`${INSTANCE}/web:1`, `${INSTANCE}/web:2`];
    await image(one, 'ENV A=2');
    await engine.tag(one, two);
    await engine.removeImage(one);
    expect(await engine.image(one)).toBeUndefined();
    const id = await create('true', { options: { Image: two } });
    await engine.removeImage(two);
    expect(await engine.container(id)).toMatchObject({ image: two });
    expect(await engine.image(two)).toBeDefined();
  });

  it('are pushed to a registry, whose digest is told, and pulled from it', async () => {
    const reference = `${server.address}/acme/web:1`;
    await image(reference, 'ENV A=3');
    const id = (await engine.image(reference))?.id;
    const said: string[] = [];
    const digest = await engine.push(reference, (line) => said.push(line), never);
    expect(digest).toBe(await createRegistry({ address: server.address }).digest('acme/web', '1'));
    expect(said.some((line) => line.includes(digest))).toBe(true);
    // Again, where all is there already.
    expect(await engine.push(reference, () => undefined, never)).toBe(digest);

    await engine.removeImage(reference);
    expect(await engine.image(reference)).toBeUndefined();
    await engine.pull(reference, () => undefined, never);
    expect((await engine.image(reference))?.id).toBe(id);
    await engine.removeImage(reference);
    await engine.pull(`${server.address}/acme/web@${digest}`, () => undefined, never);
    expect((await engine.image(`${server.address}/acme/web@${digest}`))?.id).toBe(id);
  });

  it('that cannot be pushed or pulled are named, with the reason', async () => {
    const away = '127.0.0.1:9/acme/web:1';
    await image(away, 'ENV A=4');
    const push = await failureOf(engine.push(away, () => undefined, never));
    expect(push).toMatchObject({ code: 'push-failed', kind: 'transient' });
    expect(push.message).toMatch(/^pushing 127\.0\.0\.1:9\/acme\/web:1 failed: .*connection refused/s);
    const none = await failureOf(engine.push(`${server.address}/acme/none:1`, () => undefined, never));
    expect(none.message).toContain(`pushing ${server.address}/acme/none:1 failed: `);
    const pull = await failureOf(engine.pull(`${server.address}/acme/none:1`, () => undefined, never));
    expect(pull).toMatchObject({ code: 'image-missing' });
    expect(pull.message).toMatch(
      new RegExp(`^pulling ${server.address}/acme/none:1 failed: .*(not found|unknown)`, 's'),
    );
  });

  it('are given up by a signal, whose reason is told', async () => {
    const reference = `${server.address}/acme/given-up:1`;
    await image(reference, 'ENV A=5');
    const signal = AbortSignal.abort(new TreehouseError('superseded', 'the branch moved on'));
    expect(await failureOf(engine.push(reference, () => undefined, signal))).toMatchObject({ code: 'superseded' });
    expect(await failureOf(engine.pull(reference, () => undefined, signal))).toMatchObject({ code: 'superseded' });
  });
});

describe('an engine', () => {
  /** One that answers every request alike: what the real one says only in need. */
  async function answering(status: number, message: string, act: (engine: Engine) => Promise<void>): Promise<void> {
    const server = createHttpServer((_req, res) => {
      res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ message }));
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    try {
      await act(dockerEngine(connectEngine(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`), INSTANCE));
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }
  const wanted = { name: `${INSTANCE}-x`, bridge: 'thx', internal: false, labels: {} };

  it.each([
    'could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network',
    'all predefined address pools have been fully subnetted',
  ])('without addresses says what to change: %s', async (message) => {
    await answering(500, message, async (full) => {
      const error = await failureOf(full.createNetwork(wanted));
      expect(error).toMatchObject({ code: 'networks-exhausted', kind: 'transient' });
      expect(error.message).toContain('"default-address-pools"');
    });
  });

  it('that fails is named as it fails', async () => {
    await answering(500, 'the disk is on fire', async (broken) => {
      const error = await failureOf(broken.createNetwork(wanted));
      expect(error).toMatchObject({ code: 'engine-away', kind: 'transient' });
      expect(error.message).toBe(`making the network ${INSTANCE}-x failed: the disk is on fire`);
      for (const act of [
        broken.observe(preview.id),
        broken.previews(),
        broken.container('x'),
        broken.image('x'),
        broken.stop('x', 1),
        broken.removeContainer('x'),
        broken.removeVolume('x'),
        broken.tag('x', 'y:1'),
        broken.wait('x', never),
        broken.logs('x', { follow: true }, () => undefined, never),
      ]) {
        expect((await failureOf(act)).message).toContain('the disk is on fire');
      }
    });
  });

  it('that is away is a transient fault of every act', async () => {
    const gone = dockerEngine(connectEngine('unix:///nonexistent/docker.sock'), INSTANCE);
    for (const act of [
      gone.observe(preview.id),
      gone.previews(),
      gone.createNetwork(wanted),
      gone.removeNetwork('x'),
      gone.wait('x', never),
      gone.start('x'),
      gone.exec('x', ['true'], () => undefined, never),
      gone.pull('busybox:latest', () => undefined, never),
      gone.pause('x'),
    ]) {
      expect(await failureOf(act)).toMatchObject({ code: 'engine-away', kind: 'transient' });
    }
  });

  it('that dies in the middle of a request leaves no commit at fault', async () => {
    const dying = createHttpServer((req) => req.socket.destroy());
    await new Promise<void>((resolve) => void dying.listen(0, '127.0.0.1', resolve));
    try {
      const client = connectEngine(`tcp://127.0.0.1:${(dying.address() as AddressInfo).port}`);
      const root = await mkdtemp(path.join(tmpdir(), 'treehouse-engine-'));
      await writeFile(path.join(root, 'Dockerfile'), 'FROM scratch\n');
      const build = { context: '.', dockerfile: 'Dockerfile', args: {}, contexts: {} };
      const target = { service: 'web', reference: 'x:1', build, labels: {} } as unknown as BuildTarget;
      const model = { services: {}, networks: {}, volumes: { v: { name: 'v', labels: {} } } };
      const builder = engineBuilder(client, { build: () => Promise.reject(new Error('not asked')) });
      for (const act of [
        () => dockerEngine(client, INSTANCE).start('x'),
        () => dockerEngine(client, INSTANCE).pull('busybox:latest', () => undefined, never),
        () => containerMaker(client).create({ project: 'x', model }),
        () => builder.build({ root, targets: [target], onLine: () => undefined, signal: never }),
      ]) {
        expect(await failureOf(act())).toMatchObject({ code: 'engine-away', kind: 'transient' });
      }
      await rm(root, { recursive: true });
    } finally {
      dying.close();
    }
  });

  it('that has no room to start a container says so, and is asked again', async () => {
    await answering(500, 'write /etc/hosts: no space left on device', async (full) => {
      expect(await failureOf(full.start('x'))).toMatchObject({ code: 'disk-full', kind: 'transient' });
    });
  });
});
