/**
 * docker-gen looks again when a container starts or dies, not when one joins a network (docs/nginx-proxy.md). So that it sees a
 * join, a container starts that does nothing and is gone at once: it is made of the proxy's own image, which is surely there.
 */
import type Docker from 'dockerode';
import { LABEL } from '../domain/labels.ts';
import { failed } from './engine-errors.ts';

export interface Bell {
  /** Resolves once docker-gen was told; of several at once the last is heard after all that came before it. */
  ring(): Promise<void>;
}

const MEMORY = 32 * 2 ** 20;

/** @param proxy name of the proxy's container @param instance see LABEL.instance: what a crash leaves is swept */
export function dockerGenBell(docker: Docker, proxy: string, instance: string): Bell {
  let ringing: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  async function start(): Promise<void> {
    try {
      const { Image } = await docker.getContainer(proxy).inspect();
      const bell = await docker.createContainer({
        Image,
        Entrypoint: ['true'],
        Cmd: [],
        Labels: { [LABEL.instance]: instance },
        HostConfig: {
          AutoRemove: true,
          NetworkMode: 'none',
          ReadonlyRootfs: true,
          CapDrop: ['ALL'],
          SecurityOpt: ['no-new-privileges:true'],
          Memory: MEMORY,
          PidsLimit: 8,
          LogConfig: { Type: 'none', Config: {} },
        },
      });
      await bell.start();
    } catch (cause) {
      throw failed(`having ${proxy} look again`, cause, 'route-failed', 'transient');
    }
  }

  function begin(): Promise<void> {
    const mine = start().finally(() => {
      ringing = undefined;
    });
    ringing = mine;
    return mine;
  }

  return {
    ring() {
      if (!ringing) return begin();
      // What is under way may have been heard before what this one is about.
      next ??= ringing
        .catch(() => undefined)
        .then(() => {
          next = undefined;
          return begin();
        });
      return next;
    },
  };
}
