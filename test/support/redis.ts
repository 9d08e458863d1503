/** A redis-server of a test's own, on a free loopback port, which can be paused, killed and started again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TestRedis {
  readonly url: string;
  /** Stops answering, keeps its connections (SIGSTOP). */
  pause(): void;
  resume(): void;
  /** Gone at once, as by `kill -9`. */
  kill(): Promise<void>;
  /** Comes back on the same port with what was appended to its file; empty where `keep` is false. */
  start(options?: { readonly keep?: boolean }): Promise<void>;
  /** Ends it and removes its files. */
  close(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export async function startRedis(): Promise<TestRedis> {
  const directory = await mkdtemp(join(tmpdir(), 'treehouse-redis-'));
  const port = await freePort();
  let child: ChildProcess | undefined;

  async function start(options: { readonly keep?: boolean } = {}): Promise<void> {
    if (options.keep === false) await rm(join(directory, 'appendonlydir'), { recursive: true, force: true });
    const flags = `--port ${port} --bind 127.0.0.1 --dir ${directory} --appendonly yes --appendfsync always --loglevel warning`;
    child = spawn('redis-server', [...flags.split(' '), '--save', ''], { stdio: 'ignore' });
    await answering(port);
  }

  async function kill(): Promise<void> {
    const ending = child;
    child = undefined;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    const ended = once(ending, 'exit');
    ending.kill('SIGKILL');
    await ended;
  }

  await start();
  const lastWill = () => child?.kill('SIGKILL');
  process.once('exit', lastWill);
  return {
    url: `redis://127.0.0.1:${port}`,
    pause: () => child?.kill('SIGSTOP'),
    resume: () => child?.kill('SIGCONT'),
    kill,
    start,
    close: async () => {
      process.off('exit', lastWill);
      await kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Resolves once something answers PING on the port. */
async function answering(port: number): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const answered = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
      socket.once('data', (data) => {
        resolve(data.toString().startsWith('+PONG'));
        socket.destroy();
      });
      socket.once('error', () => resolve(false));
    });
    if (answered) return;
    if (Date.now() > deadline) throw new Error(`redis-server did not answer on port ${port} within 10 s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
