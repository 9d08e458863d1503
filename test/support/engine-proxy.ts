/** The socket proxy of docker-compose.yml as a process of this machine: HAProxy with the configuration that is installed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readlink } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from './redis.ts';

const CONFIG = fileURLToPath(new URL('../../templates/install/engine-proxy.cfg', import.meta.url));

export interface EngineProxy {
  /** `host:port` of the listener that reads, and of the worker's. */
  readonly reads: string;
  readonly works: string;
  /** What it logged: each request that it refused. */
  readonly refused: readonly string[];
  /** Connections that it holds, of both sides. */
  open(): Promise<number>;
  stop(): Promise<void>;
}

export async function startEngineProxy(home: string, memory = '/run/treehouse-0'): Promise<EngineProxy> {
  const [reads, works] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const env = { READS: reads, WORKS: works, SOCKET: '/var/run/docker.sock', HOME_FOLDER: home, MEMORY_FOLDER: memory };
  const child = spawn('haproxy', ['-f', CONFIG], {
    env: { PATH: `${process.env.PATH}:/usr/sbin`, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const refused: string[] = [];
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    refused.push(...text.split('\n').filter((line) => line.includes(' refused: ')));
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  for (;;) {
    const answer = await fetch(`http://${reads}/_ping`).catch(() => undefined);
    if (answer?.ok) break;
    if (child.exitCode !== null) throw new Error(`haproxy ended: ${said}`);
    await delay(50);
  }
  return {
    ...{ reads, works, refused },
    async open() {
      const folder = `/proc/${child.pid}/fd`;
      const links = await Promise.all(
        (await readdir(folder)).map((one) => readlink(`${folder}/${one}`).catch(() => '')),
      );
      return links.filter((one) => one.startsWith('socket:')).length;
    },
    async stop() {
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}
