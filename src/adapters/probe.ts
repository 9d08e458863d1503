/** Tries a TCP port until something accepts. */
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Probe } from '../domain/ports.ts';
import { abortReason } from '../errors.ts';

const EVERY = 25;
const GIVE_UP_ONE = 1_000;

export const tcpProbe: Probe = {
  listening: (host, port, signal) => untilListening(signal, () => accepts(host, port)),
};

/** Asks again and again until it does. @throws where the signal is aborted first */
export async function untilListening(signal: AbortSignal, accepts: () => Promise<boolean>): Promise<void> {
  for (;;) {
    if (signal.aborted) throw abortReason(signal);
    if (await accepts()) return;
    await delay(EVERY);
  }
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: GIVE_UP_ONE });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}
