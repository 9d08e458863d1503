/** `treehouse up` from dist as a process beside the bench: started, waited for, looked at and stopped. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { shell } from './commands.ts';

/** Of the webhooks that such a server takes. */
export const SECRET = 'bench';
/** Of its API. */
export const TOKEN = 'bench';
const READY_WITHIN_MS = 30_000;
const STOP_WITHIN_MS = 90_000;
const LOOK_EVERY_MS = 40;

export interface ServerOptions {
  /** The project's folder. */
  readonly root: string;
  readonly config: string;
  /** Where its output goes. */
  readonly log: string;
  readonly home: string;
  readonly port: number;
  readonly gatewayPort: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Does not wait until it is ready. */
export function startServer({ root, config, log, home, port, gatewayPort, env }: ServerOptions): Promise<ChildProcess> {
  return start(root, config, log, {
    TREEHOUSE_HOME: home,
    TREEHOUSE_PORT: String(port),
    TREEHOUSE_GATEWAY_PORT: String(gatewayPort),
    TREEHOUSE_WEBHOOK_SECRET: SECRET,
    TREEHOUSE_ADMIN_TOKEN: TOKEN,
    TREEHOUSE_SWEEP: '86400',
    TREEHOUSE_API_RATE: '1000000',
    ...env,
  });
}

/** A session of its own, so that a Ctrl-C in the terminal reaches only the bench, which stops it in its turn. */
async function start(
  root: string,
  config: string,
  log: string,
  env: Readonly<Record<string, string>>,
): Promise<ChildProcess> {
  const file = await open(log, 'a');
  try {
    const child = spawn(process.execPath, [path.join(root, 'dist/cli.js'), '--config', config, 'up'], {
      cwd: path.dirname(config),
      env: { ...shell(), ...env },
      stdio: ['ignore', file.fd, file.fd],
      detached: true,
    });
    await once(child, 'spawn');
    return child;
  } finally {
    await file.close();
  }
}

/** @throws with the end of its output where it is not ready in time. */
export async function ready(url: string, child: ChildProcess, log: string): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS;
  for (;;) {
    const answer = await fetch(`${url}readyz`).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer?.ok) return;
    if (child.exitCode !== null || performance.now() > deadline) {
      throw new Error(`treehouse up is not ready:\n${(await readFile(log, 'utf8')).slice(-2_000)}`);
    }
    await delay(LOOK_EVERY_MS);
  }
}

/** Asks once, as a second time would leave the previews behind. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const late = new AbortController();
  const inTime = await Promise.race([
    exited.then(() => true),
    delay(STOP_WITHIN_MS, false, { signal: late.signal }).catch(() => false),
  ]);
  late.abort();
  if (inTime) return;
  child.kill('SIGKILL');
  throw new Error(`treehouse up did not end within ${STOP_WITHIN_MS / 1000} s and was killed`);
}

/** Bytes. */
export async function residentMemory(child: ChildProcess): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) * 1024;
}

/** Of the kernel's clock that /proc counts in (`getconf CLK_TCK`, 100 on every Linux that Node runs on). */
const MS_PER_TICK = 10;

/** Milliseconds of processor time so far, with that of the programs that it ran and that ended. */
export async function cpuTime(child: ChildProcess): Promise<number> {
  const stat = await readFile(`/proc/${child.pid}/stat`, 'utf8');
  // The name in brackets may hold spaces; utime, stime, cutime and cstime are the 14th to 17th (proc_pid_stat(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, one) => sum + Number(one), 0) * MS_PER_TICK;
}
