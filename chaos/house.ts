/** The Treehouse under test: one process or several, as its users start them, that can be killed in whole and in parts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ownParts } from './parts.ts';
import { service } from './service.ts';

/** The programs beside Treehouse. */
export const PARTS = ['redis', 'nginx', 'registry'] as const;
export type Part = (typeof PARTS)[number];

export interface HouseOptions {
  /** The project, built. */
  readonly root: string;
  /** Its home is in it, beside its log. */
  readonly folder: string;
  readonly logs: string;
  readonly dockerHost: string;
  readonly secret: string;
  /** The whole of treehouse.yml. */
  readonly config: Readonly<Record<string, unknown>>;
  /** An installation of several processes, two of them workers, instead of an `up`. */
  readonly isSeveral: boolean;
}

export interface House {
  readonly home: string;
  readonly url: string;
  readonly gatewayPort: number;
  readonly domain: string;
  /** Resolves when it answers, and no process of it is missing. */
  start(): Promise<void>;
  /** Resolves when it is gone; its children may live on. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  /** As `end`, with all that was started beside it. */
  stop(): Promise<void>;
  /** Kills one of its processes, which is started again. @param which the remainder by their number is taken */
  killProcess(which: number): void;
  /** Kills what runs as this part. @returns whether there was any. */
  killPart(part: Part): Promise<boolean>;
  /** Sets the time of day that Treehouse sees off by this. */
  setClock(offsetMs: number): void;
  /** Its Redis begins with nothing. Only while it is ended. */
  wipeRedis(): Promise<void>;
}

const PORT = 4000;
const GATEWAY_PORT = 8080;
const DOMAIN = 'preview.localhost';
const READY_WITHIN_MS = 60_000;

export async function makeHouse(options: HouseOptions): Promise<House> {
  const home = path.join(options.folder, 'home');
  const config = path.join(options.logs, 'treehouse.yml');
  const clock = path.join(options.logs, 'clock');
  await mkdir(home, { recursive: true, mode: 0o700 });
  await writeFile(
    config,
    JSON.stringify({ home, port: PORT, gatewayPort: GATEWAY_PORT, domain: DOMAIN, ...options.config }),
  );
  writeFileSync(clock, '0');
  const log = openSync(path.join(options.logs, 'treehouse.log'), 'a');
  const url = `http://127.0.0.1:${PORT}`;
  const parts = options.isSeveral ? ownParts(home, log) : undefined;
  const kinds = options.isSeveral ? ['serve', 'worker', 'worker', 'gateway'] : ['up'];
  const own = kinds.map((kind, index) => service(() => launch(kind, PORT + 10 * index)));

  async function start(): Promise<void> {
    const deadline = performance.now() + READY_WITHIN_MS;
    for (const one of [parts?.redis, parts?.registry, ...own]) one?.start();
    while (performance.now() < deadline) {
      const isWell = await fetch(`${url}/healthz`).then(
        (answer) => answer.ok,
        () => false,
      );
      if (isWell && own.every((one) => one.isRunning())) return;
      await delay(100);
    }
    throw new Error(`Treehouse does not start; its log is ${path.join(options.logs, 'treehouse.log')}`);
  }

  function launch(kind: string, port: number): ChildProcess {
    const preload = path.join(options.root, 'chaos', 'clock.mjs');
    const main = path.join(options.root, 'dist', 'cli.js');
    const args = ['--import', preload, main, '--config', config, kind, ...(kind === 'up' ? ['--json'] : [])];
    return spawn(process.execPath, args, {
      cwd: options.folder,
      env: {
        PATH: process.env.PATH ?? '',
        HOME: process.env.HOME ?? '/root',
        DOCKER_HOST: options.dockerHost,
        TREEHOUSE_PORT: String(port),
        TREEHOUSE_WEBHOOK_SECRET: options.secret,
        CHAOS_CLOCK: clock,
        ...parts?.env,
      },
      stdio: ['ignore', log, log],
    });
  }

  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    await Promise.all(own.map((one) => one.end(signal)));
  };

  return {
    home,
    url,
    gatewayPort: GATEWAY_PORT,
    domain: DOMAIN,
    start,
    end,
    async stop() {
      await end('SIGTERM');
      await Promise.all([parts?.redis.end('SIGTERM'), parts?.registry.end('SIGTERM')]);
    },
    killProcess: (which) => own[which % own.length]?.send('SIGKILL'),
    async killPart(part) {
      const found = await pidsIn(path.join(home, part));
      for (const pid of found) process.kill(pid, 'SIGKILL');
      return found.length > 0;
    },
    setClock(offsetMs) {
      writeFileSync(clock, String(offsetMs));
      for (const one of own) one.send('SIGUSR2');
    },
    wipeRedis: async () => {
      await parts?.redis.end('SIGKILL');
      for (const pid of await pidsIn(path.join(home, 'redis'))) process.kill(pid, 'SIGKILL');
      await rm(path.join(home, 'redis'), { recursive: true, force: true });
    },
  };
}

/** Processes that work in a folder, which Treehouse's parts do; the eldest alone where it leads others, as nginx's master. */
async function pidsIn(folder: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => ((await readlink(`/proc/${pid}/cwd`).catch(() => '')) === folder ? [Number(pid)] : [])),
  );
  return found
    .flat()
    .sort((a, b) => a - b)
    .slice(0, 1);
}
