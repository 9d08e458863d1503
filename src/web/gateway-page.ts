/** `/gateway/page`: the gateway asks here whenever no preview answers; `/gateway/wake`: when somebody visits one that sleeps. */
import { type Request, type RequestHandler, type Response, Router } from 'express';
import { type PreviewId, parsePreviewId } from '../domain/names.ts';
import type { Repository, Store } from '../domain/ports.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import { fromGateway } from './from-gateway.ts';
import { hostLabel } from './host-label.ts';
import { pageFor } from './pages.ts';
import { sendPage } from './send-page.ts';

export interface PageDeps {
  readonly store: Pick<Store, 'record' | 'tail'>;
  /** Resolves once it is sure to be woken. */
  wake(id: PreviewId): Promise<void>;
  readonly domain: string;
  repositories(): readonly Pick<Repository, 'name' | 'access'>[];
}

export interface GatewayPageDeps extends PageDeps {
  /** Shows that it is the gateway that asks. */
  readonly key: string;
}

const TAIL_LINES = 20;

export function gatewayPageRouter(deps: GatewayPageDeps): Router {
  const router = Router();
  router.use('/gateway', fromGateway(deps.key));
  router.all('/gateway/page', answer(deps));
  router.post('/gateway/wake', async (req, res) => {
    const id = parsePreviewId(req.get('X-Treehouse-Preview') ?? '');
    const record = id && (await deps.store.record(id));
    if (record) await deps.wake(record.id);
    res.status(record ? 202 : 404).end();
  });
  return router;
}

/**
 * A listener of its own, for a gateway that has no key and sends here whatever host it does not know: by `Host` alone, and nothing
 * but pages that anybody may see.
 */
export function hostPageRouter(deps: PageDeps): Router {
  const router = Router();
  router.use((req, res) => {
    res.set('X-Robots-Tag', 'noindex');
    return show(deps, { host: req.get('Host') ?? '', standing: undefined, problem: '' }, req, res);
  });
  return router;
}

function answer(deps: PageDeps): RequestHandler {
  return (req, res) => {
    const host = req.get('X-Treehouse-Host') ?? '';
    const standing = req.get('X-Treehouse-Standing');
    return show(deps, { host, standing, problem: req.get('X-Treehouse-Problem') ?? '' }, req, res);
  };
}

/** What the gateway says of a visit. */
interface Visit {
  readonly host: string;
  /** `guest`: whoever visits may see what is not public. */
  readonly standing: string | undefined;
  /** Why the preview that has a route does not answer; empty where there is none. */
  readonly problem: string;
}

async function show(deps: PageDeps, { host, standing, problem }: Visit, req: Request, res: Response): Promise<void> {
  const found = await recordOf(deps, host);
  const record = found && maySee(deps, found, standing) ? found : undefined;
  // The gateway asks by itself, unless it was started anew since or could not reach us.
  if (record?.state === 'asleep') await deps.wake(record.id);
  const tail =
    record?.attempt && record.state !== 'removed'
      ? await deps.store.tail(record.id, record.attempt.build, TAIL_LINES)
      : [];
  const page = pageFor({ host, record, tail, unreachable: problem === 'unreachable' });
  // One that sleeps or does not wake is away for a while; any other fault is the preview's own.
  const isAway = record?.unwoken !== undefined || record?.state === 'asleep' || record?.state === 'waking';
  sendPage(req, res, problem === '' || isAway ? page : { ...page, status: 502 });
}

/** The gateway lets nobody come this far who may not; what it does not know, such as a name of other days, is held back here. */
function maySee(deps: PageDeps, record: PreviewRecord, standing: string | undefined): boolean {
  const repository = deps.repositories().find((one) => one.name === record.repository);
  if (!repository) return false;
  return (repository.access?.mode ?? 'public') === 'public' || standing === 'guest';
}

/** A side host ends with the id of the preview that it belongs to. */
async function recordOf(deps: PageDeps, host: string): Promise<PreviewRecord | undefined> {
  const label = hostLabel(host, deps.domain);
  if (label === undefined) return undefined;
  for (const id of previewsOf(label)) {
    const record = await deps.store.record(id);
    if (record) return record;
  }
  return undefined;
}

/** The previews that a host may be of. */
export function previewsOf(label: string): readonly PreviewId[] {
  const whole = parsePreviewId(label);
  const owner = label.includes('--') ? parsePreviewId(label.slice(label.indexOf('--') + 2)) : undefined;
  return [whole, owner].filter((one) => one !== undefined);
}
