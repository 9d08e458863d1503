/** Why a build failed, in words for its developer. */
import { TreehouseError } from '../errors.ts';

/** Milliseconds that the images of one push may take. */
export const BUILD_TIMEOUT = 15 * 60_000;

export function buildFailure(told: {
  /** The builder's last word. */
  readonly said: string;
  /** What it and its steps said before. */
  readonly log?: string;
  readonly timedOut: boolean;
  readonly cause?: unknown;
}): TreehouseError {
  const { said, log = '', timedOut, cause } = told;
  if (timedOut) {
    const text = 'building the images took longer than 15 minutes and was ended';
    return new TreehouseError('build-failed', text, { cause });
  }
  if (/no space left on device/i.test(`${log}\n${said}`)) {
    const text = 'the disk is full, so the images could not be built; free some space, then redeploy';
    return new TreehouseError('disk-full', text, { kind: 'transient', cause });
  }
  return new TreehouseError('build-failed', lastLine(said).replace(/^ERROR: /, ''), { cause });
}

export function lastLine(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.findLast((line) => line !== '') ?? 'it said nothing';
}
