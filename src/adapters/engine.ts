/** The Docker engine through dockerode: everything is found by label. */
import type { Readable } from 'node:stream';
import Docker from 'dockerode';
import { LABEL } from '../domain/labels.ts';
import type { PreviewId } from '../domain/names.ts';
import type { ObservedContainer, ObservedStack } from '../domain/observed.ts';
import type { Engine, ImageInfo, NewNetwork, OnLine, RegistryLogin } from '../domain/ports.ts';
import type { PreviewKey } from '../domain/preview.ts';
import { abortReason, TreehouseError } from '../errors.ts';
import { away, engineText, failed, orAway, orGone, statusOf, tolerate } from './engine-errors.ts';
import { eventWatchers } from './engine-events.ts';
import { factsOf } from './engine-facts.ts';
import { healthOf } from './engine-health.ts';
import { keyOf, labelled, labelledAs, namesOf, networkOf, volumeOf } from './engine-labels.ts';
import { execIn, readLogs } from './engine-output.ts';

/** Where the engine is, as DOCKER_HOST says it: `unix:///path` or `tcp://host:port`; undefined for the usual socket. */
export function connectEngine(dockerHost: string | undefined): Docker {
  if (dockerHost === undefined || dockerHost === '') return new Docker({ socketPath: '/var/run/docker.sock' });
  const url = new URL(dockerHost);
  if (url.protocol === 'unix:') return new Docker({ socketPath: url.pathname });
  return new Docker({ protocol: 'http', host: url.hostname, port: Number(url.port || 2375) });
}

/** The registry that Treehouse pushes to, and as whom; no other is told the password. */
export interface OwnRegistry {
  readonly address: string;
  readonly login: RegistryLogin;
}

/** The `Engine` port over one connection, for what one Treehouse made: see LABEL.instance. */
export function dockerEngine(docker: Docker, instance: string, own?: OwnRegistry): Engine {
  const mine = `${LABEL.instance}=${instance}`;
  const watchers = eventWatchers(docker, mine);

  async function observe(preview: PreviewId): Promise<ObservedStack> {
    const [containers, networks, volumes, images] = await labelled(docker, [mine, `${LABEL.preview}=${preview}`]);
    const inspected = await Promise.all(containers.map((one) => container(one.Id)));
    return {
      preview,
      containers: inspected.filter((one) => one !== undefined),
      networks: networks.map(networkOf),
      volumes: volumes.map(volumeOf),
      images: images.flatMap((one) => namesOf(one.RepoTags, one.Id).map((reference) => ({ reference, id: one.Id }))),
    };
  }

  async function container(id: string): Promise<ObservedContainer | undefined> {
    const info = await orGone(docker.getContainer(id).inspect());
    if (!info) return undefined;
    return {
      id: info.Id,
      name: info.Name.replace(/^\//, ''),
      ...labelledAs(info.Config.Labels ?? {}),
      running: info.State.Running && !info.State.Restarting && !info.State.Paused,
      restarting: info.State.Restarting,
      ...(info.State.Paused ? { isPaused: true } : {}),
      exitCode: info.State.ExitCode,
      health: healthOf(info),
      restarts: info.RestartCount,
      networks: new Map(
        Object.entries(info.NetworkSettings.Networks ?? {}).map(([name, one]) => [name, one.IPAddress]),
      ),
      image: info.Config.Image,
      imageId: info.Image,
    };
  }

  async function previews(): Promise<PreviewKey[]> {
    const [containers, networks, volumes, images] = await labelled(docker, [mine, LABEL.preview]);
    const found = new Map<string, PreviewKey>();
    for (const one of [...containers, ...networks, ...volumes, ...images]) {
      const key = keyOf(one.Labels ?? {});
      if (key) found.set(key.id, key);
    }
    return [...found.values()];
  }

  return {
    observe,
    previews,
    container,
    watch: watchers.watch,
    watchAll: watchers.watchAll,

    async facts(id) {
      const info = await orGone(docker.getContainer(id).inspect());
      if (!info) throw away('looking at a container', new Error('it is gone'));
      return factsOf(info);
    },
    async start(id) {
      const it = docker.getContainer(id);
      await it.start().catch(async (cause: unknown) => {
        if (statusOf(cause) === 304) return;
        // What is paused cannot be started.
        const goesOn =
          statusOf(cause) === 409 &&
          (await it.unpause().then(
            () => true,
            () => false,
          ));
        if (goesOn) return;
        throw failed('starting it', cause, 'start-failed');
      });
    },
    async pause(id) {
      await tolerate(docker.getContainer(id).pause(), [404, 409]);
    },
    async stop(id, seconds) {
      await tolerate(docker.getContainer(id).stop({ t: seconds }), [304, 404]);
    },
    async wait(id, signal) {
      const end = await orAway(
        'waiting for a container',
        docker.getContainer(id).wait({ abortSignal: signal }),
        signal,
      );
      return (end as { StatusCode: number }).StatusCode;
    },
    async removeContainer(id) {
      await tolerate(docker.getContainer(id).remove({ force: true, v: true }), [404, 409]);
    },
    exec: (id, command, onLine, signal) => execIn(docker, docker.getContainer(id), command, onLine, signal),
    logs: (id, options, onLine, signal) => readLogs(docker.getContainer(id), options, onLine, signal),

    async image(reference) {
      const info = await orGone(docker.getImage(reference).inspect());
      return info ? imageInfo(info) : undefined;
    },
    async tag(image, reference) {
      const { repo, tag } = splitReference(reference);
      await orAway(`naming ${image}`, docker.getImage(image).tag({ repo, tag }));
    },
    async pull(reference, onLine, signal) {
      await progress(
        docker,
        await pullStream(docker, reference, signal, authOf(reference, own)),
        `pulling ${reference}`,
        'image-missing',
        onLine,
        signal,
      );
    },
    async push(reference, onLine, signal) {
      const { repo, tag } = splitReference(reference);
      const stream = await docker
        .getImage(repo)
        .push({ tag, authconfig: authOf(reference, own) ?? NOBODY, abortSignal: signal })
        .catch((cause: unknown) => {
          if (signal.aborted) throw abortReason(signal);
          throw failed(`pushing ${reference}`, cause, 'push-failed', 'transient');
        });
      const last = await progress(docker, stream, `pushing ${reference}`, 'push-failed', onLine, signal);
      const digest = last.find((one) => one.aux?.Digest !== undefined)?.aux?.Digest;
      if (digest === undefined) {
        throw new TreehouseError('push-failed', `pushing ${reference} failed: no digest came back`, {
          kind: 'transient',
        });
      }
      return digest;
    },
    async removeImage(reference) {
      await tolerate(docker.getImage(reference).remove({ force: false }), [404, 409]);
    },

    async createNetwork(network) {
      await createNetwork(docker, network);
    },
    async connect(network, id, aliases) {
      await docker
        .getNetwork(network)
        .connect({ Container: id, EndpointConfig: { Aliases: [...aliases] } })
        .catch((cause: unknown) => {
          // 403: it is connected already.
          if (statusOf(cause) !== 403) throw away(`joining ${network}`, cause);
        });
    },
    async disconnect(network, id) {
      await tolerate(docker.getNetwork(network).disconnect({ Container: id, Force: true }), [403, 404, 500]);
    },
    async removeNetwork(network) {
      await tolerate(docker.getNetwork(network).remove(), [404]);
    },
    async createVolume(name, labels) {
      await orAway(`making the volume ${name}`, docker.createVolume({ Name: name, Labels: { ...labels } }));
    },
    async removeVolume(volume) {
      await tolerate(docker.getVolume(volume).remove(), [404]);
    },
  };
}

function imageInfo(info: Docker.ImageInspectInfo): ImageInfo {
  const ports = Object.keys(info.Config.ExposedPorts ?? {})
    .filter((port) => port.endsWith('/tcp') || !port.includes('/'))
    .map((port) => Number.parseInt(port, 10));
  const nanoseconds = (info.Config as { Healthcheck?: { Interval?: number } }).Healthcheck?.Interval ?? 0;
  return {
    id: info.Id,
    ports: ports.sort((a, b) => a - b),
    volumes: Object.keys(info.Config.Volumes ?? {}),
    variables: (info.Config.Env ?? []).map((one) => one.split('=')[0] ?? ''),
    ...(nanoseconds > 0 ? { checkEvery: nanoseconds / 1e9 } : {}),
  };
}

async function createNetwork(docker: Docker, network: NewNetwork): Promise<void> {
  await docker
    .createNetwork({
      Name: network.name,
      Driver: 'bridge',
      Options: { 'com.docker.network.bridge.name': network.bridge },
      Internal: network.internal,
      Labels: { ...network.labels },
    })
    .catch((cause: unknown) => {
      if (statusOf(cause) === 409) return;
      // The engine has no code of its own for this; moby/libnetwork ipamutils words it so in every version since 1.13.
      if (/non-overlapping|address pool/i.test(engineText(cause)))
        throw new TreehouseError('networks-exhausted', NETWORKS_EXHAUSTED, { kind: 'transient', cause });
      throw away(`making the network ${network.name}`, cause);
    });
}

const NETWORKS_EXHAUSTED =
  'the engine has no addresses left for another network (its own default is about 31 networks). ' +
  'Give it more in /etc/docker/daemon.json, then restart it: ' +
  '{"default-address-pools": [{"base": "10.213.0.0/16", "size": 27}]} makes room for 2,048';

interface Progress {
  readonly status?: string;
  readonly id?: string;
  readonly error?: string;
  readonly progressDetail?: { readonly current?: number };
  readonly aux?: { readonly Digest?: string };
}

async function pullStream(
  docker: Docker,
  reference: string,
  signal: AbortSignal,
  auth: AuthConfig | undefined,
): Promise<NodeJS.ReadableStream> {
  const { repo, tag } = splitReference(reference);
  return docker.createImage(auth, { fromImage: repo, tag, abortSignal: signal }).catch((cause: unknown) => {
    if (signal.aborted) throw abortReason(signal);
    throw failed(`pulling ${reference}`, cause, 'image-missing');
  });
}

async function progress(
  docker: Docker,
  stream: NodeJS.ReadableStream,
  act: string,
  code: 'image-missing' | 'push-failed',
  onLine: OnLine,
  signal: AbortSignal,
): Promise<readonly Progress[]> {
  const all: Progress[] = [];
  await new Promise<void>((resolve, reject) => {
    const abort = () => (stream as Readable).destroy(abortReason(signal));
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    docker.modem.followProgress(
      stream,
      (broken) => {
        signal.removeEventListener('abort', abort);
        // The engine says 200 before it begins: what goes wrong later is the stream's last word.
        const error = all.find((one) => one.error !== undefined)?.error;
        if (signal.aborted) reject(abortReason(signal));
        else if (broken) reject(away(act, broken));
        else if (error) reject(failed(act, error, code, code === 'push-failed' ? 'transient' : 'terminal'));
        else resolve();
      },
      (one: Progress) => {
        all.push(one);
        // Bars are for a terminal; the log takes what has no running number.
        if (one.status !== undefined && one.progressDetail?.current === undefined) {
          onLine(one.id === undefined ? one.status : `${one.id}: ${one.status}`);
        }
      },
    );
  });
  return all;
}

type AuthConfig = Docker.AuthConfig;
/** The engine wants to be told of somebody. */
const NOBODY: AuthConfig = { username: '', password: '', serveraddress: '' };

function authOf(reference: string, own: OwnRegistry | undefined): AuthConfig | undefined {
  if (!own || !reference.startsWith(`${own.address}/`)) return undefined;
  return { username: own.login.user, password: own.login.password, serveraddress: own.address };
}

/** `host:port/a/b:tag` → what the engine's API wants apart. */
function splitReference(reference: string): { repo: string; tag: string } {
  const slash = reference.lastIndexOf('/');
  const at = reference.indexOf('@', slash);
  if (at > 0) return { repo: reference.slice(0, at), tag: reference.slice(at + 1) };
  const colon = reference.indexOf(':', slash + 1);
  return colon < 0
    ? { repo: reference, tag: 'latest' }
    : { repo: reference.slice(0, colon), tag: reference.slice(colon + 1) };
}
