/** The same stack outside of Treehouse: one container of the same image, in a network of its own. */
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { LABEL } from '../src/domain/labels.ts';
import type { PreviewId } from '../src/domain/names.ts';
import type { Cleanup } from './cleanup.ts';
import { containersOf } from './engine.ts';
import { ask } from './visitor.ts';

export interface Bare {
  /** Milliseconds from `docker start` until it is healthy and answers; it is stopped again. */
  start(signal: AbortSignal): Promise<number>;
}

/** Made like the container of a preview, but for its labels and its network. */
export async function makeBare(docker: Docker, like: PreviewId, name: string, cleanup: Cleanup): Promise<Bare> {
  const [found] = await containersOf(docker, [`${LABEL.preview}=${like}`]);
  if (!found) throw new Error(`${like} has no container`);
  const { Config, HostConfig } = await docker.getContainer(found.Id).inspect();
  const network = await docker.createNetwork({ Name: name, Driver: 'bridge' });
  cleanup.add(`the network ${name}`, () => network.remove());
  const container = await docker.createContainer({
    name,
    Image: Config.Image,
    // Those of the image would make it Treehouse's.
    Labels: Object.fromEntries(Object.keys(Config.Labels).map((one) => [one, ''])),
    ...(Config.Healthcheck ? { Healthcheck: Config.Healthcheck } : {}),
    HostConfig: { ...HostConfig, NetworkMode: name },
  });
  cleanup.add(`the container ${name}`, () => container.remove({ force: true }));
  return {
    async start(signal) {
      let onAbort = (): void => {};
      const events = (await docker.getEvents({
        filters: JSON.stringify({ container: [container.id], event: ['health_status'] }),
      })) as unknown as Readable;
      try {
        const healthy = new Promise<void>((resolve, reject) => {
          events.on('data', (chunk: Buffer) => chunk.includes('health_status: healthy') && resolve());
          events.once('error', reject);
          onAbort = () => reject(signal.reason);
          signal.addEventListener('abort', onAbort);
        });
        const began = performance.now();
        await container.start();
        await healthy;
        const { NetworkSettings } = await container.inspect();
        const address = NetworkSettings.Networks[name]?.IPAddress ?? '';
        while ((await ask({ address, port: 80, host: address }).catch(() => undefined))?.status !== 200) await delay(5);
        return performance.now() - began;
      } finally {
        signal.removeEventListener('abort', onAbort);
        events.destroy();
        await container.stop({ t: 10 });
      }
    },
  };
}
