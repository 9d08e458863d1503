/** The adapter before a fake GitHub, with short times; both are ended after each test, and what was not as described fails it. */
import { afterEach, expect } from 'vitest';
import { repositoryName } from '../../../src/domain/names.ts';
import { createGitHub, type GitHub } from '../../../src/github/github.ts';
import type { GitHubSettings, Pace } from '../../../src/github/settings.ts';
import { keptLog } from '../log.ts';
import { type FakeGitHub, startGitHub } from './github.ts';
import type { FakeRepository, Permissions } from './state.ts';

/** A second of GitHub's is 20 ms, and nothing is spaced. */
export const QUICK: Partial<Pace> = {
  writeMs: 0,
  notifyMs: 0,
  anyMs: 0,
  secondMs: 20,
  patienceMs: 100,
  attemptMs: 10_000,
  actMs: 30_000,
};

export const SHOP = repositoryName('acme/shop');
export const never = new AbortController().signal;

export interface Stage {
  readonly github: FakeGitHub;
  readonly shop: FakeRepository;
  readonly forge: GitHub;
  /** Another adapter of the same GitHub. */
  open(settings: GitHubSettings, pace?: Partial<Pace>): GitHub;
  readonly logged: Record<string, unknown>[];
}

export interface StageOptions {
  readonly as?: 'app' | 'user';
  readonly permissions?: Permissions;
  readonly pace?: Partial<Pace>;
  readonly prefix?: string;
  readonly now?: () => number;
}

const opened: { github: FakeGitHub; forges: GitHub[]; logged: unknown[] }[] = [];

export async function setStage(options: StageOptions = {}): Promise<Stage> {
  const github = await startGitHub(options.prefix === undefined ? {} : { prefix: options.prefix });
  const shop = github.repository(SHOP);
  const { log, logged } = keptLog();
  const forges: GitHub[] = [];
  opened.push({ github, forges, logged });
  const open: Stage['open'] = (settings, pace) => {
    const forge = createGitHub({
      settings,
      log,
      now: options.now ?? Date.now,
      pace: { ...QUICK, ...options.pace, ...pace },
    });
    forges.push(forge);
    return forge;
  };
  const { permissions } = options;
  const settings = options.as === 'user' ? github.asUser('octocat', permissions) : github.asApp([shop], permissions);
  return { github, shop, forge: open(settings), open, logged };
}

/** To be called once in a test's file. */
export function endStages(): void {
  afterEach(async () => {
    for (const { github, forges, logged } of opened.splice(0)) {
      for (const forge of forges) forge.close();
      await github.close();
      const log = JSON.stringify(logged);
      for (const secret of github.secrets()) expect(log).not.toContain(secret);
      github.verify();
    }
  });
}
