/** Runs one process of an installation until a signal ends it: the first lets it finish what runs, the second does not. */
import { once } from 'node:events';
import type { Config } from './config.ts';
import { createLogger, type Logger } from './log.ts';
import { type Process, startGateway, startServing, startWalls, startWorking } from './processes.ts';

export type Kind = 'serve' | 'worker' | 'gateway' | 'walls';

/** @throws {TreehouseError} that names what is missing and the way out. */
export async function run(kind: Kind, config: Config): Promise<void> {
  const log = createLogger({ level: config.logLevel }).child({ process: kind });
  const stopping = new AbortController();
  const asked = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]).then(() => stopping.abort());
  const running = await start(kind, config, log, stopping.signal).catch((error: unknown) => {
    // It was ended while it waited for others.
    if (!stopping.signal.aborted) throw error;
  });
  if (!running) return;
  log.info('it runs');
  await asked;
  log.info({ seconds: config.stopLimit }, 'stopping: what runs is given time to end');
  const again = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  await Promise.race([running.drain(config.stopLimit * 1000), again]);
  await running.stop();
}

function start(kind: Kind, config: Config, log: Logger, signal: AbortSignal): Promise<Process> {
  switch (kind) {
    case 'serve':
      return startServing(config, log, signal);
    case 'worker':
      return startWorking(config, log, signal);
    case 'gateway':
      return startGateway(config, log, signal);
    case 'walls':
      return startWalls(config, log);
    default:
      return kind satisfies never;
  }
}
