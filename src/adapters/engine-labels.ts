/** How the engine is asked for what carries labels, and how those are read. */
import type Docker from 'dockerode';
import { LABEL } from '../domain/labels.ts';
import { type BuildId, type Commit, parsePreviewId, previewBranch, repositoryName } from '../domain/names.ts';
import type { ObservedContainer, ObservedNetwork, ObservedVolume } from '../domain/observed.ts';
import type { PreviewKey } from '../domain/preview.ts';
import { CONDITIONS } from '../domain/stack.ts';
import { away } from './engine-errors.ts';

/** Containers, networks, volumes and images that have all of the labels, each `name` or `name=value`. */
export function labelled(docker: Docker, labels: readonly string[]) {
  const filters = JSON.stringify({ label: labels });
  return Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
    docker.listVolumes({ filters }).then(({ Volumes }) => Volumes),
    docker.listImages({ filters }),
  ]).catch((cause: unknown) => {
    throw away('reading what runs', cause);
  });
}

export type Labelled = Awaited<ReturnType<typeof labelled>>;

/** The preview that a thing's labels name whole; undefined where they do not. */
export function keyOf(labels: Record<string, string>): PreviewKey | undefined {
  const id = parsePreviewId(labels[LABEL.preview] ?? '');
  if (!id) return undefined;
  try {
    return {
      id,
      repository: repositoryName(labels[LABEL.repository] ?? ''),
      branch: previewBranch(labels[LABEL.branch] ?? ''),
    };
  } catch {
    return undefined;
  }
}

/** What a container's labels say that it is. */
export function labelledAs(labels: Record<string, string>) {
  return {
    service: labels[LABEL.service] ?? '',
    role: labels[LABEL.role] === 'test' ? ('test' as const) : ('app' as const),
    build: (labels[LABEL.build] ?? '') as BuildId,
    commit: (labels[LABEL.commit] ?? '') as Commit,
    config: labels[LABEL.config] ?? '',
    after: startedAfter(labels),
    exposed: exposedAs(labels),
    ...((labels[LABEL.seed] ?? '') === '' ? {} : { isSeeded: true }),
  };
}

/** What starts before it when all of it is started again. */
function startedAfter(labels: Record<string, string>): ObservedContainer['after'] {
  return (labels[LABEL.after] ?? '').split(' ').flatMap((one) => {
    const [service = '', condition] = one.split(':');
    return CONDITIONS.flatMap((known) => (known === condition ? [{ service, condition: known }] : []));
  });
}

function exposedAs(labels: Record<string, string>): ObservedContainer['exposed'] {
  const host = labels[LABEL.host] ?? '';
  const port = Number(labels[LABEL.port]);
  return host === '' || !Number.isInteger(port) ? undefined : { host, port };
}

export function networkOf(one: Docker.NetworkInspectInfo): ObservedNetwork {
  const services = one.Labels?.[LABEL.services] ?? '';
  return {
    id: one.Id,
    name: one.Name,
    build: (one.Labels?.[LABEL.build] ?? '') as BuildId,
    commit: (one.Labels?.[LABEL.commit] ?? '') as Commit,
    key: one.Labels?.[LABEL.network] ?? '',
    role: one.Labels?.[LABEL.role] === 'test' ? 'test' : 'app',
    ...(services === '' ? {} : { services: services.split(' ') }),
    ...loginIn(one.Labels?.[LABEL.login]),
  };
}

function loginIn(label: string | undefined): Pick<ObservedNetwork, 'login'> {
  if (label === undefined) return {};
  // Only Treehouse sets labels with its prefix.
  return { login: JSON.parse(label) as readonly string[] };
}

export function volumeOf(one: {
  readonly Name: string;
  readonly Labels: Record<string, string> | null;
}): ObservedVolume {
  const seed = one.Labels?.[LABEL.seed] ?? '';
  const role = one.Labels?.[LABEL.role];
  return {
    name: one.Name,
    ...(seed === '' ? {} : { seededBy: seed as BuildId }),
    ...(role === 'seeded' || role === 'unserved' ? { mark: role } : {}),
  };
}

/** The names of an image, or its id where it has none. */
export function namesOf(tags: string[] | undefined, id: string): string[] {
  const real = (tags ?? []).filter((tag) => tag !== '<none>:<none>');
  return real.length > 0 ? real : [id];
}
