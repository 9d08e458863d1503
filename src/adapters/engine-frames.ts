/** The frames in which the engine sends output that no terminal shows (Docker Engine API, "Stream format"). */
import type { OutputPiece } from '../domain/exec.ts';

/** Bytes before each piece: its stream, three zeros, its length. */
export const HEADER = 8;
/** Where a header has them. */
const LENGTH_AT = 4;
const STDERR = 2;

/** What a header says of the piece behind it. */
export function readHeader(header: Buffer): { readonly channel: OutputPiece['channel']; readonly length: number } {
  return { channel: header[0] === STDERR ? 'stderr' : 'stdout', length: header.readUInt32BE(LENGTH_AT) };
}

/** Each piece once it is whole: of a log, one record. */
export async function* wholePieces(
  stream: AsyncIterable<unknown>,
): AsyncGenerator<OutputPiece & { readonly data: Buffer }> {
  let pending: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    pending = pending.length === 0 ? (chunk as Buffer) : Buffer.concat([pending, chunk as Buffer]);
    while (pending.length >= HEADER) {
      const { channel, length } = readHeader(pending);
      if (pending.length < HEADER + length) break;
      yield { channel, data: pending.subarray(HEADER, HEADER + length) };
      pending = pending.subarray(HEADER + length);
    }
  }
}
