/** Where a value comes in: standard input, or a prompt that shows nothing of it. Never the command line, which anyone can list. */
import type { ReadStream } from 'node:tty';
import { TreehouseError } from '../errors.ts';
import { MAX_BYTES } from './store.ts';

export type ValueInput = NodeJS.ReadableStream & Partial<Pick<ReadStream, 'isTTY' | 'setRawMode'>>;

/** The line end of a value of one line is left out; of several lines (a key, a certificate) all is kept. */
export async function readValue(input: ValueInput, prompt: (text: string) => void): Promise<Buffer> {
  const bytes = input.isTTY === true ? await typed(input, prompt) : await piped(input);
  const text = bytes.toString('latin1');
  const line = text.replace(/\r?\n$/, '');
  return Buffer.from(/[\r\n]/.test(line) ? text : line, 'latin1');
}

async function piped(input: ValueInput): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of input) {
    chunks.push(Buffer.from(chunk));
    size += chunks.at(-1)?.length ?? 0;
    if (size > MAX_BYTES + 2) throw new TreehouseError('bad-config', `the value is longer than ${MAX_BYTES / 1024} kB`);
  }
  return Buffer.concat(chunks);
}

async function typed(input: ValueInput, prompt: (text: string) => void): Promise<Buffer> {
  prompt('Value (not shown): ');
  input.setRawMode?.(true);
  let value: number[] = [];
  try {
    for await (const chunk of input) {
      for (const byte of Buffer.from(chunk)) {
        // Ctrl-C, Ctrl-D, Enter, Backspace and Ctrl-U, which a raw terminal leaves to us.
        if (byte === 0x03) throw new TreehouseError('stopped', 'nothing was set');
        if (byte === 0x0d || byte === 0x0a || byte === 0x04) return Buffer.from(value);
        if (byte === 0x7f || byte === 0x08) value = value.slice(0, startOfLast(value));
        else if (byte === 0x15) value = [];
        else value.push(byte);
      }
    }
    return Buffer.from(value);
  } finally {
    input.setRawMode?.(false);
    prompt('\n');
  }
}

/** A character of UTF-8 may be several bytes. */
function startOfLast(value: readonly number[]): number {
  let at = value.length - 1;
  while (at > 0 && ((value[at] ?? 0) & 0xc0) === 0x80) at -= 1;
  return Math.max(0, at);
}
