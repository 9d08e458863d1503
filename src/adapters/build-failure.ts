/** Why a build failed, in words for its developer. */
import { TreehouseError } from '../errors.ts';

export function buildFailure(told: {
  /** The builder's last word. */
  readonly said: string;
  /** What it and its steps said before. */
  readonly log?: string;
  readonly cause?: unknown;
}): TreehouseError {
  const { said, log = '', cause } = told;
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
