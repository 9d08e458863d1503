/** The raw queue as BullMQ has it, to be looked at: what changes anything goes through the API, which is in the trail. */
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import type { Queue } from 'bullmq';
import { type RequestHandler, Router } from 'express';
import helmet from 'helmet';

export const RAW_QUEUE = '/queue/raw';

/** Made when it is first looked at, since the queue is there only while Redis is. */
export function rawQueueRouter(queue: () => Promise<Queue>): Router {
  let board: Promise<RequestHandler> | undefined;
  async function open(): Promise<RequestHandler> {
    const adapter = new ExpressAdapter();
    adapter.setBasePath(RAW_QUEUE);
    createBullBoard({
      queues: [new BullMQAdapter(await queue(), { readOnlyMode: true })],
      serverAdapter: adapter,
      options: { uiConfig: { boardTitle: 'Treehouse', hideRedisDetails: true, locale: { lng: 'en' } } },
    });
    return adapter.getRouter() as RequestHandler;
  }
  const router = Router();
  router.use(
    helmet({
      referrerPolicy: { policy: 'same-origin' },
      contentSecurityPolicy: {
        useDefaults: false,
        directives: {
          ...{ defaultSrc: ["'none'"], scriptSrc: ["'self'"], connectSrc: ["'self'"], imgSrc: ["'self'", 'data:'] },
          // Its own page has styles in it; the fonts of others that it asks for are not fetched.
          ...{ styleSrc: ["'self'", "'unsafe-inline'"], fontSrc: ["'self'"], baseUri: ["'self'"] },
          ...{ formAction: ["'none'"], frameAncestors: ["'none'"] },
        },
      },
    }),
  );
  router.use(async (req, res, next) => {
    board ??= open().catch((error: unknown) => {
      board = undefined;
      throw error;
    });
    (await board)(req, res, next);
  });
  return router;
}
