/** Why a build failed, in words for its developer. */
import { TreehouseError } from '../errors.ts';
import { saysDiskFull } from './engine-errors.ts';

/** Last words of an engine that is stopped or killed in the middle (gRPC's codes, BuildKit's client). A step's own words are quoted, not last. */
const ENGINE_ENDED =
  /: context canceled(?:: context canceled)*$|code = (?:Unavailable|Canceled) desc = [^\n]*$|Cannot connect to the Docker daemon at [^\n]*$/;

export function buildFailure(told: {
  /** The builder's last word. */
  readonly said: string;
  /** What it and its steps said before. */
  readonly log?: string;
  readonly cause?: unknown;
}): TreehouseError {
  const { said, log = '', cause } = told;
  if (saysDiskFull(`${log}\n${said}`)) {
    const text = 'the disk is full, so the images could not be built; free some space, and it is tried again';
    return new TreehouseError('disk-full', text, { kind: 'transient', cause });
  }
  if (ENGINE_ENDED.test(said.trim())) {
    const text = `the engine went away while the images were built: ${lastLine(said)}`;
    return new TreehouseError('engine-away', text, { kind: 'transient', cause });
  }
  return new TreehouseError('build-failed', lastLine(said).replace(/^(?:ERROR: )?(?:failed to solve: )?/, ''), {
    cause,
  });
}

export function lastLine(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.findLast((line) => line !== '') ?? 'it said nothing';
}
