/** The port `Gateway` over the control socket of Treehouse's nginx; docs/gateway.md tells the whole way. */
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { isIPv4, isIPv6 } from 'node:net';
import type { Doorkeeper, Guard, OpenLink } from '../domain/guards.ts';
import type { BuildId, PreviewId } from '../domain/names.ts';
import type { Gateway, Route, Visit } from '../domain/ports.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { locked } from '../file-lock.ts';
import { writeWhole } from '../whole-file.ts';

export interface NginxGatewayOptions {
  readonly controlSocket: string;
  /** Read by nginx when it starts, as is the next. */
  readonly routesFile: string;
  readonly guardsFile: string;
  /** Held while they are written, where other processes write them too. */
  readonly lockFile?: string;
}

const ANSWER_WITHIN = 5_000;
/** Another process that writes asks nginx twice. */
const LOCK_WITHIN = 4 * ANSWER_WITHIN;

export class NginxGateway implements Gateway, Doorkeeper {
  readonly #controlSocket: string;
  readonly #routesFile: string;
  readonly #guardsFile: string;
  readonly #lockFile: string | undefined;
  /** The last write: writers follow each other, since all share the one file. */
  #writing: Promise<unknown> = Promise.resolve();

  constructor(options: NginxGatewayOptions) {
    this.#controlSocket = options.controlSocket;
    this.#routesFile = options.routesFile;
    this.#guardsFile = options.guardsFile;
    this.#lockFile = options.lockFile;
  }

  /** Another whenever nginx was started anew, and so has forgotten who sleeps, and the links. */
  born(): Promise<string> {
    return this.#ask('GET', '/born', 'asking the gateway since when it runs');
  }

  /** It is in the networks of all previews: who waited for that is let in. */
  async told(): Promise<void> {
    await this.#ask('PUT', '/told', 'letting visitors in');
  }

  /** From now on each connection ends with its next answer. */
  async leave(): Promise<void> {
    await this.#ask('PUT', '/leaving', 'ending connections');
  }

  /** Whether something accepts a connection there, as the gateway sees it. */
  async listens(upstream: string): Promise<boolean> {
    const path = `/listens?upstream=${encodeURIComponent(upstream)}`;
    return (await this.#ask('GET', path, `trying ${upstream}`)) === 'yes';
  }

  async routesOf(preview: PreviewId): Promise<readonly Route[]> {
    return routesIn(await this.#ask('GET', `/previews/${preview}`, `reading the routes of ${preview}`));
  }

  async routes(): Promise<readonly Route[]> {
    return routesIn(await this.#ask('GET', '/routes', 'reading the routes'));
  }

  /** @throws {TreehouseError} `route-failed`; transient where nginx does not answer. */
  setRoutes(preview: PreviewId, routes: readonly Route[]): Promise<boolean> {
    const fault = routesFault(preview, routes);
    if (fault) return Promise.reject(new TreehouseError('route-failed', `setting the routes of ${preview}: ${fault}`));
    return this.#inTurn(() => this.#write(preview, routes));
  }

  #inTurn<T>(write: () => Promise<T>): Promise<T> {
    const file = this.#lockFile;
    const alone = file === undefined ? write : () => locked(file, AbortSignal.timeout(LOCK_WITHIN), write);
    const done = this.#writing.then(alone);
    this.#writing = done.catch(() => undefined);
    return done;
  }

  async inFlight(upstream: string): Promise<number> {
    return this.#count('inflight', upstream);
  }

  async visiting(upstream: string): Promise<number> {
    return this.#count('visiting', upstream);
  }

  async #count(what: 'inflight' | 'visiting', upstream: string): Promise<number> {
    const path = `/${what}?upstream=${encodeURIComponent(upstream)}`;
    return Number(await this.#ask('GET', path, `counting the open requests of ${upstream}`));
  }

  async visits(): Promise<readonly Visit[]> {
    const text = await this.#ask('GET', '/visits', 'reading the visits');
    return linesOf(text).map((line) => {
      const [host = '', last, count] = line.split(' ');
      return { host, last: Math.round(Number(last) * 1_000), count: Number(count) };
    });
  }

  async close(preview: PreviewId): Promise<void> {
    await this.#ask('PUT', `/asleep/${preview}`, `holding the requests for ${preview}`);
  }

  async open(preview: PreviewId): Promise<void> {
    await this.#ask('DELETE', `/asleep/${preview}`, `letting the requests for ${preview} through`);
  }

  setGuards(guards: readonly Guard[]): Promise<void> {
    return this.#inTurn(async () => {
      const text = guardsText(guards);
      // The file first, as with routes.
      await this.#writeFile(this.#guardsFile, text, 'guarding previews');
      await this.#ask('PUT', '/guards', 'guarding previews', text);
    });
  }

  async setLinks(links: readonly OpenLink[]): Promise<void> {
    const lines = links.map(({ id, preview, expiresAt }) => `${id} ${preview} ${Math.floor(expiresAt)}\n`);
    await this.#ask('PUT', '/links', 'telling the links', lines.join(''));
  }

  /** What new handshakes get from now on: a PEM text of the chain and its key. */
  async setCertificate(pem: string): Promise<void> {
    await this.#ask('PUT', '/certificate', 'telling the certificate', pem);
  }

  async #write(preview: PreviewId, routes: readonly Route[]): Promise<boolean> {
    const act = `setting the routes of ${preview}`;
    const all = await this.routes();
    const wanted = textOf(routes);
    const changed = wanted !== textOf(all.filter((route) => route.preview === preview));
    // The file first: whatever dies after this line, an nginx that starts anew has the new routes.
    const text = textOf([...all.filter((route) => route.preview !== preview), ...routes]);
    await this.#writeFile(this.#routesFile, text, act);
    if (changed) await this.#ask('PUT', `/previews/${preview}`, act, wanted);
    return changed;
  }

  async #writeFile(file: string, text: string, act: string): Promise<void> {
    try {
      if ((await readFile(file, 'utf8').catch(() => undefined)) !== text) await writeWhole(file, text);
    } catch (cause) {
      throw new TreehouseError('route-failed', `${act}: ${messageOf(cause)}`, { kind: 'transient', cause });
    }
  }

  #ask(method: string, path: string, act: string, body = ''): Promise<string> {
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown) => {
        const text = `${act}: the gateway's nginx does not answer at ${this.#controlSocket}: ${messageOf(cause)}`;
        reject(new TreehouseError('route-failed', text, { kind: 'transient', cause }));
      };
      const headers = { 'content-length': Buffer.byteLength(body) };
      const signal = AbortSignal.timeout(ANSWER_WITHIN);
      const asked = request({ socketPath: this.#controlSocket, method, path, headers, signal, agent: false });
      asked.once('error', fail);
      asked.once('response', async (response) => {
        try {
          const chunks: Buffer[] = [];
          for await (const chunk of response) chunks.push(chunk);
          const text = Buffer.concat(chunks).toString();
          if ((response.statusCode ?? 500) < 300) return resolve(text);
          reject(new TreehouseError('route-failed', `${act}: the gateway answered ${response.statusCode}: ${text}`));
        } catch (cause) {
          fail(cause);
        }
      });
      asked.end(body);
    });
  }
}

/** One line a repository, `slug access mark prefix…`: what the file and the control server hold. */
export function guardsText(guards: readonly Guard[]): string {
  const lines = guards.map(({ slug, access, mark }) =>
    [slug === '' ? '-' : slug, access.mode, mark ?? '-', ...access.open].join(' '),
  );
  return lines.map((line) => `${line}\n`).join('');
}

/** One line a route, `host preview build upstream`, by host: what the file and the control server hold. */
function textOf(routes: readonly Route[]): string {
  const lines = routes.map((route) => `${route.host} ${route.preview} ${route.build} ${route.upstream}\n`);
  return lines.toSorted().join('');
}

function routesIn(text: string): readonly Route[] {
  return linesOf(text).map((line) => {
    const [host = '', preview = '', build = '', upstream = ''] = line.split(' ');
    // Nothing but `setRoutes` writes them, so they are what it was given.
    return { host, preview: preview as PreviewId, build: build as BuildId, upstream };
  });
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}

function routesFault(preview: PreviewId, routes: readonly Route[]): string | undefined {
  if (!isLabel(preview)) return 'the preview is not a DNS label';
  if (new Set(routes.map((route) => route.host)).size !== routes.length) return 'a host is named twice';
  for (const route of routes) {
    if (route.preview !== preview) return `${route.host} is a route of ${route.preview}`;
    if (!isLabel(route.host)) return `'${route.host}' is not a DNS label`;
    if (!/^[a-z0-9]{1,64}$/.test(route.build)) return `'${route.build}' is not a build's id`;
    if (!isUpstream(route.upstream)) return `'${route.upstream}' is not an address and a port`;
  }
  return undefined;
}

function isLabel(text: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text);
}

function isUpstream(text: string): boolean {
  const parts = /^(?:([0-9.]+)|\[([0-9a-f:.]+)\]):([1-9][0-9]{0,4})$/.exec(text);
  if (!parts) return false;
  const [, v4, v6, port] = parts;
  return (v4 === undefined ? isIPv6(v6 ?? '') : isIPv4(v4)) && Number(port) <= 65_535;
}
