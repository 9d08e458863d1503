/** By which variables nginx-proxy finds a container that is reached from outside, and what it is told of it. Pure. */

export interface VirtualHost {
  /** The first label of its host name. */
  readonly label: string;
  /** Its whole host name. */
  readonly host: string;
  readonly port: number;
  /** What the admin wants nginx-proxy to be told beside; absent where that is nothing. */
  readonly variables?: Readonly<Record<string, string>>;
}

/** @param variables the admin's; `{host}` in them becomes the host */
export function virtualHost(
  label: string,
  host: string,
  port: number,
  variables: Readonly<Record<string, string>>,
): VirtualHost {
  const filled = Object.entries(variables).map(([name, value]) => [name, value.replaceAll('{host}', host)]);
  return { label, host, port, ...(filled.length > 0 ? { variables: Object.fromEntries(filled) } : {}) };
}

/**
 * @param taken names that the image sets, each of which is emptied before. Of these nginx-proxy 1.8 takes two even when they are
 * empty: it would leave the container out, or write a location without a path, which keeps all its configuration from being read.
 */
export function virtualEnvironment(virtual: VirtualHost, taken: readonly string[]): Record<string, string> {
  const { host, port, variables } = virtual;
  const ports = { [host]: { '/': { port: String(port) } } };
  return {
    ...(taken.includes('VIRTUAL_PATH') ? { VIRTUAL_PATH: '/' } : {}),
    ...(taken.includes('VIRTUAL_HOST_MULTIPORTS') ? { VIRTUAL_HOST_MULTIPORTS: JSON.stringify(ports) } : {}),
    ...variables,
    VIRTUAL_HOST: host,
    VIRTUAL_PORT: String(port),
  };
}
