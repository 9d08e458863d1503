/** One question each, of Treehouse's own home, ports and settings. Pure. */

import { isLoopback } from '../domain/loopback.ts';
import { type Facts, type FileMode, isUnseen, type Settings } from './facts.ts';
import { addressOf, octal } from './host-judges.ts';
import { isReachable } from './measures.ts';
import { hasPart } from './part-judges.ts';
import { list } from './shown.ts';
import { found, type Verdict } from './verdict.ts';

export type RepositoryFacts = Settings['repositories'][number];

export function homeMode({ home }: Facts): Verdict {
  if (home.folder === undefined || isUnseen(home.folder)) return home.folder;
  return isOpen(home.folder) ? found(`${home.path} is ${octal(home.folder.mode)}`) : undefined;
}

export function keyModes({ home }: Facts): Verdict {
  const owner = home.folder === undefined || isUnseen(home.folder) ? 0 : home.folder.uid;
  const texts = home.keys.flatMap((one) => {
    if (isOpen(one)) return [`${one.name} (${octal(one.mode)})`];
    return one.uid === owner || one.uid === 0 ? [] : [`${one.name} (of the user ${one.uid})`];
  });
  return texts.length === 0 ? undefined : found(`in ${home.path}: ${list(texts)}`);
}

export function configMode({ home }: Facts): Verdict {
  const { config } = home;
  if (config === undefined || (config.mode & 0o022) === 0) return undefined;
  return found(`${config.path} is ${octal(config.mode)}: others may write it`);
}

export function treehouseListens({ settings, host }: Facts): Verdict {
  return listens(settings.host, settings.port, host.listeners);
}

export function gatewayListens({ settings, host }: Facts): Verdict {
  return listens(settings.gatewayHost, settings.gatewayPort, host.listeners);
}

export function gatewayTls({ settings }: Facts): Verdict {
  const { gatewayHost, tls, trustedProxies } = settings;
  if (isLoopback(gatewayHost) || tls) return undefined;
  // Who names a proxy has told it what to do with TLS; nobody can see from here.
  if (trustedProxies.length > 0) return undefined;
  return found(`what comes to ${gatewayHost}, passwords and links too, can be read on the way`);
}

export function tlsKeyMode({ settings, home }: Facts): Verdict {
  const { tlsKey } = home;
  if (!settings.tls || tlsKey === undefined) return undefined;
  if (isUnseen(tlsKey)) return tlsKey;
  return (tlsKey.mode & 0o007) === 0 ? undefined : found(`${settings.tls.key} is ${octal(tlsKey.mode)}`);
}

export function redisLoopback({ settings, home, host, engine }: Facts): Verdict {
  if (settings.redisUrl !== undefined) {
    const url = new URL(settings.redisUrl);
    if (url.protocol === 'unix:' || isLoopback(url.hostname)) return undefined;
    if (url.password === '') return found(`${url.host} is asked without a password`);
    // The installation's own is in a network with those alone who use it.
    if (url.hostname === 'redis' && hasPart(engine, settings.home, 'redis')) return undefined;
    return url.protocol === 'rediss:' ? undefined : found(`${url.host} is asked without TLS`, 'warn');
  }
  return home.redisPort === undefined ? undefined : reached(home.redisPort, host.listeners);
}

export function registryLoopback({ settings, home, host }: Facts): Verdict {
  if (settings.registry !== undefined) {
    if (settings.registry === 'none' || isLoopback(settings.registry.replace(/:\d+$/, ''))) return undefined;
    return found(`${settings.registry} is beyond this host, and is pushed to without a login`, 'warn');
  }
  return home.registryPort === undefined ? undefined : reached(home.registryPort, host.listeners);
}

export function walls({ settings, host, engine }: Facts): Verdict {
  if (settings.firewall === 'off') return found('firewall is off: previews reach what listens on this host');
  if (isUnseen(host.walls)) return host.walls;
  if (host.walls) return undefined;
  const running = isUnseen(engine) ? 0 : engine.containers.length;
  // Treehouse raises them when it starts.
  return running > 0
    ? found('its rules are absent while previews run: they reach what listens on this host')
    : undefined;
}

export function egress({ settings }: Facts): Verdict {
  return settings.egress === 'all' ? found('previews reach private networks too (egress: all)') : undefined;
}

export function imageScan({ scan }: RepositoryFacts): Verdict {
  if (scan === undefined) return found('no scanner looks its images through');
  const { mode } = scan as { mode?: unknown };
  return mode === 'report' ? found('what the scanner finds is only reported', 'info') : undefined;
}

export function imageRules({ images }: RepositoryFacts): Verdict {
  const { registries, allow } = (images ?? {}) as { registries?: unknown; allow?: unknown };
  return registries === undefined && allow === undefined ? found('its images may come from anywhere') : undefined;
}

function isOpen(file: FileMode): boolean {
  return (file.mode & 0o077) !== 0;
}

/** What listens now is truer than what the settings say; where nothing does, the settings say what will. */
function listens(host: string, port: number, listeners: Facts['host']['listeners']): Verdict {
  const now = reached(port, listeners);
  if (now && 'found' in now) return now;
  if (!isLoopback(host)) return found(`it is set to listen on ${host}, port ${port}`);
  return now;
}

function reached(port: number, listeners: Facts['host']['listeners']): Verdict {
  if (isUnseen(listeners)) return listeners;
  const open = listeners.filter((one) => one.port === port && isReachable(one.address));
  return open.length > 0 ? found(`something listens on ${list(open.map(addressOf))}`) : undefined;
}
