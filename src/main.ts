/** The one place that wires: adapters into rooms, rooms into a running Treehouse; and takes it all down again. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { tokenKnower } from './access/issue.ts';
import { endStrays } from './adapters/container-processes.ts';
import { connectEngine, dockerEngine } from './adapters/engine.ts';
import { enginePrinting, followPrinted } from './adapters/engine-printing.ts';
import { engineResidents } from './adapters/engine-residents.ts';
import { hostShares } from './adapters/engine-shares.ts';
import { imageSizes } from './adapters/engine-sizes.ts';
import { iptablesFirewall } from './adapters/firewall.ts';
import { createGit } from './adapters/git.ts';
import { engineImages } from './adapters/images.ts';
import { pinFiles } from './adapters/pin-files.ts';
import { redisForks } from './adapters/redis-forks.ts';
import { redisPlaces } from './adapters/redis-places.ts';
import { redisReplays } from './adapters/redis-replays.ts';
import { openStore, type RedisStore } from './adapters/redis-store.ts';
import { redisThings } from './adapters/redis-things.ts';
import { createRegistry } from './adapters/registry.ts';
import { repositoryFile } from './adapters/repository-file.ts';
import { repositoryUrl } from './adapters/repository-url.ts';
import { tokenFiles } from './adapters/token-files.ts';
import { trailFiles } from './adapters/trail-files.ts';
import { type ApiDeps, apiRoutes } from './api/api.ts';
import { execSessions } from './api/exec-sessions.ts';
import { apiRouter, bearer } from './api/router.ts';
import { openBudgets } from './budgets.ts';
import { openComments } from './comments.ts';
import { openBook } from './config/book.ts';
import type { Config } from './config.ts';
import { explain } from './converge/explain.ts';
import { wakeNow } from './converge/rest.ts';
import { takeDown } from './converge/take-down.ts';
import type { BuildEvent } from './domain/events.ts';
import { DEFAULT_LIMITS } from './domain/isolation.ts';
import type { PreviewId } from './domain/names.ts';
import type { Clock } from './domain/ports.ts';
import { openDoors } from './doors.ts';
import { answering, engineAnswers, idShift, remoteEngine } from './engine-side.ts';
import { messageOf } from './errors.ts';
import { openForgeSide } from './forge-side.ts';
import { openFront } from './front.ts';
import { gitHubOfHome, readAppFile } from './github/app-file.ts';
import { createGitHub } from './github/github.ts';
import { tellOfUnasked } from './github-side.ts';
import { type HomeSecret, homeSecret, instanceName, openHome } from './home.ts';
import type { Logger } from './log.ts';
import { countedEngine, countedGateway } from './metrics/counted.ts';
import { followAll } from './metrics/follow.ts';
import { createMeter } from './metrics/meter.ts';
import { metricsRouter } from './metrics/router.ts';
import { keepNeighbours } from './neighbours.ts';
import { startParts } from './parts.ts';
import { openAdmission } from './queue/admission.ts';
import { openHints } from './queue/hints.ts';
import { knownPreviews } from './queue/poll.ts';
import { redisConnections } from './queue/redis.ts';
import { openReports } from './reports.ts';
import { startRounds } from './rounds.ts';
import { openMemory } from './secrets/memory.ts';
import { createSecretSource } from './secrets/source.ts';
import { openSecretStore } from './secrets/store.ts';
import { openVault } from './secrets/vault.ts';
import { shipLogs } from './shipping/ship.ts';
import { convergeDeps } from './stages.ts';
import { holdWalls } from './walls.ts';
import { doorRouter } from './web/door.ts';
import { gatewayPageRouter } from './web/gateway-page.ts';
import { close, createApp, listen } from './web/server.ts';
import { serveUpgrades } from './web/upgrades.ts';
import { webhookRouter } from './webhook/receive.ts';

/** A Treehouse that runs. */
export interface Treehouse {
  readonly store: RedisStore;
  readonly webhookSecret: HomeSecret | undefined;
  readonly adminToken: HomeSecret | undefined;
  /** Where the API and the receiver are. */
  readonly url: string;
  readonly registry: string | undefined;
  /** Whether the firewall between previews and the host is up. */
  readonly walls: string;
  /** Whole URL of a preview's host label. */
  urlOf(label: string): string;
  /** Takes every preview down, one event each. */
  removePreviews(): Promise<void>;
  /** Begins nothing new and lets what runs end, for this long; what had to be ended is taken up at the next start. */
  drain(graceMs: number): Promise<void>;
  /** Ends builds, then everything that was started here, last things first. */
  stop(): Promise<void>;
}

const PROJECT = fileURLToPath(new URL('..', import.meta.url));
/** Of package.json. */
const VERSION = (JSON.parse(readFileSync(path.join(PROJECT, 'package.json'), 'utf8')) as { version: string }).version;
const clock: Clock = { now: () => Date.now() };
/** A local repository is looked at this often: it costs one short git command. */
const LOCAL_POLL_MS = 1_500;
/** Wrong tokens from one address in a minute: far more than anyone mistypes, far fewer than guessing takes. */
const GUESSES = 20;
/** As above, of a preview's password; and of all addresses together. */
const KNOCKS = { ofAddress: 10, ofRepository: 60 };
/** What others do to the host's rules is put right this soon. */
const WALLS_MS = 30_000;

/** Starts receiver, worker, API and what is embedded. @throws {TreehouseError} that names what is missing and the way out. */
export async function startTreehouse(
  config: Config,
  log: Logger,
  signal: AbortSignal,
  options: { readonly localPollMs?: number } = {},
): Promise<Treehouse> {
  const undo: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (let step = undo.pop(); step; step = undo.pop()) {
      await step().catch((error: unknown) =>
        log.warn({ reason: messageOf(error) }, 'a part did not stop as it should'),
      );
    }
  };
  try {
    return await start(config, log, { signal, localPollMs: options.localPollMs ?? LOCAL_POLL_MS }, undo, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  config: Config,
  log: Logger,
  { signal, localPollMs }: { readonly signal: AbortSignal; readonly localPollMs: number },
  undo: (() => Promise<unknown>)[],
  stop: () => Promise<void>,
): Promise<Treehouse> {
  await openHome(config.home);
  const webhookSecret =
    config.webhookSecret === undefined ? await homeSecret(config.home, 'webhook-secret') : undefined;
  const adminToken = config.adminToken === undefined ? await homeSecret(config.home, 'admin-token') : undefined;
  const gitHubApp = readAppFile(config.home);

  const docker = connectEngine(config.dockerHost);
  const instance = await instanceName(config.home);
  const engine = dockerEngine(docker, instance);
  await answering(() => docker.ping());
  await endStrays(instance);

  const walls = await holdWalls({
    firewall: iptablesFirewall({ searchPath: config.path, egress: config.egress }),
    mode: config.firewall,
    log,
    everyMs: WALLS_MS,
  });
  undo.push(() => walls.stop());

  const repositoryBook = await openBook({
    ...{ configured: config.repositories, defaults: config.defaults, added: repositoryFile(config.home) },
    checkUrl: (url) => repositoryUrl(url, config.path),
    async onChange() {
      // Before anything of it is routed anew.
      await doors.follow();
      unasked(repositories());
      // The sweep finds whose branches are new and whose previews are nobody's any more.
      rounds.sweeper.sweep({ dryRun: false }).catch((error: unknown) => {
        log.warn({ reason: messageOf(error) }, 'the sweep after a change of the repositories failed');
      });
    },
  });
  const repositories = () => repositoryBook.all();
  const doors = await openDoors({ home: config.home, repositories, clock, log });
  const onGatewayBack = () => {
    doors.tellAgain();
    void tellOfSleepers();
  };
  const parts = await startParts(config, { log, signal, undo, door: doors.gateway, onGatewayBack });
  await doors.lead(parts.nginx.gateway);
  const { registryAddress } = parts;

  const connections = redisConnections(parts.redisUrl, log);
  const store = openStore({
    ...{ redis: connections, clock, log },
    onPullRequest: (repository, branch) => reports?.heard(repository, branch),
  });
  undo.push(() => store.close());
  const book = redisPlaces({ redis: connections });
  const forks = redisForks({ redis: connections, clock });
  undo.push(async () => forks.close());
  const meter = createMeter({
    records: () => store.records(),
    queueing: () => book.read(),
    visits: () => parts.nginx.gateway.visits(),
    disks: () => budgets.disks(),
    now: clock.now,
  });
  const gateway = countedGateway(parts.nginx.gateway, meter);
  const keys = redisThings({ redis: connections });
  undo.push(async () => keys.close());
  const hints = openHints({ redis: connections });
  undo.push(() => hints.close());

  if (remoteEngine(config.dockerHost) === undefined) {
    const neighbours = keepNeighbours({ shares: await hostShares({ docker, instance }), engine, store, log });
    undo.push(() => neighbours.stop());
  }

  if (config.shipLogs) {
    const shipping = await shipLogs({
      ...{ to: config.shipLogs, home: config.home, log, onCount: meter.linesShipped },
      printing: enginePrinting(docker, instance),
      follow: (container, after, onLine, over) => followPrinted(docker, container, after, onLine, over),
      watch: (changed) => engine.watchAll(changed),
    });
    undo.push(() => shipping.stop());
  }

  const github = config.github ?? gitHubOfHome(config.home);
  const forge = github && createGitHub({ settings: github, log, now: clock.now });
  undo.push(async () => forge?.close());
  const unasked = tellOfUnasked(forge !== undefined, log);
  unasked(repositories());
  const forgeSide = forge && openForgeSide({ forge, redis: connections, clock, repositories });
  undo.push(async () => forgeSide?.close());
  const reports =
    forge &&
    openReports({
      config,
      forge,
      docker,
      instance,
      redis: connections,
      store,
      clock,
      log,
      repositories,
      allPullRequests: () => keys.pullRequests(),
    });
  undo.push(async () => reports?.stop());
  const git = createGit({ home: config.home, searchPath: config.path, checkoutSize: config.checkoutSize, forge });
  const secretStore = openSecretStore(config.home, clock);
  const secrets = createSecretSource({
    store: secretStore,
    memory: openMemory({ instance, shift: await idShift(docker), remote: remoteEngine(config.dockerHost) }),
    vault: openVault(config.vault),
  });
  const builds = path.join(config.home, 'builds');
  const budgets = await openBudgets({
    ...{ settings: config.disk, home: config.home, builds, instance, docker, git, clock, log },
    engine: countedEngine(engine, meter),
    isRemote: remoteEngine(config.dockerHost) !== undefined,
    images: engineImages(docker),
    registry: registryAddress === undefined ? undefined : createRegistry({ address: registryAddress }),
    embedded: parts.embedded,
  });
  const pins = pinFiles(config.home, clock);
  const tokens = tokenFiles(config.home);
  const trail = trailFiles(config.home);
  const replays = redisReplays({ redis: connections });
  undo.push(async () => replays.close());
  const admission = openAdmission({
    ...{ store, gateway, pins, clock, hints, log, repositories },
    host: { ...config.most, builds: config.concurrency },
    book,
    residents: engineResidents(docker, instance),
    pausedBecause: budgets.pausedBecause,
    usualMemory: (name) => {
      const policy = repositories().find((one) => one.name === name)?.policy;
      return (policy?.limits ?? DEFAULT_LIMITS).memory.usual;
    },
  });
  undo.push(() => admission.stop());
  const deps = await convergeDeps(config, docker, {
    ...{ clock, admission, git, forge, forks, secrets, gateway, store, walls, log, instance, builds, repositories },
    links: doors.sharing,
    engine: budgets.engine,
    images: budgets.images,
    registry: budgets.registry,
    fullest: budgets.fullest,
  });

  /** At once where it can, since a visitor waits; the hint is for when it cannot. */
  async function wake(id: PreviewId): Promise<void> {
    await store.wantRest(id, false);
    await hints.hint(id);
    rounds.worker
      .hold(id, (stopping) => admission.during(id, () => wakeNow(deps, id, stopping)))
      .catch((error: unknown) => log.warn({ preview: id, reason: messageOf(error) }, 'it could not be woken at once'));
  }

  /** An nginx that was started again has forgotten who sleeps: their converge tells it. */
  async function tellOfSleepers(): Promise<void> {
    try {
      for (const one of await store.records()) if (one.state === 'asleep') await hints.hint(one.id);
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'the gateway was not told who sleeps');
    }
  }

  const comments =
    forge &&
    reports &&
    openComments({
      ...{ forge, connections, deps, hints, pins, wake, forks, trail, notes: reports.notes },
      onNoted: reports.noted,
    });
  undo.push(async () => comments?.stop());

  const sessions = execSessions();
  const ownToken = config.adminToken ?? adminToken?.value ?? '';
  const authenticate = bearer(tokenKnower({ tokens, clock, adminToken: ownToken }));
  const api: ApiDeps = {
    ...{ store, hints, pins, wake, engine, tokens, clock, repositories, repositoryBook, trail, book },
    explain: (record, over) => explain(deps, record, over),
    secretsOf: async (name) => (await secretStore.read(name)).secrets,
    ...{ links: doors.sharing, passwords: doors.passwords, urlOf: deps.urlOf },
    ...{ version: VERSION, limits: { ...config.most, builds: config.concurrency } },
    pausedBecause: budgets.pausedBecause,
    agreement: forgeSide?.agreement,
    ...engineAnswers(docker, {
      ...{ engine, gateway, sessions, trail, clock, log, instance, builds },
      ...{ remote: remoteEngine(config.dockerHost), registry: budgets.registry, disks: budgets.disks },
    }),
    sweep: (how) => rounds.sweeper.sweep(how),
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
    reports?.take(event);
  };
  undo.push(followAll((how) => store.follow(how), told, log));
  const app = createApp({
    routers: [
      webhookRouter({
        // Of a repository's own webhook, and of the App's.
        secrets: [
          config.webhookSecret ?? webhookSecret?.value ?? '',
          ...(gitHubApp?.webhookSecret ? [gitHubApp.webhookSecret] : []),
        ],
        ...{ repositories, store, hints, forks, log, commands: comments?.orders },
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
    ready: async () => {
      const parts = { redis: store.records(), engine: docker.ping(), gateway: gateway.routes() };
      const results = await Promise.allSettled(Object.values(parts));
      return Object.keys(parts).filter((_, index) => results[index]?.status === 'rejected');
    },
    log,
  });
  const server = await listen(app, config.host, config.port);
  serveUpgrades(server, app);
  undo.push(() => close(server, 2_000));
  undo.push(() => sessions.stop());

  const rounds = startRounds({
    ...{ config, docker, engine, deps, connections, hints, admission, budgets, pins, keys, secrets, localPollMs, undo },
    ...{ links: doors.sharing, forks, forge: forgeSide?.side },
    onSwept: meter.swept,
  });

  return {
    store,
    webhookSecret,
    adminToken,
    url: `http://${config.host}:${config.port}/`,
    registry: registryAddress,
    walls: walls.state(),
    urlOf: deps.urlOf,
    async removePreviews() {
      await rounds.end(0);
      for (const preview of await knownPreviews(engine, store)) {
        const repository = repositories().find((one) => one.name === preview.repository);
        await takeDown(deps, preview, repository, { cause: 'Treehouse was stopped', known: true });
      }
    },
    drain: (graceMs) => rounds.end(graceMs),
    stop,
  };
}
