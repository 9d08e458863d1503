/** What containers print: their logs, and commands that run in them. */
import { Readable } from 'node:stream';
import type Docker from 'dockerode';
import type { Engine, OnLine } from '../domain/ports.ts';
import { abortReason } from '../errors.ts';
import { away, failed, orAway } from './engine-errors.ts';
import { wholePieces } from './engine-frames.ts';
import { startHijacked } from './engine-hijack.ts';
import { lineSplitter } from './run-process.ts';

export async function readLogs(
  of: Docker.Container,
  options: Parameters<Engine['logs']>[1],
  onLine: OnLine,
  signal: AbortSignal,
): Promise<void> {
  const wanted = {
    ...{ stdout: true, stderr: true },
    ...(options.tail === undefined ? {} : { tail: options.tail }),
    ...(options.since === undefined ? {} : { since: (options.since / 1_000).toFixed(3) }),
  };
  const tty = (await orAway('reading a log', of.inspect())).Config.Tty;
  if (signal.aborted) return;
  const stream = options.follow
    ? ((await orAway('reading a log', of.logs({ ...wanted, follow: true }))) as unknown as Readable)
    : Readable.from([await orAway('reading a log', of.logs({ ...wanted, follow: false }))]);
  await readStream(stream, tty, onLine, signal);
}

/** @throws `start-failed` where the engine cannot begin it, and what the signal was aborted with. */
export async function execIn(
  docker: Docker,
  container: Docker.Container,
  command: readonly string[],
  onLine: OnLine,
  signal: AbortSignal,
): Promise<number> {
  const give = (cause: unknown): never => {
    throw failed(`running ${command[0]}`, cause, 'start-failed');
  };
  const exec = await container
    .exec({ Cmd: [...command], AttachStdout: true, AttachStderr: true, Tty: false })
    .catch(give);
  const stream = await startHijacked(docker, exec).catch(give);
  await readStream(stream, false, onLine, signal);
  if (signal.aborted) throw abortReason(signal);
  const { ExitCode: code } = await orAway('looking at a command', exec.inspect());
  if (code === null) throw away('running a command', new Error('the engine lost sight of it'));
  return code;
}

/** Reads to the end, or until the signal is aborted. @throws transient `engine-away` */
async function readStream(stream: Readable, tty: boolean, onLine: OnLine, signal: AbortSignal): Promise<void> {
  const lines = lineSplitter(onLine);
  const abort = () => stream.destroy();
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    if (tty) for await (const chunk of stream) lines.take(chunk as Buffer);
    else for await (const { data } of wholePieces(stream)) lines.take(data);
  } catch (error) {
    if (!signal.aborted) throw away('reading a log', error);
  } finally {
    signal.removeEventListener('abort', abort);
    lines.finish();
  }
}
