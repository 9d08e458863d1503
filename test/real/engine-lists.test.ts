/** Lists that follow the engine's events, beside what the engine says when it is asked for all. */
import type Docker from 'dockerode';
import { afterAll, expect, it } from 'vitest';
import { connectEngine } from '../../src/adapters/engine.ts';
import { engineInventory } from '../../src/adapters/engine-inventory.ts';
import { labelled } from '../../src/adapters/engine-labels.ts';
import { type EngineLists, engineLists } from '../../src/adapters/engine-lists.ts';
import { LABEL } from '../../src/domain/labels.ts';

const INSTANCE = `lists-${process.pid}`;
const label = `${LABEL.instance}=${INSTANCE}`;
const docker = connectEngine(undefined);
const Labels = {
  [LABEL.instance]: INSTANCE,
  [LABEL.preview]: 'main--lists',
  [LABEL.repository]: 'acme/lists',
  [LABEL.branch]: 'main',
  [LABEL.build]: 'b1',
};

/** The engine, and how often it was asked for a whole list of containers. */
function counted(): { readonly docker: Docker; whole(): number } {
  let whole = 0;
  const listContainers = (options: Docker.ContainerListOptions) => {
    if (!String(options.filters).includes('"id"')) whole += 1;
    return docker.listContainers(options);
  };
  const proxy = new Proxy(docker, {
    get(target, key) {
      if (key === 'listContainers') return listContainers;
      const value = Reflect.get(target, key) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { docker: proxy, whole: () => whole };
}

const open: EngineLists[] = [];
afterAll(async () => {
  for (const one of open) one.stop();
  const [containers, networks, volumes, images] = await labelled(docker, [label]);
  for (const one of containers) await docker.getContainer(one.Id).remove({ force: true, v: true });
  for (const one of networks) await docker.getNetwork(one.Id).remove();
  for (const one of volumes) await docker.getVolume(one.Name).remove();
  for (const one of images) await docker.getImage(one.Id).remove({ force: true });
});

/** In an order of its own: a list that is kept has what came last at its end. */
async function told(read: Parameters<typeof engineInventory>[0]) {
  const { stacks, things } = await engineInventory(read)();
  const sorted = <T>(all: readonly T[]) => all.map((one) => JSON.stringify(one)).sort();
  return {
    things: sorted(things),
    stacks: [...stacks.values()].map(({ containers, networks, volumes, images }) => ({
      containers: sorted(containers.map((one) => ({ ...one, networks: [...one.networks] }))),
      networks: sorted(networks),
      volumes: sorted(volumes),
      images: sorted(images),
    })),
  };
}

async function agrees(lists: EngineLists, after: string): Promise<void> {
  const both = async () => {
    const kept = JSON.stringify(await told(() => lists.read()));
    const real = JSON.stringify(await told(() => labelled(docker, [label])));
    return kept === real ? 'alike' : { kept, real };
  };
  await expect.poll(both, { timeout: 20_000, interval: 100, message: after }).toBe('alike');
}

it('say what the engine says, whatever is made, changed and removed, without asking for all of it', async () => {
  const engine = counted();
  const lists = engineLists(engine.docker, { label });
  open.push(lists);
  // Until the stream is settled each read is whole.
  await expect
    .poll(
      async () => {
        const before = engine.whole();
        await lists.read();
        return engine.whole() - before;
      },
      { timeout: 20_000, interval: 200 },
    )
    .toBe(0);
  const before = engine.whole();

  const network = await docker.createNetwork({ Name: `${INSTANCE}-net`, Labels });
  await agrees(lists, 'a network is made');
  const volume = `${INSTANCE}-vol`;
  await docker.createVolume({ Name: volume, Labels });
  // A name that begins alike is another's.
  await docker.createVolume({ Name: `${volume}-more`, Labels });
  await agrees(lists, 'volumes are made');
  const create = (name: string) =>
    docker.createContainer({
      ...{ name: `${INSTANCE}-${name}`, Image: 'busybox', Labels, Cmd: ['sleep', '600'] },
      HostConfig: { Init: true, Binds: [`${volume}:/data`] },
    });
  const one = await create('one');
  const two = await create('two');
  await agrees(lists, 'containers are made');
  await one.start();
  await two.start();
  await agrees(lists, 'they are started');
  await network.connect({ Container: one.id });
  await agrees(lists, 'one joins a network');
  await two.pause();
  await agrees(lists, 'one is paused');
  await one.rename({ name: `${INSTANCE}-other` });
  await agrees(lists, 'one has another name');
  await network.disconnect({ Container: one.id });
  await two.unpause();
  await one.stop({ t: 0 });
  await agrees(lists, 'one leaves the network and stops');
  await two.kill();
  await agrees(lists, 'one is killed');
  const changes = Object.entries(Labels).map(([key, value]) => `LABEL ${key}=${value}`);
  await one.commit({ repo: INSTANCE, tag: 'first', changes: changes.join('\n') });
  await agrees(lists, 'an image is made');
  await docker.getImage(`${INSTANCE}:first`).tag({ repo: INSTANCE, tag: 'second' });
  await docker.getImage(`${INSTANCE}:first`).remove();
  await agrees(lists, 'a tag is moved');
  await one.remove();
  await two.remove();
  await docker.getVolume(volume).remove();
  await network.remove();
  await agrees(lists, 'all but a volume and an image is removed');
  expect(engine.whole()).toBe(before);
});

it('ask for all after a time in which nothing told of a change', async () => {
  const engine = counted();
  const lists = engineLists(engine.docker, { label, wholeMs: 0 });
  open.push(lists);
  await lists.read();
  await lists.read();
  expect(engine.whole()).toBe(2);
});
