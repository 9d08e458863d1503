/**
 * The port `Gateway` over a stock nginx-proxy: it finds exposed containers by their VIRTUAL_HOST, and reaches those that it shares
 * a network with. So a route is a join, read back from the engine; docs/nginx-proxy.md tells what that means.
 */
import type Docker from 'dockerode';
import type { Doorkeeper, Guard } from '../domain/guards.ts';
import { LABEL } from '../domain/labels.ts';
import type { BuildId, PreviewId } from '../domain/names.ts';
import type { Gateway, Route, Visit } from '../domain/ports.ts';
import { TreehouseError } from '../errors.ts';
import type { Bell } from './docker-gen-bell.ts';
import { orAway } from './engine-errors.ts';
import { labelledAs, networkOf } from './engine-labels.ts';
import type { GatewayJoins } from './gateway-joins.ts';

export interface NginxProxyOptions {
  readonly docker: Docker;
  /** See LABEL.instance. */
  readonly instance: string;
  readonly joins: GatewayJoins;
  readonly bell: Bell;
  /** Milliseconds after which nginx-proxy surely has what it was told; default 3 s. */
  readonly settle?: number;
}

const SETTLE = 3_000;
/** Of a container that does not run, and has no address. */
const NOWHERE = '0.0.0.0';

/** A network of an app's build. */
interface Network {
  readonly name: string;
  readonly preview: PreviewId;
  readonly build: BuildId;
}

/** A container that is reached from outside. */
interface Exposed {
  readonly preview: PreviewId;
  readonly host: string;
  readonly port: number;
  /** Name → address there. */
  readonly networks: ReadonlyMap<string, string>;
}

export class NginxProxyGateway implements Gateway, Doorkeeper {
  readonly #docker: Docker;
  readonly #instance: string;
  readonly #joins: GatewayJoins;
  readonly #bell: Bell;
  readonly #settle: number;
  /** Of these docker-gen may not know the last change. */
  readonly #unheard = new Set<PreviewId>();
  /** `ip:port` → when nginx-proxy surely sends only what it should there, by `performance.now`. */
  readonly #settledAt = new Map<string, number>();

  constructor(options: NginxProxyOptions) {
    this.#docker = options.docker;
    this.#instance = options.instance;
    this.#joins = options.joins;
    this.#bell = options.bell;
    this.#settle = options.settle ?? SETTLE;
  }

  routesOf(preview: PreviewId): Promise<readonly Route[]> {
    return this.#read([`${LABEL.preview}=${preview}`]);
  }

  routes(): Promise<readonly Route[]> {
    return this.#read([]);
  }

  /** @throws {TreehouseError} `route-failed`, also where the proxy's container is missing; `bad-config` where it cannot be joined. */
  async setRoutes(preview: PreviewId, routes: readonly Route[]): Promise<boolean> {
    const [networks, exposed] = await this.#see([`${LABEL.preview}=${preview}`]);
    const build = routes[0]?.build;
    // Of a build that is newer it would be read that it serves. What is older stays until its network goes: visitors are in it.
    const wrong = networks.filter((one) => build === undefined || one.build > build).map((one) => one.name);
    const wanted = networks.filter((one) => one.build === build).map((one) => one.name);
    const ways = new Set(routes.map((route) => wayTo(route, exposed, wanted)));
    const left = await this.#joins.leave(wrong);
    if (left) this.#unheard.add(preview);
    const isNew = await this.#joins.join([...ways]);
    if (isNew) this.#unheard.add(preview);
    if (this.#unheard.has(preview)) {
      await this.#bell.ring();
      this.#unheard.delete(preview);
      this.#settleSoon(exposed);
    }
    return left || isNew;
  }

  /** nginx-proxy does not count: until it surely sends to the new one too, the old one has a request. */
  async inFlight(upstream: string): Promise<number> {
    return performance.now() < (this.#settledAt.get(upstream) ?? 0) ? 1 : 0;
  }

  /** Nobody is seen to visit; what would end a preview for that is refused by the configuration. */
  async visiting(_upstream: string): Promise<number> {
    return 0;
  }

  async visits(): Promise<readonly Visit[]> {
    return [];
  }

  /** A host whose containers are stopped has no route: its visitors are sent to DEFAULT_HOST, which is Treehouse. */
  async close(_preview: PreviewId): Promise<void> {}

  async open(_preview: PreviewId): Promise<void> {}

  /** @throws {TreehouseError} `bad-config` where visitors are to be asked for anything: nobody would ask them. */
  async setGuards(guards: readonly Guard[]): Promise<void> {
    const guarded = guards.find((one) => one.access.mode !== 'public');
    if (!guarded) return;
    const text = `nginx-proxy shows previews to anybody, and those of ${guarded.slug} are not for anybody: take gateway: own`;
    throw new TreehouseError('bad-config', text);
  }

  /** Links open what is closed, and nothing is. */
  async setLinks(): Promise<void> {}

  #settleSoon(exposed: readonly Exposed[]): void {
    const now = performance.now();
    for (const [upstream, at] of this.#settledAt) if (at < now) this.#settledAt.delete(upstream);
    for (const { networks, port } of exposed) {
      for (const address of networks.values()) this.#settledAt.set(`${address}:${port}`, now + this.#settle);
    }
  }

  async #read(labels: readonly string[]): Promise<readonly Route[]> {
    const [joined, [networks, exposed]] = await Promise.all([this.#joins.joined(), this.#see(labels)]);
    const inside = networks.filter((one) => joined.has(one.name));
    const newest = new Map<PreviewId, BuildId>();
    for (const { preview, build } of inside) {
      if (build > (newest.get(preview) ?? '')) newest.set(preview, build);
    }
    return [...newest].flatMap(([preview, build]) => {
      const names = inside.filter((one) => one.preview === preview && one.build === build).map((one) => one.name);
      const reached = exposed.filter((one) => one.preview === preview && names.some((name) => one.networks.has(name)));
      return reached.map(({ host, port, networks: own }) => {
        const address = [...own.values()].find((ip) => ip !== '') ?? NOWHERE;
        return { host, preview, build, upstream: `${address}:${port}` };
      });
    });
  }

  async #see(labels: readonly string[]): Promise<readonly [readonly Network[], readonly Exposed[]]> {
    const label = [`${LABEL.instance}=${this.#instance}`, ...labels];
    const [networks, containers] = await orAway(
      'reading the routes',
      Promise.all([
        this.#docker.listNetworks({ filters: JSON.stringify({ label: [...label, `${LABEL.role}=network`] }) }),
        this.#docker.listContainers({
          all: true,
          filters: JSON.stringify({ label: [...label, `${LABEL.role}=app`] }),
        }),
      ]),
    );
    return [
      networks.map((one) => ({ ...networkOf(one), preview: previewOf(one.Labels) })),
      containers.flatMap((one) => {
        const { exposed } = labelledAs(one.Labels);
        const addresses = Object.entries(one.NetworkSettings.Networks).map(
          ([name, { IPAddress }]) => [name, IPAddress] as const,
        );
        return exposed ? [{ ...exposed, preview: previewOf(one.Labels), networks: new Map(addresses) }] : [];
      }),
    ];
  }
}

/** Of the build's networks the one in which the host's new container is. */
function wayTo(route: Route, exposed: readonly Exposed[], networks: readonly string[]): string {
  const address = route.upstream.slice(0, route.upstream.lastIndexOf(':'));
  const container = exposed.find((one) => one.host === route.host && [...one.networks.values()].includes(address));
  const way = networks.toSorted().find((name) => container?.networks.has(name));
  if (way !== undefined) return way;
  const text = `setting the routes of ${route.preview}: no container for ${route.host} at ${address} is in a network of build ${route.build}`;
  throw new TreehouseError('route-failed', text, { kind: 'transient' });
}

/** Treehouse labelled it. */
function previewOf(labels: Readonly<Record<string, string>> | undefined): PreviewId {
  return (labels?.[LABEL.preview] ?? '') as PreviewId;
}
