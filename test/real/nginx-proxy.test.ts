/** nginx-proxy as the gateway, on the real engine: joins and their repair, what docker-gen hears, what a branch cannot say. */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { dockerGenBell } from '../../src/adapters/docker-gen-bell.ts';
import { connectEngine, dockerEngine } from '../../src/adapters/engine.ts';
import { gatewayJoins, leavingFirst } from '../../src/adapters/gateway-joins.ts';
import { watchStarts } from '../../src/adapters/gateway-starts.ts';
import { NginxProxyGateway } from '../../src/adapters/nginx-proxy-gateway.ts';
import { bridgeName, labelsFor } from '../../src/domain/compose-file.ts';
import { LABEL } from '../../src/domain/labels.ts';
import { routesTo } from '../../src/domain/live.ts';
import { type BuildId, branchName, commitId, previewId, repositoryName } from '../../src/domain/names.ts';
import { removeBuild } from '../../src/teardown/remove.ts';
import { type DockerGen, watchAsDockerGen } from '../support/docker-gen.ts';
import { failureOf } from '../support/failure.ts';
import { askFrom, startStandIn } from '../support/nginx-proxy.ts';

const RUN = randomBytes(4).toString('hex');
const INSTANCE = `test-${RUN}`;
const PROXY = `proxy-${RUN}`;
/** Sorts before `th-`, so that it stays the way to the world. */
const FRONT = `front-${RUN}`;
const IMAGE = 'busybox:latest';
const PORT = 8000;

const branch = branchName('main');
const preview = { id: previewId(`np${RUN}`, branch), repository: repositoryName(`acme/np${RUN}`), branch };
const HOST = `${preview.id}.preview.localhost`;

const docker = connectEngine(undefined);
const joins = gatewayJoins(docker, PROXY);
const engine = leavingFirst(dockerEngine(docker, INSTANCE), joins);
const gateway = newGateway();
let seen: DockerGen;

function newGateway(): NginxProxyGateway {
  return new NginxProxyGateway({ docker, instance: INSTANCE, joins, bell: dockerGenBell(docker, PROXY, INSTANCE) });
}

const startProxy = (front = FRONT) => startStandIn(docker, PROXY, front);

async function proxyPort(): Promise<string> {
  const info = await docker.getContainer(PROXY).inspect();
  return info.NetworkSettings.Ports['80/tcp']?.[0]?.HostPort ?? '';
}

/** A network and an exposed container of a build, as Treehouse makes them. */
async function build(id: string, text = id): Promise<{ readonly id: BuildId; readonly network: string }> {
  const own = { [LABEL.build]: id, [LABEL.commit]: commitId('1'.repeat(40)) };
  const network = `th-${preview.id}-${id}-default`;
  const labels = labelsFor(INSTANCE, preview, 'network', { ...own, [LABEL.network]: 'default' });
  await engine.createNetwork({ name: network, bridge: bridgeName(network), internal: false, labels });
  const made = await docker.createContainer({
    name: `th-${preview.id}-web-${id}-1`,
    Image: IMAGE,
    Cmd: ['sh', '-c', `mkdir /www; echo ${text} >/www/index.html; exec httpd -f -h /www -p ${PORT}`],
    Env: [`VIRTUAL_HOST=${HOST}`, `VIRTUAL_PORT=${PORT}`],
    Labels: labelsFor(INSTANCE, preview, 'app', {
      ...{ ...own, [LABEL.service]: 'web', [LABEL.host]: preview.id, [LABEL.port]: String(PORT) },
    }),
    HostConfig: { NetworkMode: network, Init: true },
  });
  await made.start();
  return { id: id as BuildId, network };
}

async function routesOf(one: { readonly id: BuildId }) {
  const { containers } = await engine.observe(preview.id);
  const mine = containers.filter((container) => container.build === one.id);
  return routesTo(preview, one.id, mine);
}

const fetchFrom = async (upstream: string) => (await askFrom(docker, PROXY, upstream)).body.trim();

const within = { timeout: 20_000, interval: 50 };

async function cleanUp(): Promise<void> {
  const filters = JSON.stringify({ label: [`${LABEL.instance}=${INSTANCE}`] });
  await vi.waitFor(async () => {
    for (const one of await docker.listContainers({ all: true, filters })) await engine.removeContainer(one.Id);
    for (const one of await docker.listNetworks({ filters })) await engine.removeNetwork(one.Id);
  }, within);
}

beforeAll(async () => {
  expect(await engine.image(IMAGE), 'build it by test/images/build busybox').toBeDefined();
  await docker.createNetwork({ Name: FRONT });
  await startProxy();
  seen = await watchAsDockerGen(docker, PROXY);
});
afterEach(cleanUp);
afterAll(async () => {
  seen?.stop();
  await engine.removeContainer(PROXY);
  await engine.removeNetwork(FRONT);
});

describe('a route', () => {
  it('is a join, which docker-gen hears of, and the other way round', async () => {
    const one = await build('b1');
    // It runs with its host, and the proxy does not reach it.
    await vi.waitFor(() => expect(seen.upstreams(HOST)).toEqual([]), within);
    expect(await gateway.routes()).toEqual([]);

    const routes = await routesOf(one);
    expect(await gateway.setRoutes(preview.id, routes)).toBe(true);
    expect(await joins.joined()).toContain(one.network);
    expect(await gateway.routesOf(preview.id)).toEqual(routes);
    await vi.waitFor(() => expect(seen.upstreams(HOST)).toEqual([routes[0]?.upstream]), within);
    expect(await fetchFrom(routes[0]?.upstream ?? '')).toBe('b1');
    // Told again, it has nothing to do.
    const { looks } = seen;
    expect(await gateway.setRoutes(preview.id, routes)).toBe(false);
    expect(seen.looks).toBe(looks);

    expect(await gateway.setRoutes(preview.id, [])).toBe(true);
    expect(await joins.joined()).toEqual(new Set([FRONT]));
    expect(await gateway.routes()).toEqual([]);
    await vi.waitFor(() => expect(seen.upstreams(HOST)).toEqual([]), within);
    expect(await gateway.setRoutes(preview.id, [])).toBe(false);
  });

  it('would not be heard of by a join alone', async () => {
    const one = await build('b1');
    await vi.waitFor(() => expect(seen.upstreams(HOST)).toEqual([]), within);
    const { looks } = seen;
    await joins.join([one.network]);
    await delay(1_000);
    // Others on this engine may have started something meanwhile.
    if (seen.looks === looks) expect(seen.upstreams(HOST)).toEqual([]);
  });

  it('leads to old and new during a swap, and then to the new alone', async () => {
    const old = await build('b1');
    await gateway.setRoutes(preview.id, await routesOf(old));
    const before = (await routesOf(old))[0]?.upstream ?? '';
    const fresh = await build('b2');
    const after = (await routesOf(fresh))[0]?.upstream ?? '';
    expect((await gateway.routes()).map((one) => one.build)).toEqual(['b1']);

    expect(await gateway.setRoutes(preview.id, await routesOf(fresh))).toBe(true);
    expect(await gateway.routesOf(preview.id)).toEqual(await routesOf(fresh));
    await vi.waitFor(() => expect(seen.upstreams(HOST)?.toSorted()).toEqual([before, after].toSorted()), within);
    expect([await fetchFrom(before), await fetchFrom(after)]).toEqual(['b1', 'b2']);
    // What drains is given time, since nginx-proxy does not count.
    expect(await gateway.inFlight(before)).toBe(1);
    await vi.waitFor(async () => expect(await gateway.inFlight(before)).toBe(0), within);

    await removeBuild(engine, preview, old.id, 'app');
    expect(await joins.joined()).toEqual(new Set([FRONT, fresh.network]));
    await vi.waitFor(() => expect(seen.upstreams(HOST)).toEqual([after]), within);
    expect(await gateway.routesOf(preview.id)).toEqual(await routesOf(fresh));
  });

  it('stays while the preview sleeps, whose host is then Treehouse’s', async () => {
    const one = await build('b1');
    await gateway.setRoutes(preview.id, await routesOf(one));
    const [container] = (await engine.observe(preview.id)).containers;
    await engine.stop(container?.id ?? '', 1);
    await vi.waitFor(() => expect(seen.upstreams(HOST)).toBeUndefined(), within);
    expect(await gateway.routesOf(preview.id)).toMatchObject([{ build: 'b1', upstream: `0.0.0.0:${PORT}` }]);
    await engine.start(container?.id ?? '');
    await vi.waitFor(() => expect(seen.upstreams(HOST)).toHaveLength(1), within);
    expect(await gateway.routesOf(preview.id)).toEqual(await routesOf(one));
  });

  it('is no route where the container is in no network of the build', async () => {
    const one = await build('b1');
    const [route] = await routesOf(one);
    if (!route) throw new Error('no route');
    const failure = await failureOf(gateway.setRoutes(preview.id, [{ ...route, build: 'b9' as BuildId }]));
    expect(failure).toMatchObject({ code: 'route-failed', kind: 'transient' });
    expect(await joins.joined()).toEqual(new Set([FRONT]));
  });
});

describe('the proxy’s container', () => {
  it('leaves a network before it goes, whoever removes it and by whatever name', async () => {
    const one = await build('b1');
    const { id } = (await engine.observe(preview.id)).networks[0] ?? {};
    await gateway.setRoutes(preview.id, await routesOf(one));
    for (const { id: container } of (await engine.observe(preview.id)).containers) {
      await engine.removeContainer(container);
    }
    const plain = dockerEngine(docker, INSTANCE);
    expect(String(await failureOf(plain.removeNetwork(one.network)))).toContain('active endpoints');
    await engine.removeNetwork(id ?? '');
    expect((await engine.observe(preview.id)).networks).toEqual([]);
    await engine.removeNetwork(one.network);
  });

  it('keeps its way to the world and its published port', async () => {
    const port = await proxyPort();
    const one = await build('b1');
    await gateway.setRoutes(preview.id, await routesOf(one));
    expect(await proxyPort()).toBe(port);
    expect((await (await fetch(`http://127.0.0.1:${port}/`)).text()).trim()).toBe('front');
  });

  it('is not joined where that would take them away', async () => {
    const { ApiVersion } = await docker.version();
    if (Number(ApiVersion.split('.')[1]) >= 48) return;
    const late = `zz-${RUN}`;
    await docker.createNetwork({ Name: late });
    await engine.removeContainer(PROXY);
    try {
      await startProxy(late);
      const one = await build('b1');
      const failure = await failureOf(gateway.setRoutes(preview.id, await routesOf(one)));
      expect(failure).toMatchObject({ code: 'bad-config' });
      expect(String(failure)).toContain('would lose its published ports');
      expect(await joins.joined()).toEqual(new Set([late]));
    } finally {
      await engine.removeContainer(PROXY);
      await engine.removeNetwork(late);
      await startProxy();
    }
  });

  it('is named where it is missing, and joined again once it was made anew', async () => {
    let starts = 0;
    const unwatch = watchStarts(docker, PROXY, () => {
      starts += 1;
    });
    const one = await build('b1');
    await gateway.setRoutes(preview.id, await routesOf(one));
    await engine.removeContainer(PROXY);
    const routes = await routesOf(one);
    for (const act of [() => gateway.routes(), () => gateway.setRoutes(preview.id, routes)]) {
      const failure = await failureOf(act());
      expect(failure).toMatchObject({ code: 'route-failed', kind: 'transient' });
      expect(String(failure)).toContain(`there is no container ${PROXY}`);
    }
    // Nothing keeps a preview from being taken down.
    expect(await gateway.setRoutes(preview.id, [])).toBe(false);

    await startProxy();
    await vi.waitFor(() => expect(starts).toBeGreaterThan(0), within);
    unwatch();
    expect(await gateway.routes()).toEqual([]);
    // By another Treehouse, which remembers nothing.
    expect(await newGateway().setRoutes(preview.id, await routesOf(one))).toBe(true);
    await vi.waitFor(() => expect(seen.upstreams(HOST)).toHaveLength(1), within);
  });
});

it('leaves nothing of what docker-gen is told by', async () => {
  const bell = dockerGenBell(docker, PROXY, INSTANCE);
  const { looks } = seen;
  await Promise.all([bell.ring(), bell.ring(), bell.ring()]);
  await vi.waitFor(() => expect(seen.looks).toBeGreaterThan(looks), within);
  const filters = JSON.stringify({ label: [`${LABEL.instance}=${INSTANCE}`] });
  await vi.waitFor(async () => expect(await docker.listContainers({ all: true, filters })).toEqual([]), within);
});

it('refuses to guard previews, since nobody would be asked', async () => {
  const guard = { slug: 'shop', access: { mode: 'password' as const, open: [] } };
  expect(await failureOf(gateway.setGuards([guard]))).toMatchObject({ code: 'bad-config' });
});
