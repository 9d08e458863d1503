/** Structured logs: a constant message and fields; child loggers bind the preview and the build. */
import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** JSON lines on `destination` (standard output unless told). Values under names that tell of secrets are left out. */
export function createLogger(options: { level: string; destination?: DestinationStream }): Logger {
  const settings = {
    level: options.level,
    base: null,
    redact: {
      paths: ['token', 'secret', 'password', 'authorization', '*.token', '*.secret', '*.password'],
      remove: true,
    },
  };
  return options.destination ? pino(settings, options.destination) : pino(settings);
}
