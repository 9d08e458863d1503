/** `/gateway/page`: the gateway asks here whenever no preview answers; `/gateway/wake`: when somebody visits one that sleeps. */
import { type RequestHandler, Router } from 'express';
import { type PreviewId, parsePreviewId } from '../domain/names.ts';
import type { Store } from '../domain/ports.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import { type Page, pageFor } from './pages.ts';
import { problem } from './problem.ts';

export interface GatewayPageDeps {
  readonly store: Pick<Store, 'record' | 'tail'>;
  /** Resolves once it is sure to be woken. */
  wake(id: PreviewId): Promise<void>;
  readonly domain: string;
}

const TAIL_LINES = 20;

export function gatewayPageRouter(deps: GatewayPageDeps): Router {
  const router = Router();
  router.all('/gateway/page', answer(deps));
  router.post('/gateway/wake', async (req, res) => {
    const id = parsePreviewId(req.get('X-Treehouse-Preview') ?? '');
    const record = id && (await deps.store.record(id));
    if (record) await deps.wake(record.id);
    res.status(record ? 202 : 404).end();
  });
  return router;
}

function answer(deps: GatewayPageDeps): RequestHandler {
  return async (req, res) => {
    const host = req.get('X-Treehouse-Host') ?? '';
    const record = await recordOf(deps, host);
    // The gateway asks by itself, unless it was started anew since or could not reach us.
    if (record?.state === 'asleep') await deps.wake(record.id);
    const tail =
      record?.attempt && record.state !== 'removed'
        ? await deps.store.tail(record.id, record.attempt.build, TAIL_LINES)
        : [];
    const problemMet = req.get('X-Treehouse-Problem') ?? '';
    const page = pageFor({ host, record, tail, unreachable: problemMet === 'unreachable' });
    // One that sleeps or does not wake is away for a while; any other fault is the preview's own.
    const isAway = record?.unwoken !== undefined || record?.state === 'asleep' || record?.state === 'waking';
    res.set('Cache-Control', 'no-store');
    if (page.retryAfter !== undefined) res.set('Retry-After', String(page.retryAfter));
    const shown = problemMet === '' || isAway ? page : { ...page, status: 502 };
    send(req.accepts(['html', 'json']) === 'json', shown, res);
  };
}

function send(json: boolean, page: Page, res: Parameters<RequestHandler>[1]): void {
  if (json) problem(res, page.status, page.detail);
  else res.status(page.status).type('html').send(page.body);
}

/** A side host ends with the id of the preview that it belongs to. */
async function recordOf(deps: GatewayPageDeps, host: string): Promise<PreviewRecord | undefined> {
  const name = host.toLowerCase().replace(/:\d+$/, '').replace(/\.$/, '');
  if (!name.endsWith(`.${deps.domain}`)) return undefined;
  const label = name.slice(0, -deps.domain.length - 1);
  for (const id of candidates(label)) {
    const record = await deps.store.record(id);
    if (record) return record;
  }
  return undefined;
}

function candidates(label: string): readonly PreviewId[] {
  const whole = parsePreviewId(label);
  const owner = label.includes('--') ? parsePreviewId(label.slice(label.indexOf('--') + 2)) : undefined;
  return [whole, owner].filter((one) => one !== undefined);
}
