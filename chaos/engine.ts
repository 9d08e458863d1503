/** A Docker engine of this run alone, that can be killed as a whole and started again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync } from 'node:fs';
import { readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Dockerode from 'dockerode';
import { command, linesOf } from './commands.ts';

export interface PrivateEngine {
  /** As DOCKER_HOST. */
  readonly host: string;
  /** Its API, for what is asked several times a second: a program for each answer would take the processors from what is tested. */
  readonly api: Dockerode;
  /** The lines that `docker` prints. */
  docker(...args: readonly string[]): Promise<string[]>;
  kill(): Promise<void>;
  /** As where the power fails: all that it ran ends with it, and what it keeps in memory is gone. */
  losePower(): Promise<void>;
  /** Does nothing where it runs. @throws where it does not answer within a minute. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const ANSWERS_WITHIN_MS = 60_000;

/** @param data on the file system that is filled; `run` is elsewhere, as `/run` is */
export async function startEngine(folders: { readonly data: string; readonly run: string }): Promise<PrivateEngine> {
  mkdirSync(folders.data, { recursive: true });
  mkdirSync(folders.run, { recursive: true });
  const socket = path.join(folders.run, 'docker.sock');
  const host = `unix://${socket}`;
  const log = openSync(path.join(folders.run, 'dockerd.log'), 'a');
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    if (child && child.exitCode === null && child.signalCode === null) return;
    const args = ['--data-root', path.join(folders.data, 'docker'), '--exec-root', path.join(folders.run, 'exec')];
    args.push('--pidfile', path.join(folders.run, 'docker.pid'), '--host', host, '--config-file', '/dev/null');
    args.push('--default-address-pool', 'base=10.214.0.0/16,size=27');
    await rm(path.join(folders.run, 'docker.pid'), { force: true });
    const started = spawn('dockerd', args, { stdio: ['ignore', log, log] });
    child = started;
    const until = performance.now() + ANSWERS_WITHIN_MS;
    while (performance.now() < until) {
      if (started.exitCode !== null || started.signalCode !== null) break;
      if (await docker('version', '--format', '{{.Server.Version}}').catch(() => undefined)) return;
      await delay(100);
    }
    throw new Error(`dockerd does not answer; its log is ${path.join(folders.run, 'dockerd.log')}`);
  }

  async function docker(...args: readonly string[]): Promise<string[]> {
    return linesOf(await command('docker', args, { env: { DOCKER_HOST: host, HOME: '/nonexistent' } }));
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  await start();
  return {
    host,
    api: new Dockerode({ socketPath: socket }),
    docker,
    start,
    kill: () => end('SIGKILL'),
    async losePower() {
      await end('SIGKILL');
      const shims = await command('pgrep', ['-f', `containerd-shim.*${folders.run}`]).catch(() => '');
      for (const pid of linesOf(shims)) process.kill(Number(pid), 'SIGKILL');
      await endContained();
      await rm(path.join(folders.run, 'exec'), { recursive: true, force: true }).catch(() => undefined);
    },
    stop: () => end('SIGTERM'),
  };
}

/** Ends what runs in containers: whatever is in another process namespace than this program. */
async function endContained(): Promise<void> {
  const namespaceOf = (pid: string): Promise<string> => readlink(`/proc/${pid}/ns/pid`).catch(() => '');
  const own = await namespaceOf('self');
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const namespace = await namespaceOf(pid);
    if (namespace === '' || namespace === own) continue;
    const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      continue; // It has ended by itself.
    }
    // What is paused by control groups of version 1 ends only once it may go on.
    const group = /^\d+:freezer:(.+)$/m.exec(groups)?.[1];
    if (group) await writeFile(`/sys/fs/cgroup/freezer${group}/freezer.state`, 'THAWED').catch(() => undefined);
  }
}
