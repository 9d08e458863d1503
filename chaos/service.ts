/** Programs that are started again whenever they end, as a service manager does. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

export interface Service {
  /** Does nothing where it runs. */
  start(): void;
  isRunning(): boolean;
  /** Does nothing where it does not run. */
  send(signal: NodeJS.Signals): void;
  /** Ends it, and keeps it from being started again. Resolves when it is gone; its children may live on. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
}

const AGAIN_AFTER_MS = 200;

export function service(launch: () => ChildProcess): Service {
  let child: ChildProcess | undefined;
  let isWanted = false;
  const isRunning = (): boolean => child !== undefined && child.exitCode === null && child.signalCode === null;

  function start(): void {
    isWanted = true;
    if (isRunning()) return;
    child = launch();
    child.once('exit', () => {
      setTimeout(() => {
        if (isWanted) start();
      }, AGAIN_AFTER_MS);
    });
  }

  return {
    start,
    isRunning,
    send(signal) {
      if (isRunning()) child?.kill(signal);
    },
    async end(signal) {
      isWanted = false;
      if (!child || !isRunning()) return;
      const gone = once(child, 'exit');
      child.kill(signal);
      await gone;
    },
  };
}
