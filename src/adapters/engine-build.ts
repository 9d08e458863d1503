/** Builds by the engine's own API, which spends a third of buildx's time on a small change; what it cannot say is left to buildx. */
import type { IncomingMessage } from 'node:http';
import type Docker from 'dockerode';
import type { Builder, BuildTarget, OnLine } from '../domain/ports.ts';
import { abortReason, TreehouseError } from '../errors.ts';
import { type BuildContext, contextOf } from './build-context.ts';
import { buildFailure } from './build-failure.ts';
import { buildProgress } from './build-progress.ts';
import { away, engineText, statusOf } from './engine-errors.ts';

/** One builder: by the API where that can say it, else by `buildx`. */
export function engineBuilder(docker: Docker, buildx: Builder): Builder {
  return {
    async build({ root, targets, onLine, signal }) {
      const contexts = await Promise.all(targets.map((one) => contextOf(root, one.build)));
      const failed = new AbortController();
      const either = AbortSignal.any([signal, failed.signal]);
      const rest = targets.filter((_, index) => contexts[index] === undefined);
      const work = targets.flatMap((target, index) => {
        const context = contexts[index];
        if (!context) return [];
        const say: OnLine = targets.length === 1 ? onLine : (line) => onLine(line, target.service);
        return [buildOne(docker, target, context, say, either)];
      });
      if (rest.length > 0) work.push(buildx.build({ root, targets: rest, onLine, signal: either }));
      for (const one of work) one.catch((error: unknown) => failed.abort(error));
      await Promise.allSettled(work);
      if (signal.aborted) throw abortReason(signal);
      failed.signal.throwIfAborted();
    },
  };
}

async function buildOne(
  docker: Docker,
  target: BuildTarget,
  context: BuildContext,
  onLine: OnLine,
  signal: AbortSignal,
): Promise<void> {
  const { build } = target;
  try {
    const stream = await post(docker, context, signal, {
      // BuildKit.
      version: '2',
      t: target.reference,
      dockerfile: context.dockerfile,
      buildargs: build.args,
      labels: target.labels,
      ...(build.target === undefined ? {} : { target: build.target }),
      ...(build.noNetwork ? { networkmode: 'none' } : {}),
    });
    await follow(stream, onLine, signal);
  } catch (cause) {
    if (signal.aborted) throw abortReason(signal);
    if (cause instanceof TreehouseError) throw cause;
    // Not answered at all: what a build has to say comes in the answer.
    throw statusOf(cause) === undefined ? away('building', cause) : buildFailure({ said: engineText(cause), cause });
  }
}

/** Not dockerode's own `buildImage`, which opens a session beside it that nothing closes where the build is refused. */
function post(docker: Docker, context: BuildContext, signal: AbortSignal, options: object): Promise<IncomingMessage> {
  const request = {
    path: '/build?',
    method: 'POST',
    file: context.body(),
    options,
    abortSignal: signal,
    isStream: true,
    statusCodes: { 200: true, 400: 'bad parameter', 500: 'server error' },
  };
  return new Promise((resolve, reject) => {
    docker.modem.dial(request, (error: unknown, stream: unknown) => {
      if (error) reject(error);
      else resolve(stream as IncomingMessage);
    });
  });
}

/** Of the log, in which the cause of a failure is looked for. */
const TAIL_LINES = 50;

interface Message {
  readonly id?: string;
  readonly aux?: unknown;
  readonly error?: string;
  readonly stream?: string;
}

async function follow(stream: IncomingMessage, onLine: OnLine, signal: AbortSignal): Promise<void> {
  const tail: string[] = [];
  const progress = buildProgress((line) => {
    tail.push(line);
    if (tail.length > TAIL_LINES) tail.shift();
    onLine(line);
  });
  const abort = () => stream.destroy();
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  let failure: string | undefined;
  try {
    let rest = '';
    for await (const chunk of stream.setEncoding('utf8')) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line.trim() === '') continue;
        const message = JSON.parse(line) as Message;
        if (message.id === 'moby.buildkit.trace' && typeof message.aux === 'string') progress.take(message.aux);
        failure ??= message.error;
      }
    }
  } finally {
    signal.removeEventListener('abort', abort);
    progress.finish();
  }
  if (signal.aborted) throw abortReason(signal);
  if (failure === undefined) return;
  onLine(`ERROR: ${failure}`);
  throw buildFailure({ said: failure, log: tail.join('\n') });
}
