/** Steady load: clients that keep their connection, and deliveries at a rate. */
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

export interface Question {
  readonly host: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly agent?: Agent;
}

/** @returns the status of the answer, once all of it is there */
export function ask(port: number, question: Question): Promise<number> {
  const { host, method = 'GET', path = '/', headers = {}, body, agent = false } = question;
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, method, path, agent, headers: { ...headers, host } }, (answer) => {
      answer.resume();
      answer.once('end', () => resolve(answer.statusCode ?? 0));
      answer.once('error', reject);
    });
    asked.once('error', reject);
    asked.end(body);
  });
}

/** What goes on until it is ended. */
export interface SteadyLoad {
  /** @returns the status of each answer, 0 where there was none; printed by number where TEST_FIGURES is set */
  end(): Promise<{ readonly deliveries: readonly number[]; readonly visits: readonly number[] }>;
}

/** Visits by clients that keep their connection and never pause, and deliveries at a rate beside them. */
export function steadyLoad(of: {
  readonly port: number;
  readonly host: string;
  readonly visitors: number;
  readonly perSecond: number;
  readonly deliver: () => Promise<number>;
}): SteadyLoad {
  const over = new AbortController();
  const visiting = Array.from({ length: of.visitors }, () => visits(of.port, of.host, over.signal));
  const delivering = deliveries(of.perSecond, of.deliver, over.signal);
  return {
    async end() {
      over.abort();
      const seen = { deliveries: await delivering, visits: (await Promise.all(visiting)).flat() };
      if (process.env.TEST_FIGURES) console.log(seen.deliveries.length, 'deliveries,', seen.visits.length, 'visits');
      return seen;
    },
  };
}

/** One client with one connection, until it is told to end. */
async function visits(port: number, host: string, signal: AbortSignal): Promise<readonly number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const seen: number[] = [];
  while (!signal.aborted) {
    seen.push(await ask(port, { host, agent }).catch(() => 0));
    await delay(5);
  }
  agent.destroy();
  return seen;
}

/** Sends at a rate, without waiting for answers, for 200 s at most. */
async function deliveries(
  perSecond: number,
  send: () => Promise<number>,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const sent: Promise<number>[] = [];
  for (let at = 0; !signal.aborted && at < 200 * perSecond; at += 1) {
    sent.push(send().catch(() => 0));
    await delay(1_000 / perSecond);
  }
  return Promise.all(sent);
}
