/** Wires what every process of Treehouse stands on: its home, the engine, Redis, the gateway, git, and who may see what. */
import path from 'node:path';
import type Docker from 'dockerode';
import { tokenKnower } from './access/issue.ts';
import { connectEngine, dockerEngine } from './adapters/engine.ts';
import { type GatewayJoins, gatewayJoins, leavingFirst } from './adapters/gateway-joins.ts';
import { createGit } from './adapters/git.ts';
import { engineImages } from './adapters/images.ts';
import { pinFiles } from './adapters/pin-files.ts';
import { redisForks } from './adapters/redis-forks.ts';
import { redisPlaces } from './adapters/redis-places.ts';
import { openStore } from './adapters/redis-store.ts';
import { redisThings } from './adapters/redis-things.ts';
import { createRegistry } from './adapters/registry.ts';
import { repositoryFile } from './adapters/repository-file.ts';
import { repositoryUrl } from './adapters/repository-url.ts';
import { tokenFiles } from './adapters/token-files.ts';
import { trailFiles } from './adapters/trail-files.ts';
import { bearer } from './api/router.ts';
import { openBudgets } from './budgets.ts';
import { openBook } from './config/book.ts';
import type { Config } from './config.ts';
import type { Doorkeeper, Guard } from './domain/guards.ts';
import type { Branch, PreviewId, RepositoryName } from './domain/names.ts';
import type { Clock, Gateway, Probe, Repository } from './domain/ports.ts';
import { openDoors } from './doors.ts';
import type { EmbeddedRegistry } from './embedded/registry.ts';
import { answering, ownRegistry, registryOf, remoteEngine } from './engine-side.ts';
import { messageOf } from './errors.ts';
import { openForgeSide } from './forge-side.ts';
import { gitHubOfHome } from './github/app-file.ts';
import { createGitHub } from './github/github.ts';
import { tellOfUnasked } from './github-side.ts';
import { homeSecret, instanceName, openHome } from './home.ts';
import type { Logger } from './log.ts';
import { countedEngine, countedGateway } from './metrics/counted.ts';
import { createMeter } from './metrics/meter.ts';
import { openHints } from './queue/hints.ts';
import { redisConnections } from './queue/redis.ts';
import { openSecretStore } from './secrets/store.ts';
import { openState } from './state/open.ts';
import type { Undo } from './undo.ts';
import { VERSION } from './version.ts';

/** What is beside this process, embedded in it or in others. */
export interface Beside {
  readonly redisUrl: string;
  /** If it is the embedded one. */
  readonly embedded: EmbeddedRegistry | undefined;
  /** `host:port`; undefined where nothing is pushed. */
  readonly registryAddress: string | undefined;
  readonly gateway: Gateway & Doorkeeper;
  /** By which it is seen that a container listens; undefined: from this process. */
  readonly probe?: Probe;
}

export interface BesideInput {
  readonly log: Logger;
  /** Takes what ends each part, in the order in which they started. */
  readonly undo: Undo;
  /** What the gateway asks of visitors, and its key. */
  readonly door: { readonly key: string; readonly guards: readonly Guard[] };
  readonly docker: Docker;
  /** See LABEL.instance. */
  readonly instance: string;
  /** Undefined where the gateway is no container. */
  readonly joins: GatewayJoins | undefined;
  /** It has forgotten who sleeps, and the links. */
  onGatewayBack(): void;
}

export interface GroundInput {
  readonly config: Config;
  readonly log: Logger;
  /** Ends the start. */
  readonly signal: AbortSignal;
  /** Whether other processes share the home. */
  readonly isShared: boolean;
  /** Takes what ends each part, in the order in which they started. */
  readonly undo: Undo;
  beside(input: BesideInput): Promise<Beside>;
}

export type Ground = Awaited<ReturnType<typeof openGround>>;

/** What another process adds or removes counts here this soon. */
const REREAD_MS = 2_000;
const clock: Clock = { now: () => Date.now() };

/** @throws {TreehouseError} that names what is missing and the way out. */
export async function openGround({ config, log, signal, undo, beside, isShared }: GroundInput) {
  await openHome(config.home);
  const adminToken = config.adminToken === undefined ? await homeSecret(config.home, 'admin-token') : undefined;
  const ownToken = config.adminToken ?? adminToken?.value ?? '';
  const tokens = tokenFiles(config.home);
  const docker = connectEngine(config.dockerHost);
  const instance = await instanceName(config.home);
  const joins = config.gatewayContainer === undefined ? undefined : gatewayJoins(docker, config.gatewayContainer);
  const own = dockerEngine(docker, instance, ownRegistry(config));
  const engine = joins ? leavingFirst(own, joins) : own;
  await answering(() => docker.ping());

  const changed = listeners<[]>();
  const repositoryBook = await openBook({
    ...{ configured: config.repositories, defaults: config.defaults, added: repositoryFile(config.home) },
    checkUrl: (url) => repositoryUrl(url, config.path),
    async onChange() {
      // Before anything of it is routed anew.
      await doors.follow();
      unasked(repositories());
      changed.tell();
    },
  });
  if (isShared) {
    const timer = setInterval(() => {
      repositoryBook.reread().catch((error: unknown) => {
        log.warn({ reason: messageOf(error) }, 'which repositories were added could not be read');
      });
    }, REREAD_MS);
    undo.push(async () => clearInterval(timer));
  }
  const repositories = (): readonly Repository[] => repositoryBook.all();
  const doors = await openDoors({ home: config.home, repositories, clock, log });
  // Until all of this stands there is nobody to tell.
  let gatewayIsBack = (): void => undefined;
  const found = await beside({
    ...{ log, undo, docker, instance, joins, door: doors.gateway },
    onGatewayBack: () => gatewayIsBack(),
  });
  const { redisUrl, embedded, registryAddress, probe } = found;
  await doors.lead(found.gateway).catch((error: unknown) => {
    log.warn({ reason: messageOf(error) }, 'the gateway was not told of the links: they open nothing until it is');
  });

  const connections = redisConnections(redisUrl, log);
  // Before anything reads or writes.
  const state = await openState({ redis: connections, log, signal, program: VERSION });
  undo.push(async () => state.close());
  const heard = listeners<[RepositoryName, Branch]>();
  const store = openStore({ ...{ redis: connections, clock, log }, onPullRequest: heard.tell });
  undo.push(() => store.close());
  const book = redisPlaces({ redis: connections });
  undo.push(async () => book.close());
  const forks = redisForks({ redis: connections, clock });
  undo.push(async () => forks.close());
  const meter = createMeter({
    records: () => store.records(),
    queueing: () => book.read(),
    visits: () => found.gateway.visits(),
    disks: () => budgets.disks(),
    now: clock.now,
  });
  const keys = redisThings({ redis: connections });
  undo.push(async () => keys.close());
  const hints = openHints({ redis: connections });
  undo.push(() => hints.close());

  const github = config.github ?? gitHubOfHome(config.home);
  const forge = github && createGitHub({ settings: github, log, now: clock.now });
  undo.push(async () => forge?.close());
  const unasked = tellOfUnasked(forge !== undefined, log);
  unasked(repositories());
  const forgeSide = forge && openForgeSide({ forge, redis: connections, clock, repositories });
  undo.push(async () => forgeSide?.close());

  const git = createGit({
    ...{ home: config.home, searchPath: config.path, checkoutSize: config.checkoutSize, forge, isShared },
  });
  const builds = path.join(config.home, 'builds');
  const budgets = await openBudgets({
    ...{ settings: config.disk, home: config.home, builds, instance, docker, git, clock, log, isShared },
    engine: countedEngine(engine, meter),
    isRemote: remoteEngine(config) !== undefined,
    images: engineImages(docker),
    registry: registryAddress === undefined ? undefined : createRegistry(registryOf(config, registryAddress)),
    embedded,
  });

  /** An nginx that was started again has forgotten who sleeps, a container that was made anew all: their converge tells it. */
  async function tellOfSleepers(): Promise<void> {
    try {
      for (const one of await store.records()) {
        if (one.state === 'asleep' || (joins && one.state !== 'removed')) await hints.hint(one.id);
      }
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'the gateway was not told who sleeps');
    }
  }

  gatewayIsBack = () => {
    doors.tellAgain();
    void tellOfSleepers();
  };

  const gateway: Gateway = countedGateway(found.gateway, meter);
  return {
    ...{ isShared, config, log, undo, clock, docker, instance, engine, repositoryBook, repositories, doors, gateway },
    ...{ connections, store, book, forks, meter, keys, hints, git, builds, budgets, registryAddress, probe },
    ...{ forge, forgeSide },
    secretStore: openSecretStore(config.home, clock),
    pins: pinFiles(config.home, clock),
    ...{ tokens, ownToken, adminToken },
    authenticate: bearer(tokenKnower({ tokens, clock, adminToken: ownToken })),
    trail: trailFiles(config.home),
    /** It sleeps no more, once a worker has heard of it. @throws transient `queue-away` */
    async wake(id: PreviewId): Promise<void> {
      await store.wantRest(id, false);
      await hints.hint(id);
    },
    /** Names what this process needs and does not reach. */
    async away(): Promise<readonly string[]> {
      const parts = { redis: store.records(), engine: docker.ping(), gateway: gateway.routes() };
      const results = await Promise.allSettled(Object.values(parts));
      return Object.keys(parts).filter((_, index) => results[index]?.status === 'rejected');
    },
    /** To be told once the repositories are others. */
    onRepositories: changed.add,
    /** To be told of news of pull requests that this process noted. */
    onPullRequest: heard.add,
    /** Where the engine is, if it does not see this host's files. */
    remote: remoteEngine(config),
  };
}

function listeners<Args extends readonly unknown[]>(): {
  /** @returns what takes it away again */
  add(listener: (...args: Args) => void): () => void;
  tell(...args: Args): void;
} {
  const all = new Set<(...args: Args) => void>();
  return {
    add(listener) {
      all.add(listener);
      return () => void all.delete(listener);
    },
    tell: (...args) => {
      for (const one of all) one(...args);
    },
  };
}
