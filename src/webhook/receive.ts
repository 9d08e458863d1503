/** The door that GitHub knocks at: checks a delivery's raw bytes, and answers 202 only once its hint is durable. */
import { Webhooks } from '@octokit/webhooks';
import { type Request, type Response, Router } from 'express';
import type { Logger } from 'pino';
import type { CommandOrders } from '../domain/comment-commands.ts';
import type { Forks } from '../domain/forks.ts';
import type { Hints, Repository, Store } from '../domain/ports.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { problem } from '../web/problem.ts';
import { interpret } from './interpret.ts';
import type { InterpretedCommand, InterpretedFork, InterpretedHint } from './interpretation.ts';
import { type BodyBudget, type BodyLimits, discardRest, readBody, tooLarge } from './read-body.ts';
import { Refusal } from './refusal.ts';

export interface ReceiverDeps {
  /** Any of them may have signed; several while one is being replaced. */
  readonly secrets: readonly string[];
  /** As they are now. */
  repositories(): readonly Repository[];
  readonly store: Pick<Store, 'know' | 'notePullRequest'>;
  readonly hints: Hints;
  readonly forks: Pick<Forks, 'note'>;
  /** Where commands of comments go; undefined where nobody can be asked who may give them. */
  readonly commands?: CommandOrders | undefined;
  /** Told of each delivery, by GitHub's name of its event. */
  onAnswered?(event: string | undefined, outcome: string): void;
  readonly log: Logger;
  readonly limits?: Partial<ReceiverLimits>;
}

export interface ReceiverLimits extends BodyLimits {
  /** Until when a hint must be durable; GitHub itself waits 10 s for an answer. */
  readonly enqueueMs: number;
}

const LIMITS: ReceiverLimits = {
  // https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap
  bytes: 25 * 1024 * 1024,
  bytesTogether: 4 * 25 * 1024 * 1024,
  ms: 10_000,
  enqueueMs: 1_900,
};

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  /** For the log. */
  readonly outcome: 'hinted' | 'noted' | 'ignored' | 'pong';
  readonly reason: string;
  readonly action?: string;
  /** Somebody is to change something here. */
  readonly attention?: true;
}

const NO_COMMANDS = 'commands in comments take credentials of GitHub here: who may give them is asked there';

function ignored(reason: string): Pick<Answer, 'status' | 'body' | 'outcome' | 'reason'> {
  return { status: 200, body: { ignored: reason }, outcome: 'ignored', reason };
}

interface Headers {
  readonly event: string;
  readonly delivery: string;
}

/**
 * `POST /webhooks/github`. Mount it before any body parser: the signature is over the bytes as they came.
 * @throws {TreehouseError} `bad-config` without a secret, since then anyone could push.
 */
export function webhookRouter(deps: ReceiverDeps): Router {
  if (deps.secrets.length === 0 || deps.secrets.includes('')) {
    throw new TreehouseError('bad-config', 'the webhook receiver needs a secret, TREEHOUSE_WEBHOOK_SECRET');
  }
  const limits = { ...LIMITS, ...deps.limits };
  const verifiers = deps.secrets.map((secret) => new Webhooks({ secret }));
  const budget: BodyBudget = { used: 0 };

  async function take(req: Request): Promise<Answer> {
    const text = await signedText(req, { limits, verifiers, budget });
    const { event } = headersOf(req);
    const payload = parsePayload(text, mediaType(req));
    const meaning = interpret(event, payload, deps.repositories());
    const action = actionOf(payload);
    const said = action === undefined ? {} : { action };
    switch (meaning.kind) {
      case 'malformed':
        throw new Refusal(400, meaning.reason);
      case 'ping':
        return { status: 200, body: { pong: meaning.zen }, outcome: 'pong', reason: 'a ping', ...said };
      case 'ignored': {
        const { reason, attention } = meaning;
        return { ...ignored(reason), ...said, ...(attention ? { attention } : {}) };
      }
      case 'hint':
      case 'fork':
      case 'command': {
        if (meaning.kind === 'command' && !deps.commands) return { ...ignored(NO_COMMANDS), ...said };
        const refused = await enqueue(meaning, deps, limits.enqueueMs);
        if (refused !== undefined) return { ...ignored(refused), ...said };
        const { cause } = meaning;
        if (meaning.kind === 'command') {
          return { status: 202, body: { noted: cause }, outcome: 'noted', reason: cause, ...said };
        }
        return { status: 202, body: { hinted: [meaning.key.id], cause }, outcome: 'hinted', reason: cause, ...said };
      }
      default:
        return meaning satisfies never;
    }
  }

  async function handle(req: Request, res: Response): Promise<void> {
    const began = performance.now();
    const delivery = wordIn(req, 'x-github-delivery');
    const event = wordIn(req, 'x-github-event');
    const named = delivery === undefined ? {} : { delivery };
    const note = (fields: Record<string, unknown>) => ({
      delivery,
      event,
      ...fields,
      ms: Math.round(performance.now() - began),
    });
    try {
      const { status, body, attention, ...logged } = await take(req);
      res.status(status).json({ ...body, ...named });
      deps.log[attention ? 'warn' : 'info'](note({ status, ...logged }), 'delivery answered');
      deps.onAnswered?.(event, logged.outcome);
    } catch (error) {
      const refusal = error instanceof Refusal ? error : new Refusal(500, 'the delivery could not be handled', error);
      const { status, message: reason, cause } = refusal;
      const outcome = typeof status === 'number' && status >= 500 ? 'failed' : 'refused';
      // Anybody can knock, with any word for an event.
      deps.onAnswered?.(undefined, outcome);
      const fields = note({ status, outcome, reason, ...(cause === undefined ? {} : { err: cause }) });
      if (outcome === 'failed') deps.log.error(fields, 'delivery answered');
      else deps.log.warn(fields, 'delivery answered');
      if (status === 'gone') return;
      if (!req.readableEnded) {
        // The connection cannot be used again: what follows on it is the rest of this body.
        res.set('Connection', 'close');
        if (status !== 408) await discardRest(req);
      }
      if (status === 503) res.set('Retry-After', '5');
      problem(res, status, reason, named);
    }
  }

  const router = Router();
  router
    .route('/webhooks/github')
    .post(handle)
    .all((_req, res) => {
      res.set('Allow', 'POST');
      problem(res, 405, 'deliveries are sent here with POST');
    });
  return router;
}

/** The body's text, once its size and its signature are right. */
async function signedText(
  req: Request,
  with_: { readonly limits: BodyLimits; readonly verifiers: readonly Webhooks[]; readonly budget: BodyBudget },
): Promise<string> {
  if (Number(req.headers['content-length'] ?? 0) > with_.limits.bytes) throw tooLarge(with_.limits.bytes);
  const signature = req.get('x-hub-signature-256');
  if (!signature) throw new Refusal(401, 'the delivery is not signed: X-Hub-Signature-256 is missing');
  if (!/^sha256=[0-9a-f]{64}$/.test(signature))
    throw new Refusal(401, 'X-Hub-Signature-256 is not a SHA-256 signature');
  const { body, release } = await readBody(req, with_.limits, with_.budget);
  try {
    if (body.length === 0) throw new Refusal(400, 'the body is empty');
    // What is verified is this very text, and nothing but it is read afterwards.
    const text = body.toString('utf8');
    const verdicts = await Promise.all(with_.verifiers.map((one) => one.verify(text, signature)));
    if (!verdicts.includes(true)) throw new Refusal(401, 'the signature is not that of any webhook secret set here');
    return text;
  } finally {
    release();
  }
}

function headersOf(req: Request): Headers {
  const event = wordIn(req, 'x-github-event');
  const delivery = wordIn(req, 'x-github-delivery');
  if (event === undefined) throw new Refusal(400, 'X-GitHub-Event is missing, or not the name of an event');
  if (delivery === undefined) throw new Refusal(400, 'X-GitHub-Delivery is missing, or not an id');
  return { event, delivery };
}

/** A header that GitHub fills with one word; undefined where it is anything else. */
function wordIn(req: Request, name: string): string | undefined {
  const value = req.get(name);
  return value !== undefined && /^[\w-]{1,100}$/.test(value) ? value : undefined;
}

function mediaType(req: Request): string {
  return (req.get('content-type') ?? '').split(';', 1).join('').trim().toLowerCase();
}

function parsePayload(text: string, type: string): unknown {
  if (type !== 'application/json' && type !== 'application/x-www-form-urlencoded') {
    throw new Refusal(415, 'the content type is neither application/json nor application/x-www-form-urlencoded');
  }
  const json = type === 'application/json' ? text : new URLSearchParams(text).get('payload');
  if (json === null) throw new Refusal(400, 'the form has no field named payload');
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new Refusal(400, `the payload is not JSON: ${messageOf(error)}`);
  }
}

function actionOf(payload: unknown): string | undefined {
  if (typeof payload !== 'object' || payload === null || !('action' in payload)) return undefined;
  return typeof payload.action === 'string' ? payload.action.slice(0, 100) : undefined;
}

/**
 * Makes what was heard durable. Past the deadline the answer is 503 and GitHub shows the delivery as failed; that it may
 * still arrive is harmless. Returns why the branch can have no preview, where that is so.
 */
async function enqueue(
  heard: InterpretedHint | InterpretedFork | InterpretedCommand,
  deps: Pick<ReceiverDeps, 'store' | 'hints' | 'forks' | 'commands'>,
  ms: number,
): Promise<string | undefined> {
  const work = async () => {
    if (heard.kind === 'command') return deps.commands?.take(heard.order);
    const { key } = heard;
    const pullRequest = heard.kind === 'fork' ? heard.fact : heard.pullRequest;
    if (heard.kind === 'fork') await deps.forks.note(key.repository, heard.fact);
    await deps.store.know(key);
    if (pullRequest) await deps.store.notePullRequest(key.repository, key.branch, pullRequest);
    await deps.hints.hint(key.id);
    // Last, since what is noted above says whether the head was known before.
    if (heard.kind === 'fork' && heard.order) await deps.commands?.take(heard.order);
  };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new TreehouseError('queue-away', `no answer within ${ms} ms`)), ms);
  });
  try {
    await Promise.race([work(), late]);
    return undefined;
  } catch (error) {
    if (error instanceof TreehouseError && error.code === 'bad-branch') return error.message;
    if (error instanceof TreehouseError && error.code === 'queue-away') {
      throw new Refusal(503, 'the queue is away, so the delivery was not taken; deliver it again later', error);
    }
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
