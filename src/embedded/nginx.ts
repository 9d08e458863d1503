/** The gateway's own nginx, a child of `up`: starts it, reloads it where its configuration changed, stops it. */
import { chmod, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { guardsText, NginxGateway } from '../adapters/nginx-gateway.ts';
import { type Guard, PUBLIC } from '../domain/guards.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { writeWhole } from '../whole-file.ts';
import { boundLog } from './bounded-log.ts';
import type { CertificateFiles } from './certificate.ts';
import { type CertificateKeeper, type OnCertificate, openCertificate } from './certificate-keeper.ts';
import { findProgram } from './child.ts';
import { type Claim, claimFolder } from './claim.ts';
import { keepChild, type OnOutage } from './keep.ts';
import {
  entranceFiles,
  type Frame,
  install,
  luaModules,
  missing,
  type NginxSettings,
  nginxArguments,
  tryPair,
} from './nginx-config.ts';

export type { OnCertificate } from './certificate-keeper.ts';
export type { NginxSettings } from './nginx-config.ts';

export interface NginxOptions extends NginxSettings {
  readonly home: string;
  /** The address to listen on; default 127.0.0.1. */
  readonly host?: string;
  /** Default 8080. */
  readonly port?: number;
  /** Default: the nginx of the system's folders. */
  readonly program?: string;
  /** In place of the ports it listens on sockets below `<home>/nginx`, to which an entrance passes connections; default false. */
  readonly hasEntrance?: boolean;
  /** From the first request on; default: all previews are public. `written`: another process wrote them. */
  readonly guards?: readonly Guard[] | 'written';
  /** Where previews have TLS, too: its port, and the files of the certificate, which are followed. */
  readonly tls?: (CertificateFiles & { readonly port: number }) | undefined;
  readonly onCertificate?: OnCertificate;
  /** Milliseconds between two looks at those files; default a second. */
  readonly lookEvery?: number;
  readonly signal?: AbortSignal;
  readonly onOutage?: OnOutage;
}

export interface EmbeddedNginx {
  readonly gateway: NginxGateway;
  /** The master's. */
  readonly pid: number;
  /** Takes the settings over without losing a route; false where no byte of the configuration changes. */
  reload(settings: NginxSettings): Promise<boolean>;
  /** Lets requests end for 3 s, then ends them. Behind an entrance no connection is lost that is used at least once a second. */
  stop(): Promise<void>;
}

const UNGUARDED: readonly Guard[] = [{ slug: '*', access: PUBLIC }];
const guardsFile = (folder: string) => join(folder, 'guards.txt');
const pairFile = (folder: string) => join(folder, 'certificate.pem');

/** What nginx reads as it starts, in its folder. */
export function gatewayFiles(folder: string): { readonly routesFile: string; readonly guardsFile: string } {
  return { routesFile: join(folder, 'routes.txt'), guardsFile: guardsFile(folder) };
}
const TEMPORARY = join(tmpdir(), 'treehouse-gateway-');
/** A unix socket's path has 107 bytes at most on Linux, unix(7). */
const SOCKET_PATH_MAX = 100;
const POLL_EVERY = 20;
const RELOADED_WITHIN = 10_000;
/** For so long connections end with their next answer, before those end that wait for nothing. */
const LEAVES_MS = 1_500;
/** Whoever was let in at the entrance before it was closed is accepted by then. */
const ACCEPTED_MS = 300;

/**
 * Resolves when it answers.
 * @throws {TreehouseError} `bad-config` where nginx, its Lua module or the port is not to be had, or another Treehouse uses the home.
 */
export async function startNginx(options: NginxOptions): Promise<EmbeddedNginx> {
  const program = options.program ?? findProgram('nginx');
  if (!program) throw missing('nginx', 'nginx');
  const modules = await luaModules(program);
  const { host = '127.0.0.1', port = 8080, tls } = options;
  const folder = resolve(options.home, 'nginx');
  // nginx and its workers stay in the folder that they were started in, so the claim finds those of a killed Treehouse.
  const claim = await claimFolder(folder, ['nginx', basename(await realpath(program))]);
  try {
    await removeFiles(folder);
    const entrance = options.hasEntrance ? await makeEntrance(folder) : undefined;
    if (entrance === undefined) {
      await checkPort(host, port, 'TREEHOUSE_GATEWAY_PORT');
      if (tls) await checkPort(host, tls.port, 'TREEHOUSE_TLS_PORT');
    }
    const temporary = await makeTemporary(folder);
    const frame: Frame = {
      ...{ program, modules, folder, temporary, control: controlSocket(folder, temporary), host, port, entrance },
      tls: tls && { port: tls.port, pairFile: pairFile(folder) },
    };
    const guards = options.guards ?? UNGUARDED;
    if (guards !== 'written') await writeWhole(guardsFile(folder), guardsText(guards));
    const certificate = await firstCertificate(frame, options);
    const { revision } = await install(frame, options);
    return await run(frame, revision, { claim, certificate }, options);
  } catch (error) {
    await removeFiles(folder);
    await claim.release();
    throw error;
  }
}

/** What nginx starts with; followed once it runs. */
async function firstCertificate(frame: Frame, options: NginxOptions): Promise<CertificateKeeper | undefined> {
  const { tls, domain, lookEvery, onCertificate } = options;
  if (!tls || !frame.tls) return undefined;
  return openCertificate({
    ...{ files: tls, domain, pairFile: frame.tls.pairFile, lookEvery, news: onCertificate, now: Date.now },
    tryOut: (pem) => tryPair(frame, options, pem),
  });
}

async function run(
  frame: Frame,
  installed: string,
  { claim, certificate }: { readonly claim: Claim; readonly certificate: CertificateKeeper | undefined },
  { signal, onOutage }: Pick<NginxOptions, 'signal' | 'onOutage'>,
): Promise<EmbeddedNginx> {
  let revision = installed;
  const child = await keepChild({
    name: 'the gateway (nginx)',
    command: frame.program,
    args: nginxArguments(frame.folder),
    cwd: frame.folder,
    ready: async () => (await ask(frame.control, '/ready')) === revision,
    stopWith: [
      { signal: 'SIGQUIT', wait: 3_000 },
      { signal: 'SIGTERM', wait: 2_000 },
    ],
    clear: () => removeSockets(frame),
    onOutage,
    ...(signal && { signal }),
  });
  const unbound = boundLog(join(frame.folder, 'error.log'));
  const gateway = new NginxGateway({ controlSocket: frame.control, ...gatewayFiles(frame.folder) });
  certificate?.follow((pem) => gateway.setCertificate(pem));
  if (frame.entrance !== undefined) await writeFile(entranceFiles(frame.entrance).open, '');
  return {
    gateway,
    get pid() {
      return child.pid;
    },
    async reload(settings) {
      const { changed, revision: next } = await install(frame, settings);
      revision = next;
      if (changed) await takeOver(frame, child.pid, revision);
      return changed;
    },
    async stop() {
      await certificate?.stop();
      if (frame.entrance !== undefined) await leave(gateway, frame.entrance);
      await child.stop();
      unbound();
      await removeFiles(frame.folder);
      await claim.release();
    },
  };
}

/** Nobody who visits is cut off: whoever comes from now on waits at the entrance for the next gateway. */
async function leave(gateway: NginxGateway, entrance: string): Promise<void> {
  const isTold = await gateway.leave().then(
    () => true,
    () => false,
  );
  if (isTold) await delay(LEAVES_MS);
  await rm(entranceFiles(entrance).open, { force: true });
  if (isTold) await delay(ACCEPTED_MS);
}

async function takeOver(frame: Frame, pid: number, revision: string): Promise<void> {
  process.kill(pid, 'SIGHUP');
  const taken = async () => (await ask(frame.control, '/ready').catch(() => '')) === revision;
  if (await eventually(taken, RELOADED_WITHIN)) return;
  const text = `reloading the gateway: nginx keeps its old configuration; ${join(frame.folder, 'error.log')} says why`;
  throw new TreehouseError('route-failed', text);
}

/** nginx itself would try a taken port for 2.5 s, and say it in its own words. */
function checkPort(host: string, port: number, variable: string): Promise<void> {
  return new Promise((done, reject) => {
    const probe = createServer();
    probe.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'something else listens there' : messageOf(cause);
      const text = `the gateway cannot listen on ${host}, port ${port}: ${why}; choose another with ${variable}`;
      reject(new TreehouseError('bad-config', text, { cause }));
    });
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => done()));
  });
}

/** Workers may pass through it but not list it; nginx makes their own folders in it, and what is in `control` is not for them. */
async function makeTemporary(folder: string): Promise<string> {
  const temporary = await mkdtemp(TEMPORARY);
  await writeFile(join(folder, 'temporary'), temporary, { mode: 0o600 });
  await mkdir(join(temporary, 'control'), { mode: 0o700 });
  await chmod(temporary, 0o711);
  return temporary;
}

/** @throws {TreehouseError} `bad-config` where its sockets would have too long names. */
async function makeEntrance(folder: string): Promise<string> {
  const entrance = join(folder, 'entrance');
  const longest = entranceFiles(entrance).https;
  if (Buffer.byteLength(longest) > SOCKET_PATH_MAX) {
    throw new TreehouseError(
      'bad-config',
      `the gateway cannot listen on ${longest}: a socket's path has at most ${SOCKET_PATH_MAX} bytes; choose a shorter TREEHOUSE_HOME`,
    );
  }
  await mkdir(entrance, { recursive: true, mode: 0o700 });
  await removeEntrance(entrance);
  return entrance;
}

async function removeEntrance(entrance: string): Promise<void> {
  for (const file of Object.values(entranceFiles(entrance))) await rm(file, { force: true });
}

/** What nginx does not take over of one that was killed. */
async function removeSockets({ control, entrance }: Frame): Promise<void> {
  const { http, https } = entranceFiles(entrance ?? '');
  for (const socket of [control, ...(entrance === undefined ? [] : [http, https])]) await rm(socket, { force: true });
}

function controlSocket(folder: string, temporary: string): string {
  const path = join(folder, 'control.sock');
  return Buffer.byteLength(path) <= SOCKET_PATH_MAX ? path : join(temporary, 'control', 'control.sock');
}

/** What a run leaves, in order or killed: its socket, its temporary folder and its copy of the certificate's key. */
async function removeFiles(folder: string): Promise<void> {
  const note = join(folder, 'temporary');
  const temporary = await readFile(note, 'utf8').catch(() => '');
  await rm(join(folder, 'control.sock'), { force: true });
  await rm(pairFile(folder), { force: true });
  if (temporary.startsWith(TEMPORARY) && dirname(temporary) === tmpdir()) {
    await rm(temporary, { recursive: true, force: true });
  }
  await rm(note, { force: true });
}

async function eventually(holds: () => Promise<boolean>, within: number): Promise<boolean> {
  const deadline = performance.now() + within;
  while (!(await holds())) {
    if (performance.now() > deadline) return false;
    await delay(POLL_EVERY);
  }
  return true;
}

function ask(socketPath: string, path: string): Promise<string> {
  return new Promise((done, reject) => {
    const asked = request({ socketPath, path, agent: false, signal: AbortSignal.timeout(2_000) }, (response) => {
      response.setEncoding('utf8');
      response.toArray().then((chunks) => done(chunks.join('')), reject);
    });
    asked.once('error', reject);
    asked.end();
  });
}
