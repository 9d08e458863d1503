/** The Treehouse under test: a process of its own, as its users start it, that can be killed in whole and in parts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** The parts that Treehouse runs beside itself. */
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
}

export interface House {
  readonly home: string;
  readonly url: string;
  readonly gatewayPort: number;
  readonly domain: string;
  start(): Promise<void>;
  /** Resolves when it is gone; its children may live on. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  isRunning(): boolean;
  /** Kills what Treehouse runs as this part. @returns whether there was any. */
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
  let child: ChildProcess | undefined;

  const isRunning = (): boolean => child !== undefined && child.exitCode === null && child.signalCode === null;

  async function start(): Promise<void> {
    const deadline = performance.now() + READY_WITHIN_MS;
    while (performance.now() < deadline) {
      // As a service manager does, also where a start fails since what it needs is not back yet.
      if (!isRunning()) launch();
      if (
        await fetch(`${url}/healthz`)
          .then((answer) => answer.ok)
          .catch(() => false)
      )
        return;
      await delay(100);
    }
    throw new Error(`Treehouse does not start; its log is ${path.join(options.logs, 'treehouse.log')}`);
  }

  function launch(): void {
    const preload = path.join(options.root, 'chaos', 'clock.mjs');
    const main = path.join(options.root, 'dist', 'cli.js');
    child = spawn(process.execPath, ['--import', preload, main, '--config', config, 'up', '--json'], {
      cwd: options.folder,
      env: {
        PATH: process.env.PATH ?? '',
        HOME: process.env.HOME ?? '/root',
        DOCKER_HOST: options.dockerHost,
        TREEHOUSE_WEBHOOK_SECRET: options.secret,
        CHAOS_CLOCK: clock,
      },
      stdio: ['ignore', log, log],
    });
  }

  return {
    home,
    url,
    gatewayPort: GATEWAY_PORT,
    domain: DOMAIN,
    start,
    isRunning,
    async end(signal) {
      if (!child || !isRunning()) return;
      const gone = once(child, 'exit');
      child.kill(signal);
      await gone;
    },
    async killPart(part) {
      const found = await pidsIn(path.join(home, part));
      for (const pid of found) process.kill(pid, 'SIGKILL');
      return found.length > 0;
    },
    setClock(offsetMs) {
      writeFileSync(clock, String(offsetMs));
      if (isRunning()) child?.kill('SIGUSR2');
    },
    wipeRedis: async () => {
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
