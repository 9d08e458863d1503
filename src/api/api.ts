/** `/api/v1`: every route there is. */

import type { PreviewPasswords } from '../domain/passwords.ts';
import type { Sweep } from '../domain/sweep.ts';
import type { Trail } from '../domain/trail.ts';
import { type BuildReader, buildRoutes } from './builds.ts';
import { type ExecDeps, execRoutes } from './exec.ts';
import { type HostDeps, hostRoutes } from './host.ts';
import { type LinkDeps, linkRoutes } from './links.ts';
import { type LiveDeps, liveRoutes } from './live.ts';
import { type NewsDeps, newsRoutes } from './news.ts';
import { passwordRoutes } from './passwords.ts';
import { type PlanDeps, planRoutes } from './plan.ts';
import { type PreviewDeps, previewRoutes } from './previews.ts';
import { type PullRouteDeps, pullRoutes } from './pull.ts';
import { type QueueDeps, queueRoutes } from './queue.ts';
import { type RepositoryDeps, repositoryRoutes } from './repositories.ts';
import type { Route } from './route.ts';
import { sweepRoutes } from './sweep.ts';
import { type TokenDeps, tokenRoutes } from './tokens.ts';
import { trailRoutes } from './trail.ts';

export interface ApiDeps
  extends PreviewDeps,
    PlanDeps,
    LiveDeps,
    PullRouteDeps,
    TokenDeps,
    HostDeps,
    LinkDeps,
    Pick<RepositoryDeps, 'secretsOf'> {
  readonly repositoryBook: RepositoryDeps['book'];
  readonly store: PreviewDeps['store'] & BuildReader & NewsDeps['store'] & LinkDeps['store'];
  readonly passwords: PreviewPasswords;
  readonly book: QueueDeps['book'];
  readonly sweep: Sweep;
  readonly trail: Pick<Trail, 'read'>;
  readonly exec: ExecDeps;
}

export function apiRoutes(deps: ApiDeps): readonly Route[] {
  return [
    ...previewRoutes(deps),
    ...planRoutes(deps),
    ...buildRoutes(deps.store),
    ...liveRoutes(deps),
    ...pullRoutes(deps),
    ...execRoutes(deps.exec),
    ...newsRoutes(deps),
    ...queueRoutes(deps),
    ...hostRoutes(deps),
    ...repositoryRoutes({ book: deps.repositoryBook, secretsOf: deps.secretsOf }),
    ...sweepRoutes(deps.sweep),
    ...tokenRoutes(deps),
    ...linkRoutes(deps),
    ...passwordRoutes(deps.passwords),
    ...trailRoutes(deps.trail),
  ];
}
