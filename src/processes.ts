/** The processes of an installation that is more than one: what each is made of, and how it ends. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { boundBuilds, groupsOfHost } from './adapters/build-limits.ts';
import { iptablesFirewall } from './adapters/firewall.ts';
import type { Config } from './config.ts';
import { connectParts, gatewayFolder } from './connected.ts';
import { gatewayFiles, startNginx } from './embedded/nginx.ts';
import { gatewayOptions } from './gateway-options.ts';
import { type Ground, openGround } from './ground.ts';
import { prepareHost } from './install/prepare.ts';
import { tellWalls } from './install/standing.ts';
import type { Logger } from './log.ts';
import { metricsRouter } from './metrics/router.ts';
import { claimLead } from './queue/lead.ts';
import { answerSweeps, askForSweeps } from './queue/sweeps.ts';
import { openServing } from './serving.ts';
import { orUndone, type Undo, undoAll } from './undo.ts';
import { holdWalls, WALLS_MS } from './walls.ts';
import { close, createApp, listen } from './web/server.ts';
import { openWorking } from './working.ts';

/** One that runs. */
export interface Process {
  /** Begins nothing new, and lets what runs end for this long. */
  drain(graceMs: number): Promise<void>;
  /** Ends all that it began, the last thing first. */
  stop(): Promise<void>;
}

/** Local repositories are looked at this often; an installation seldom has one. */
const LOCAL_POLL_MS = 5_000;
/** Between two looks for what another process writes. */
const WAIT_MS = 500;
/** Requests that are open as a server ends. */
const CLOSE_MS = 10_000;

/** Webhooks, API, dashboard, and what the gateway asks for. @throws {TreehouseError} that names what is missing and the way out. */
export function startServing(config: Config, log: Logger, signal: AbortSignal): Promise<Process> {
  return begun(log, async (undo) => {
    const ground = await sharedGround(config, log, signal, undo, { converges: false });
    const sweeps = askForSweeps({ redis: ground.connections });
    undo.push(() => sweeps.close());
    await openServing(ground, {
      sweep: sweeps.sweep,
      // Whichever worker is free does it.
      wake: ground.wake,
      remote: 'an installation of several processes',
      pagesSocket: gatewayFolder(config).pagesSocket,
      closeMs: CLOSE_MS,
    });
    return {};
  });
}

/** Converges previews, beside any number of others; one of them leads. @throws as above. */
export function startWorking(config: Config, log: Logger, signal: AbortSignal): Promise<Process> {
  return begun(log, async (undo) => {
    const ground = await sharedGround(config, log, signal, undo, { converges: true });
    const working = await openWorking(ground);
    const app = createApp({ routers: [metricsRouter(ground.meter, ground.authenticate)], ready: ground.away, log });
    const server = await listen(app, config.host, config.port);
    undo.push(() => close(server, CLOSE_MS));
    const worker = working.begin();
    const lead = claimLead({
      ...{ redis: ground.connections, log },
      async begin() {
        const leading = await working.lead({ localPollMs: LOCAL_POLL_MS, isAlone: false });
        const unanswer = answerSweeps({ redis: ground.connections }, leading.sweep);
        return async () => {
          await unanswer();
          await leading.end();
        };
      },
    });
    undo.push(() => lead.stop());
    return {
      async drain(graceMs) {
        // Another leads while this one ends what it builds.
        await Promise.all([lead.stop(), worker.stop(graceMs)]);
      },
    };
  });
}

/** The own nginx, by its folder in the home alone; it waits for who may see what to be written there. @throws as above. */
export function startGateway(config: Config, log: Logger, signal: AbortSignal): Promise<Process> {
  return begun(log, async (undo) => {
    const { folder, pagesSocket, keyFile } = gatewayFolder(config);
    const { guardsFile } = gatewayFiles(folder);
    const key = (await written(keyFile, log, signal)).trim();
    await written(guardsFile, log, signal);
    const nginx = await startNginx({
      ...gatewayOptions(config, log),
      ...{ home: config.home, pages: `unix:${pagesSocket}`, key, guards: 'written', isToldByOthers: true, signal },
      onOutage: {
        away: (reason) => log.warn({ reason }, 'nginx ended and is started again'),
        back: () => log.info('nginx is back'),
      },
    });
    undo.push(() => nginx.stop());
    const at = config.hasEntrance ? { entrance: folder } : { host: config.gatewayHost, port: config.gatewayPort };
    log.info(at, 'the gateway serves previews');
    return {};
  });
}

/** Makes the folders and keys of those who run as another, and keeps previews from the host for as long as it runs. @throws as above. */
export function startWalls(config: Config, log: Logger): Promise<Process> {
  return begun(log, async (undo) => {
    const { home, owner } = config;
    let builds: string | undefined;
    const bound = async (before: string | undefined): Promise<string | undefined> => {
      const fault = await boundBuilds(await groupsOfHost(), config.buildLimits);
      if (fault !== undefined && fault !== before) log.warn({ reason: fault }, 'build steps are bounded by time alone');
      return fault;
    };
    if (owner) await prepareHost({ home, memory: `/run/treehouse-${owner.uid}`, owner });
    const walls = await holdWalls({
      firewall: iptablesFirewall({ searchPath: config.path, egress: config.egress }),
      ...{ mode: config.firewall, log, everyMs: WALLS_MS, isWatched: true },
      async told(state) {
        await tellWalls(home, state);
        // The worker that builds has no rights on the host for it.
        if (owner) builds = await bound(builds);
      },
    });
    undo.push(() => walls.stop());
    log.info({ firewall: walls.state() }, 'previews are kept from this host');
    return {};
  });
}

function sharedGround(
  config: Config,
  log: Logger,
  signal: AbortSignal,
  undo: Undo,
  { converges }: { readonly converges: boolean },
): Promise<Ground> {
  return openGround({
    ...{ config, log, signal, undo, isShared: true },
    beside: (input) => connectParts(config, input, converges),
  });
}

function begun(
  log: Logger,
  begin: (undo: Undo) => Promise<{ drain?(graceMs: number): Promise<void> }>,
): Promise<Process> {
  return orUndone(log, async (undo) => {
    const { drain = async () => undefined } = await begin(undo);
    return { drain, stop: () => undoAll(undo, log) };
  });
}

/** What another process writes, once it is there. */
async function written(file: string, log: Logger, signal: AbortSignal): Promise<string> {
  for (let isSaid = false; ; isSaid = true) {
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text !== undefined) return text;
    if (!isSaid)
      log.info({ file: path.basename(file) }, 'waiting for treehouse serve or worker to say who may see what');
    await delay(WAIT_MS, undefined, { signal });
  }
}
