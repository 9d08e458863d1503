/** Commands that people run in containers. */
import type { Writable } from 'node:stream';

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export interface ExecRequest {
  /** Word by word, without a shell. */
  readonly command: readonly string[];
  /** Undefined: without a terminal, so that output and errors are apart. */
  readonly terminal: TerminalSize | undefined;
}

export interface OutputPiece {
  /** With a terminal all is `stdout`. */
  readonly channel: 'stdout' | 'stderr';
  readonly data: Uint8Array;
}

/** A command that runs. */
export interface RunningExec {
  /** Until it ends; read no faster than it is asked for. */
  readonly output: AsyncIterable<OutputPiece>;
  /** Ending it ends the command's own input. */
  readonly input: Writable;
  resize(size: TerminalSize): Promise<void>;
  /** Undefined while it runs. */
  exitCode(): Promise<number | undefined>;
  /**
   * Ends it and all that it began, wherever that went in the container; nothing where it has ended.
   * @returns whether nothing of it is left
   */
  end(): Promise<boolean>;
}

export interface Shells {
  /** Begins a command as the container's user. @throws `start-failed`, or transient `engine-away`. */
  exec(container: string, request: ExecRequest): Promise<RunningExec>;
}
