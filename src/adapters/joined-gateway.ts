/** The own gateway where it is a container: it is put into a preview's network before a route leads there, or anything there is tried. */
import type Docker from 'dockerode';
import { LABEL } from '../domain/labels.ts';
import type { PreviewId } from '../domain/names.ts';
import type { Probe, Route } from '../domain/ports.ts';
import { orAway } from './engine-errors.ts';
import type { GatewayJoins } from './gateway-joins.ts';
import { NginxGateway, type NginxGatewayOptions } from './nginx-gateway.ts';
import { untilListening } from './probe.ts';

export interface JoinedOptions extends NginxGatewayOptions {
  readonly docker: Docker;
  /** See LABEL.instance. */
  readonly instance: string;
  readonly joins: GatewayJoins;
}

export class JoinedGateway extends NginxGateway {
  readonly #options: JoinedOptions;

  constructor(options: JoinedOptions) {
    super(options);
    this.#options = options;
  }

  override async setRoutes(preview: PreviewId, routes: readonly Route[]): Promise<boolean> {
    await this.#join(
      routes.map((one) => one.upstream),
      [`${LABEL.preview}=${preview}`],
    );
    return super.setRoutes(preview, routes);
  }

  override async listens(upstream: string): Promise<boolean> {
    await this.#join([upstream], []);
    return super.listens(upstream);
  }

  /** A container that was made anew is in none of the networks that its routes lead into. */
  async joinAgain(): Promise<void> {
    const routes = await this.routes();
    await this.#join(
      routes.map((one) => one.upstream),
      [],
    );
  }

  /** Joins the networks in which these addresses are. */
  async #join(upstreams: readonly string[], labels: readonly string[]): Promise<void> {
    if (upstreams.length === 0) return;
    const { docker, instance, joins } = this.#options;
    const filters = JSON.stringify({ label: [`${LABEL.instance}=${instance}`, ...labels] });
    const containers = await orAway('looking for the networks of routes', docker.listContainers({ filters }));
    const addresses = new Set(upstreams.map((one) => one.slice(0, one.lastIndexOf(':'))));
    const found = containers.flatMap((one) =>
      Object.entries(one.NetworkSettings.Networks).filter(([, { IPAddress }]) => addresses.has(IPAddress)),
    );
    await joins.join([...new Set(found.map(([name]) => name))]);
  }
}

/** Tries a TCP port as the gateway sees it: a worker may be in no network of the preview. */
export function gatewayProbe(gateway: Pick<NginxGateway, 'listens'>): Probe {
  return {
    listening: (host, port, signal) => untilListening(signal, () => gateway.listens(`${host}:${port}`)),
  };
}
