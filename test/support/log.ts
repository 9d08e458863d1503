/** A logger that keeps what it is told. */
import { type Logger, pino } from 'pino';

export function keptLog(): { readonly log: Logger; readonly logged: Record<string, unknown>[] } {
  const logged: Record<string, unknown>[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void logged.push(JSON.parse(line)) });
  return { log, logged };
}
