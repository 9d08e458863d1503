/** What is said over the WebSocket of a command: text is JSON, and bytes are bytes. See docs/api.md. */
import { z } from 'zod';
import type { OutputPiece } from '../domain/exec.ts';

/** Bytes of all words of a command. */
const COMMAND_MAX = 64 * 1024;

const count = z.int().min(1).max(10_000);
const terminal = z.strictObject({ columns: count, rows: count });

/** The first message of a client. */
export const startSchema = z.strictObject({
  type: z.literal('start'),
  command: z
    .array(z.string().refine((word) => !word.includes('\0'), 'no word of a command holds a NUL'))
    .min(1)
    .max(1_000)
    .refine((words) => words.join('').length <= COMMAND_MAX, `a command has at most ${COMMAND_MAX / 1024} kB`)
    .refine((words) => words[0] !== '', 'the first word names a program'),
  terminal: terminal.nullable().default(null),
});

/** Any later one; what it types comes as bytes. */
export const laterSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('resize'), ...terminal.shape }),
  z.strictObject({ type: z.literal('end') }),
]);

/** The last message of a server. */
export type Ended =
  | { readonly type: 'exit'; readonly code: number }
  /** It did not begin, or was ended; `detail` says why. */
  | { readonly type: 'failed'; readonly detail: string };

const CHANNELS = { stdout: 1, stderr: 2 } as const;

/** A byte that says where it goes, then the output itself. */
export function encodeOutput({ channel, data }: OutputPiece): Uint8Array {
  const whole = new Uint8Array(data.length + 1);
  whole[0] = CHANNELS[channel];
  whole.set(data, 1);
  return whole;
}

export function decodeOutput(message: Uint8Array): OutputPiece {
  return { channel: message[0] === CHANNELS.stderr ? 'stderr' : 'stdout', data: message.subarray(1) };
}

/** Undefined where it is no JSON. */
export function readJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
