/** What a converge is given: what others share with it, and what it alone takes, such as Compose, the builder and scanners. */
import { randomInt } from 'node:crypto';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type Docker from 'dockerode';
import { boundedBuilder } from './adapters/build-limits.ts';
import { composeCommands, findPlugin } from './adapters/compose.ts';
import { rememberingComposer } from './adapters/compose-memory.ts';
import { engineBuilder } from './adapters/engine-build.ts';
import { containerMaker } from './adapters/engine-create.ts';
import { lookUp } from './adapters/look-up.ts';
import { runProcess } from './adapters/run-process.ts';
import type { Config } from './config.ts';
import type { ConvergeDeps } from './converge/deps.ts';
import { buildId } from './domain/names.ts';
import { createScanner } from './supply/scan.ts';
import { drains } from './teardown/drain.ts';

const USUAL_PORT = { http: 80, https: 443 } as const;
const TEMPLATES = fileURLToPath(new URL('../templates', import.meta.url));

type Shared = Pick<
  ConvergeDeps,
  | 'clock'
  | 'admission'
  | 'git'
  | 'forge'
  | 'forks'
  | 'engine'
  | 'images'
  | 'fullest'
  | 'secrets'
  | 'gateway'
  | 'links'
  | 'probe'
  | 'registry'
  | 'store'
  | 'walls'
  | 'log'
  | 'instance'
  | 'builds'
  | 'repositories'
>;

export async function convergeDeps(config: Config, docker: Docker, shared: Shared): Promise<ConvergeDeps> {
  const commands = composeCommands({
    home: config.home,
    path: config.path,
    dockerHost: config.dockerHost,
    compose: await findPlugin('docker-compose', config.userHome),
    buildx: await findPlugin('docker-buildx', config.userHome),
  });
  return {
    ...shared,
    scan: createScanner({
      run: runProcess,
      cache: path.join(config.home, 'scanners'),
      path: config.path,
      dockerHost: config.dockerHost,
    }),
    lookUp,
    allowsPrivate: config.egress === 'all',
    composer: rememberingComposer(commands),
    maker: containerMaker(docker),
    builder: boundedBuilder(docker, engineBuilder(docker, commands), config.buildLimits, (reason) =>
      shared.log.warn({ reason }, 'build steps are bounded by time alone'),
    ),
    newBuild: () => buildId(Date.now(), randomInt(1296)),
    hostOf: (label) => `${label}.${config.domain}`,
    gatewayVariables: config.gateway === 'nginx-proxy' ? config.gatewayVariables : {},
    urlOf: urlsOf(config),
    templates: TEMPLATES,
    seccomp: path.join(TEMPLATES, 'isolation', 'seccomp.json'),
    patience: config.patience,
    startLimit: config.startLimit * 1000,
    drains: drains(config.drain * 1000),
  };
}

/** The whole URL of a host label. */
export function urlsOf({
  domain,
  gateway,
  gatewayPort,
  tls,
  publicScheme,
  publicPort,
}: Pick<Config, 'domain' | 'gateway' | 'gatewayPort' | 'tls' | 'publicScheme' | 'publicPort'>): (
  label: string,
) => string {
  // What is published as 443 has TLS, if not here then at a proxy.
  const scheme = publicScheme ?? (tls || publicPort === USUAL_PORT.https ? 'https' : 'http');
  const own = scheme === 'https' ? (tls?.port ?? gatewayPort) : gatewayPort;
  const port = publicPort ?? (gateway === 'nginx-proxy' ? USUAL_PORT[scheme] : own);
  return (label) => `${scheme}://${label}.${domain}${port === USUAL_PORT[scheme] ? '' : `:${port}`}/`;
}
