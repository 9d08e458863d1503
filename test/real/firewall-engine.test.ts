/** The rules hold while the engine writes its own: whenever it makes a network it takes some of them away for a moment. */
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { iptablesFirewall } from '../../src/adapters/firewall.ts';
import { docker, until } from '../support/treehouse.ts';

const run = promisify(execFile);
const NAME = `walls${process.pid}`;
/** Link-local, as a cloud's metadata are, and of a private network. */
const BEYOND = ['169.254.77.7', '198.18.77.7'];
const PORT = 8000;
const lan = ['netns', 'exec', NAME];
/** Opens thirty connections at once, again and again; prints how many it tried and how many opened. */
const TRY = `
import select, socket, sys, time
tried = opened = 0
for _ in range(150):
    all = [socket.socket() for _ in range(30)]
    for one in all:
        one.setblocking(False)
        one.connect_ex((sys.argv[1], int(sys.argv[2])))
    time.sleep(0.02)
    for one in all:
        tried += 1
        try:
            one.getpeername()
            opened += 1
        except OSError:
            pass
        one.close()
print(tried, opened)
`;
const LISTEN = `
import socket
listening = socket.create_server(('', ${PORT}), backlog=4096)
while True: listening.accept()[0].close()
`;

let outside: ReturnType<typeof spawn>;
let networks: readonly string[] = [];

async function ip(...args: readonly string[]): Promise<void> {
  await run('ip', [...args]);
}

async function starts(network: string, name: string): Promise<string> {
  await docker(
    'run',
    '-d',
    '--rm',
    '--name',
    `${NAME}-${name}`,
    '--network',
    network,
    'python:3-slim',
    'python3',
    '-c',
    LISTEN,
  );
  const [address] = await docker(
    ...['inspect', '-f', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', `${NAME}-${name}`],
  );
  return address ?? '';
}

async function tries(from: string, address: string): Promise<{ tried: number; opened: number }> {
  const [said = ''] = await docker('exec', `${NAME}-${from}`, 'python3', '-c', TRY, address, String(PORT));
  const [tried = 0, opened = 0] = said.split(' ').map(Number);
  return { tried, opened };
}

beforeAll(async () => {
  await iptablesFirewall({ searchPath: '/usr/sbin:/sbin:/usr/bin:/bin', egress: 'internet' }).ensure();
  networks = ['own', 'neighbour', 'plain'].map((one) => `${NAME}-${one}`);
  for (const [at, network] of networks.entries()) {
    // The host's admin has networks, too.
    const bridge = at === 2 ? `pl${process.pid}` : `th${process.pid}x${at}`;
    await docker('network', 'create', '-o', `com.docker.network.bridge.name=${bridge}`, network);
  }
  // What is beyond the host: a network namespace at the other end of a cable.
  const [here, there] = [`wa${process.pid}`, `wb${process.pid}`];
  await ip('netns', 'add', NAME);
  await ip('link', 'add', here, 'type', 'veth', 'peer', 'name', there);
  await ip('link', 'set', there, 'netns', NAME);
  await ip('link', 'set', here, 'up');
  await ip(...lan, 'ip', 'link', 'set', there, 'up');
  for (const address of BEYOND) {
    await ip(...lan, 'ip', 'addr', 'add', `${address}/32`, 'dev', there);
    await ip('route', 'add', `${address}/32`, 'dev', here);
  }
  await ip(...lan, 'ip', 'route', 'add', 'default', 'dev', there);
  outside = spawn('ip', [...lan, 'python3', '-c', LISTEN], { stdio: 'ignore' });
});
afterAll(async () => {
  outside?.kill();
  const all = await docker('ps', '-q', '--filter', `name=${NAME}-`);
  if (all.length > 0) await docker('rm', '-f', ...all);
  for (const one of networks) await docker('network', 'rm', one).catch(() => undefined);
  // The cable and its routes go with it.
  await ip('netns', 'del', NAME);
});

it('while networks come and go, nothing opens from a preview to a neighbour, another network, the LAN or the cloud', async () => {
  const [own = '', ...others] = [
    await starts(networks[0] ?? '', 'own'),
    await starts(networks[1] ?? '', 'neighbour'),
    await starts(networks[2] ?? '', 'plain'),
  ];
  await starts(networks[0] ?? '', 'client');
  for (const address of BEYOND) {
    await until(`${address} listens`, async () =>
      (await run('python3', ['-c', TRY, address, String(PORT)])).stdout.includes(' 4500'),
    );
  }
  let made = 0;
  let isOver = false;
  const making = (async () => {
    for (; !isOver && made < 1_000; made++) {
      await docker('network', 'create', `${NAME}-more`);
      await docker('network', 'rm', `${NAME}-more`);
    }
  })();
  const outcomes = await Promise.all(
    [own, ...others, ...BEYOND].map(async (address) => [address, await tries('client', address)] as const),
  );
  isOver = true;
  await making;
  expect(made).toBeGreaterThan(5);
  // Services of one network reach each other all the while.
  const [first, ...rest] = outcomes.map(([, one]) => one);
  expect(first).toEqual({ tried: 4_500, opened: 4_500 });
  expect(rest).toEqual(rest.map(() => ({ tried: 4_500, opened: 0 })));
});
