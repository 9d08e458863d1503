/** Lines that containers print, on their way to where logs are kept together. Pure. */
import type { PreviewKey } from './preview.ts';

/** A container that prints. */
export interface Printing extends PreviewKey {
  /** The engine's id. */
  readonly container: string;
  readonly service: string;
  readonly commit: string;
  readonly running: boolean;
}

export interface PrintedLine {
  /** As the engine noted it: RFC 3339, to the nanosecond, in UTC. */
  readonly at: string;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

/** How a line is written for who takes it. */
export type Frame = (of: Printing, line: PrintedLine) => Buffer;

/** Severities of RFC 5424, table 2, which GELF's levels are too. */
export const SEVERITY = { stdout: 6, stderr: 3 } as const;

/** Where lines go. */
export interface ShipTo {
  readonly format: 'syslog' | 'gelf';
  readonly host: string;
  readonly port: number;
  /** Certificates are checked. */
  readonly tls: boolean;
}
