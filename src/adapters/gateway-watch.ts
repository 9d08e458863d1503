/** Notices that a gateway, which another process runs, was started anew. */
import type { NginxGateway } from './nginx-gateway.ts';

/** Milliseconds between two looks. */
const EVERY_MS = 1_000;

export interface GatewayWatch {
  /** It answers, for the first time or started anew: it has forgotten all that it does not read from files. */
  onBorn(): void;
  /** It does not answer, and did before or was expected to. */
  onAway(): void;
}

/** @returns what ends it */
export function watchGateway(gateway: Pick<NginxGateway, 'born'>, watch: GatewayWatch): () => Promise<void> {
  let known: string | undefined;
  let isAway = false;
  let isOver = false;
  let timer: NodeJS.Timeout | undefined;

  async function look(): Promise<void> {
    try {
      const born = await gateway.born();
      isAway = false;
      if (born !== known) watch.onBorn();
      known = born;
    } catch {
      if (!isAway) watch.onAway();
      isAway = true;
    }
  }

  async function again(): Promise<void> {
    await look();
    if (!isOver) timer = setTimeout(() => (looking = again()), EVERY_MS);
  }

  let looking = again();
  return async () => {
    isOver = true;
    clearTimeout(timer);
    await looking;
  };
}
