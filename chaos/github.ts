/** GitHub as the receiver sees it: signed deliveries that come late, twice, in another order, or not at all. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Delivery, deliver, signed } from '../test/support/signed.ts';
import type { Random } from './random.ts';

export interface GitHubOptions {
  readonly url: string;
  readonly secret: string;
  readonly random: Random;
}

export interface PullRequestNews {
  readonly repository: string;
  readonly branch: string;
  readonly action: 'opened' | 'closed' | 'reopened' | 'synchronize';
  readonly number: number;
  readonly head: string;
  readonly merged: boolean;
}

export interface GitHub {
  pushed(push: { repository: string; branch: string; before: string | undefined; after: string | undefined }): void;
  pullRequest(news: PullRequestNews): void;
  /** Delivers what is late, and again what nobody answered and no look at git could tell: what was heard of pull requests. */
  settle(): Promise<void>;
  /** The last that was said of every pull request, once more: for a receiver that forgot. */
  sayAgain(): void;
}

const NONE = '0'.repeat(40);
const DAY_ONE = Date.parse('2026-01-01T00:00:00Z');

export function createGitHub(options: GitHubOptions): GitHub {
  const { random, secret, url } = options;
  const late: (() => Promise<void>)[] = [];
  const unheard = new Map<string, Delivery>();
  const last = new Map<string, Delivery>();
  const underWay = new Set<Promise<void>>();
  let seconds = 0;

  async function post(delivery: Delivery, key: string | undefined): Promise<void> {
    const answer = await deliver(url, delivery).catch(() => undefined);
    if (answer && answer.status < 300) {
      if (key !== undefined && unheard.get(key) === delivery) unheard.delete(key);
    } else if (answer && answer.status < 500) {
      throw new Error(`the receiver answered ${answer.status} to a delivery: ${JSON.stringify(answer.body)}`);
    }
  }

  /** @param key of news that must arrive in the end; undefined: it may be lost. */
  function send(delivery: Delivery, key: string | undefined): void {
    if (key !== undefined) {
      unheard.set(key, delivery);
      last.set(key, delivery);
    }
    const now = (): void => {
      const going = post(delivery, key);
      underWay.add(going);
      going.finally(() => underWay.delete(going)).catch(() => undefined);
    };
    const fate = random.below(100);
    if (fate < 15 && key === undefined) return;
    if (fate < 40) late.push(() => post(delivery, key));
    else now();
    if (fate >= 90) now();
  }

  return {
    pushed({ repository, branch, before, after }) {
      const payload = {
        ref: `refs/heads/${branch}`,
        before: before ?? NONE,
        after: after ?? NONE,
        created: before === undefined,
        deleted: after === undefined,
        forced: false,
        repository: { full_name: repository },
      };
      send(signed('push', payload, secret), undefined);
    },
    pullRequest({ repository, branch, action, number, head, merged }) {
      seconds += 1;
      const payload = {
        action,
        number,
        pull_request: {
          number,
          state: action === 'closed' ? 'closed' : 'open',
          merged,
          updated_at: new Date(DAY_ONE + seconds * 1_000).toISOString(),
          head: { ref: branch, sha: head, repo: { full_name: repository } },
        },
        repository: { full_name: repository },
      };
      send(signed('pull_request', payload, secret), `${repository}#${number}`);
    },
    async settle() {
      for (const one of random.shuffled(late.splice(0))) await one();
      await Promise.all(underWay);
      const until = performance.now() + 60_000;
      while (unheard.size > 0 && performance.now() < until) {
        for (const [key, delivery] of unheard) await post(delivery, key);
        if (unheard.size > 0) await delay(200);
      }
      if (unheard.size > 0) throw new Error(`the receiver does not take ${[...unheard.keys()].join(', ')}`);
    },
    sayAgain() {
      for (const [key, delivery] of last) unheard.set(key, delivery);
    },
  };
}
