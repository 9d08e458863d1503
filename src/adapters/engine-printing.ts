/** What containers print, with the engine's times, and which containers there are to print. */
import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { LABEL } from '../domain/labels.ts';
import type { PrintedLine, Printing } from '../domain/shipping.ts';
import { orAway } from './engine-errors.ts';
import { wholePieces } from './engine-frames.ts';
import { keyOf } from './engine-labels.ts';

/** Of one line; what is longer comes in several. */
const LINE_MAX = 64 * 1024;

export function enginePrinting(docker: Docker, instance: string): () => Promise<readonly Printing[]> {
  const filters = JSON.stringify({ label: [`${LABEL.instance}=${instance}`] });
  return async () => {
    const all = await orAway('listing what prints', docker.listContainers({ all: true, filters }));
    return all.flatMap(({ Id: container, Labels: labels, State }): Printing[] => {
      const key = keyOf(labels);
      if (!key) return [];
      const service = labels[LABEL.service] ?? '';
      return [{ ...key, container, service, commit: labels[LABEL.commit] ?? '', running: State === 'running' }];
    });
  };
}

/** Each line after the time, as it comes, until the container stops. @throws transient `engine-away` */
export async function followPrinted(
  docker: Docker,
  container: string,
  after: string | undefined,
  onLine: (line: PrintedLine) => void,
  signal: AbortSignal,
): Promise<void> {
  const one = docker.getContainer(container);
  const { Tty: isTty } = (await orAway('reading a log', one.inspect())).Config;
  const since = after === undefined ? {} : { since: justAfter(after) };
  const stream = (await orAway(
    'reading a log',
    one.logs({ follow: true, stdout: true, stderr: true, timestamps: true, ...since }),
  )) as unknown as Readable;
  const abort = () => stream.destroy();
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  const take = { stdout: assembler('stdout', onLine), stderr: assembler('stderr', onLine) };
  const takeRaw = byLines(take.stdout);
  try {
    if (isTty) for await (const chunk of stream) takeRaw(chunk as Buffer);
    else for await (const { channel, data } of wholePieces(stream)) take[channel](data.toString());
  } catch (error) {
    if (!signal.aborted) await orAway('reading a log', Promise.reject(error));
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** The engine takes seconds with nanoseconds behind the point, and gives what is not before them. */
function justAfter(at: string): string {
  const [seconds = '', fraction = ''] = at.replace(/Z$/, '').split('.');
  const nanoseconds = BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9)) + 1n;
  return `${nanoseconds / 1_000_000_000n}.${String(nanoseconds % 1_000_000_000n).padStart(9, '0')}`;
}

/** Lines of records, each a time, a space and what was printed; a long line comes in several records, of which the last has an end. */
function assembler(stream: PrintedLine['stream'], onLine: (line: PrintedLine) => void): (record: string) => void {
  let at = '';
  let text = '';
  return (record) => {
    const space = record.indexOf(' ');
    if (space < 1) return;
    if (text === '') at = record.slice(0, space);
    text += record.slice(space + 1);
    if (!text.endsWith('\n') && text.length < LINE_MAX) return;
    onLine({ at, stream, text: text.replace(/\r?\n$/, '') });
    text = '';
  };
}

/** A terminal's output has no frames around its records. */
function byLines(take: (record: string) => void): (chunk: Buffer) => void {
  let pending: Buffer = Buffer.alloc(0);
  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    let from = 0;
    for (let end = pending.indexOf(0x0a); end !== -1; end = pending.indexOf(0x0a, from)) {
      take(pending.toString('utf8', from, end + 1));
      from = end + 1;
    }
    pending = Buffer.from(pending.subarray(Math.max(from, pending.length - LINE_MAX)));
  };
}
