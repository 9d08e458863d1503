/** `/metrics`, for Prometheus. */
import { type Request, Router } from 'express';
import { type Principal, reaches } from '../domain/access.ts';
import { problem } from '../web/problem.ts';
import type { Meter } from './meter.ts';

/** For tokens that reach everything: it tells of the whole host. */
export function metricsRouter(
  meter: Pick<Meter, 'registry'>,
  authenticate: (req: Request) => Promise<Principal | undefined>,
): Router {
  const router = Router();
  router.get('/metrics', async (req, res) => {
    const principal = await authenticate(req);
    if (!principal) {
      res.set('WWW-Authenticate', 'Bearer realm="treehouse"');
      return problem(res, 401, 'Metrics need a token: treehouse token create prometheus --role reader.');
    }
    if (!reaches(principal))
      return problem(res, 403, 'Metrics are of the whole host, and the token reaches some repositories.');
    res.type(meter.registry.contentType).send(await meter.registry.metrics());
  });
  return router;
}
