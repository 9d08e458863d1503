/** Wires the dashboard: what it is told by, where sessions are, and what its pages show beside the API's answers. */
import { fileURLToPath } from 'node:url';
import type { Router } from 'express';
import { signIns } from './access/sessions.ts';
import { hostLoad } from './adapters/host-load.ts';
import type { Connections } from './adapters/redis-keys.ts';
import { redisSessions } from './adapters/redis-sessions.ts';
import type { RedisStore } from './adapters/redis-store.ts';
import type { ApiDeps } from './api/api.ts';
import type { Route } from './api/route.ts';
import type { ServeDeps } from './api/serve.ts';
import type { Config } from './config.ts';
import { dashboardRouter } from './dashboard/dashboard.ts';
import { openDigests } from './dashboard/digests.ts';
import { type FactsDeps, openFacts } from './dashboard/facts.ts';
import { createHub, type Hub } from './dashboard/hub.ts';
import { type Sample, startSampling } from './dashboard/samples.ts';
import type { Disk } from './domain/disk.ts';
import type { BuildEvent } from './domain/events.ts';
import type { HintQueue } from './queue/hints.ts';

export interface FrontDeps {
  readonly config: Pick<Config, 'domain' | 'adminHost'>;
  readonly api: Pick<ApiDeps, 'book' | 'pins' | 'tokens' | 'repositories' | 'clock'>;
  readonly serve: ServeDeps;
  readonly routes: readonly Route[];
  readonly store: RedisStore;
  readonly redis: Connections;
  readonly git: FactsDeps['git'];
  readonly gateway: FactsDeps['gateway'];
  readonly hints: Pick<HintQueue, 'raw'>;
  readonly adminToken: string;
  readonly guesses: number;
  sizes: FactsDeps['sizes'];
  disks(): Promise<readonly Disk[]>;
}

export interface Front {
  readonly router: Router;
  /** To be told of every event. */
  take(event: BuildEvent): void;
  stop(): Promise<void>;
}

const ASSETS = fileURLToPath(new URL('../templates/dashboard', import.meta.url));

export function openFront(deps: FrontDeps): Front {
  const { api, store, config, guesses } = deps;
  const { clock, pins, tokens, repositories } = api;
  const hub: Hub = createHub();
  const sessions = redisSessions({ redis: deps.redis });
  const facts = openFacts({
    ...{ git: deps.git, gateway: deps.gateway, store, sizes: deps.sizes, repositories },
    ...{ now: clock.now, onKnown: hub.touch },
  });
  const load = hostLoad();
  const samples = startSampling(async (): Promise<Sample> => {
    const [queueing, disks] = await Promise.all([api.book.read(), deps.disks()]);
    return {
      ...{ at: clock.now(), ...load(), building: queueing.places.length, waiting: queueing.waiting.length },
      disks: disks.map(({ name, size, free }) => ({ name, used: size > 0 ? 1 - free / size : 0 })),
    };
  });
  void facts.look();
  return {
    router: dashboardRouter({
      ...{ serve: deps.serve, routes: deps.routes, store, pins, facts, hub, samples, clock, guesses },
      ...{ digests: openDigests(store), assets: ASSETS, domain: config.domain, adminHost: config.adminHost },
      signIns: signIns({ sessions, tokens, clock, adminToken: deps.adminToken }),
      queue: deps.hints.raw,
    }),
    take(event) {
      if (event.type !== 'log') hub.touch(event.preview);
    },
    async stop() {
      samples.stop();
      sessions.close();
    },
  };
}
