/** Wires a process that serves: webhooks, the API, the dashboard, and what the gateway asks for. */
import { imageSizes } from './adapters/engine-sizes.ts';
import { redisReplays } from './adapters/redis-replays.ts';
import { type ApiDeps, apiRoutes } from './api/api.ts';
import { execSessions } from './api/exec-sessions.ts';
import { apiRouter } from './api/router.ts';
import { openCommands } from './commands/queue.ts';
import { explain } from './converge/explain.ts';
import type { BuildEvent } from './domain/events.ts';
import type { PreviewId } from './domain/names.ts';
import { engineAnswers } from './engine-side.ts';
import { openFront } from './front.ts';
import { readAppFile } from './github/app-file.ts';
import type { Ground } from './ground.ts';
import { type HomeSecret, homeSecret } from './home.ts';
import { followAll } from './metrics/follow.ts';
import { metricsRouter } from './metrics/router.ts';
import { urlsOf } from './stages.ts';
import { FULL_VERSION, VERSION } from './version.ts';
import { doorRouter } from './web/door.ts';
import { gatewayPageRouter, hostPageRouter } from './web/gateway-page.ts';
import { close, createApp, listen } from './web/server.ts';
import { listenAt } from './web/socket.ts';
import { serveUpgrades } from './web/upgrades.ts';
import { webhookRouter } from './webhook/receive.ts';

export interface Serving {
  readonly webhookSecret: HomeSecret | undefined;
  /** Where the API and the receiver are. */
  readonly url: string;
}

export interface ServingInput {
  readonly sweep: ApiDeps['sweep'];
  /** Resolves once it is sure to be woken. */
  wake(id: PreviewId): Promise<void>;
  /** Why no command is run in what serves; undefined: they are. */
  readonly remote: string | undefined;
  /** Where the gateway finds this server, if not by its port. */
  readonly pagesSocket?: string;
  /** For which open requests go on as it stops; 2,000 unless told. */
  readonly closeMs?: number;
}

/** Wrong tokens from one address in a minute: far more than anyone mistypes, far fewer than guessing takes. */
const GUESSES = 20;
const CLOSE_MS = 2_000;
/** As above, of a preview's password; and of all addresses together. */
const KNOCKS = { ofAddress: 10, ofRepository: 60 };

export async function openServing(ground: Ground, input: ServingInput): Promise<Serving> {
  const { config, log, undo, clock, docker, instance, engine, repositories, repositoryBook, doors, gateway } = ground;
  const { connections, store, book, forks, meter, hints, git, builds, budgets, forge, forgeSide } = ground;
  const { pins, tokens, trail, authenticate, ownToken } = ground;
  const { sweep, wake, remote } = input;

  const webhookSecret =
    config.webhookSecret === undefined ? await homeSecret(config.home, 'webhook-secret') : undefined;
  const gitHubApp = readAppFile(config.home);
  const replays = redisReplays({ redis: connections });
  undo.push(async () => replays.close());
  const commands = forge && openCommands({ redis: connections });
  undo.push(async () => commands?.close());

  const sessions = execSessions();
  const api: ApiDeps = {
    ...{ store, hints, pins, wake, engine, tokens, clock, repositories, repositoryBook, trail, book, sweep },
    explain: (record, over) => explain(ground, record, over),
    secretsOf: async (name) => (await ground.secretStore.read(name)).secrets,
    ...{ links: doors.sharing, passwords: doors.passwords, urlOf: urlsOf(config) },
    ...{ version: FULL_VERSION, limits: { ...config.most, builds: config.concurrency } },
    pausedBecause: budgets.pausedBecause,
    agreement: forgeSide?.agreement,
    ...engineAnswers(docker, {
      ...{ engine, gateway, sessions, trail, clock, log, instance, builds },
      ...{ remote, registry: budgets.registry, disks: budgets.disks },
    }),
  };
  const routes = apiRoutes(api);
  const serve = { store, clock, replays, trail, repositories };
  const front = openFront({
    ...{ config, api, serve, routes, store, redis: connections, git, gateway, hints },
    ...{ adminToken: ownToken, guesses: GUESSES, disks: budgets.disks },
    sizes: () => imageSizes(docker, instance),
  });
  undo.push(() => front.stop());
  const told = (event: BuildEvent) => {
    meter.event(event);
    front.take(event);
  };
  undo.push(followAll((how) => store.follow(how), told, log));
  const parts = {
    routers: [
      webhookRouter({
        // Of a repository's own webhook, and of the App's.
        secrets: [
          config.webhookSecret ?? webhookSecret?.value ?? '',
          ...(gitHubApp?.webhookSecret ? [gitHubApp.webhookSecret] : []),
        ],
        ...{ repositories, store, hints, forks, log, commands },
        onAnswered: meter.delivery,
      }),
      gatewayPageRouter({ store, wake, domain: config.domain, key: doors.gateway.key, repositories }),
      doorRouter({
        ...{ key: doors.gateway.key, domain: config.domain, clock, repositories, guesses: KNOCKS },
        ...{ redeem: doors.sharing.redeem, knock: doors.knock },
      }),
      apiRouter({
        ...{ ...serve, routes, authenticate, version: VERSION },
        limits: { requests: config.apiRate, guesses: GUESSES },
      }),
      metricsRouter(meter, authenticate),
      front.router,
    ],
    ready: ground.away,
    log,
  };
  const app = createApp({ ...parts, trustedProxies: config.trustedProxies });
  const server = await listen(app, config.host, config.port);
  serveUpgrades(server, app);
  const closeMs = input.closeMs ?? CLOSE_MS;
  undo.push(() => close(server, closeMs));
  if (input.pagesSocket !== undefined) {
    const behind = createApp({ ...parts, trustedProxies: 'gateway' });
    const pages = await listenAt(behind, input.pagesSocket);
    serveUpgrades(pages.server, behind);
    undo.push(() => pages.close(closeMs));
  }
  if (config.gateway === 'nginx-proxy') {
    const front = createApp({
      routers: [hostPageRouter({ store, wake, domain: config.domain, repositories })],
      ready: async () => [],
      log,
    });
    const pages = await listen(front, config.gatewayHost, config.gatewayPort, 'TREEHOUSE_GATEWAY_PORT');
    undo.push(() => close(pages, closeMs));
  }
  undo.push(() => sessions.stop());
  return { webhookSecret, url: `http://${config.host}:${config.port}/` };
}
