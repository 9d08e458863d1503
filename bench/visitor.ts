/** Those who look at the page: one who waits for the new content, and one who asks all the time and counts what fails. */
import { Agent, get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

export interface Target {
  readonly address: string;
  readonly port: number;
  /** The Host header. */
  readonly host: string;
}

export interface Visits {
  readonly total: number;
  readonly failed: number;
  /** How often by status or error. */
  readonly reasons: Readonly<Record<string, number>>;
}

/** Pause of the one who waits, between an answer and the next question. */
const LOOK_EVERY_MS = 10;
/** The other one asks this often, whatever the answers do. */
const PROBE_EVERY_MS = 10;
/** Enough for one every PROBE_EVERY_MS even where none is answered in time. */
const PROBES_AT_ONCE = 250;
const ANSWER_WITHIN_MS = 2_000;

/** Resolves with the time (of `performance.now`) at which the first answer with `text` had come. */
export async function untilServed(
  target: () => Target | undefined,
  text: string,
  signal: AbortSignal,
): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    for (;;) {
      signal.throwIfAborted();
      const where = target();
      if (where) {
        const answer = await ask(where, agent).catch(() => undefined);
        if (answer?.status === 200 && answer.body.includes(text)) return performance.now();
      }
      await delay(LOOK_EVERY_MS);
    }
  } finally {
    agent.destroy();
  }
}

/** Asks until it is stopped; every answer but 200, broken connection, and answer that is later than 2 s is a failure. */
export function startProbing(target: () => Target | undefined): { stop(): Promise<Visits> } {
  const agent = new Agent({ keepAlive: true, maxSockets: PROBES_AT_ONCE });
  const open = new Set<Promise<void>>();
  const reasons: Record<string, number> = {};
  let total = 0;
  const visit = async (where: Target): Promise<void> => {
    total += 1;
    const failure = await ask(where, agent).then(
      (answer) => (answer.status === 200 ? undefined : String(answer.status)),
      (error: NodeJS.ErrnoException) => (error.code === 'ABORT_ERR' ? 'too late' : (error.code ?? error.message)),
    );
    if (failure !== undefined) reasons[failure] = (reasons[failure] ?? 0) + 1;
  };
  const timer = setInterval(() => {
    const where = target();
    if (!where || open.size >= PROBES_AT_ONCE) return;
    const one = visit(where).finally(() => open.delete(one));
    open.add(one);
  }, PROBE_EVERY_MS);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      agent.destroy();
      return { total, failed: Object.values(reasons).reduce((sum, count) => sum + count, 0), reasons };
    },
  };
}

export function ask(
  target: Target,
  agent: Agent | false = false,
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const { address, port, host } = target;
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    const asked = get({ host: address, port, path: '/', headers: { host }, agent, signal }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.once('error', reject);
    });
    asked.once('error', reject);
  });
}
