/** Where GitHub is and who Treehouse is there. */

/** An App of its own, or one token of somebody. */
export type GitHubCredentials = { readonly token: string } | { readonly appId: string; readonly privateKey: string };

export interface GitHubSettings {
  /** `https://api.github.com`, or `https://HOST/api/v3` of an Enterprise server; without a slash at its end. */
  readonly apiUrl: string;
  readonly credentials: GitHubCredentials;
}

/** How long things take: GitHub's own times, which tests make short. All are milliseconds, but for counts. */
export interface Pace {
  /** Between two requests that change something (docs.github.com, "Best practices for using the REST API"). */
  readonly writeMs: number;
  /** Between two that make GitHub tell people. */
  readonly notifyMs: number;
  /** Between any two: fewer than 900 points in a minute, where reading is 1 and changing 5. */
  readonly anyMs: number;
  /** How long a second is of which GitHub speaks in `retry-after`, and that is waited before a further try. */
  readonly secondMs: number;
  /** What is waited for by itself; what takes longer is told to who asked. */
  readonly patienceMs: number;
  /** Of one attempt. */
  readonly attemptMs: number;
  /** Of an act with all its attempts and waits. */
  readonly actMs: number;
  /** Further attempts where GitHub is away. */
  readonly retries: number;
  /** Comments that are made or edited in an hour. */
  readonly commentsPerHour: number;
}

export const PACE: Pace = {
  writeMs: 1_000,
  notifyMs: 3_000,
  anyMs: 100,
  secondMs: 1_000,
  patienceMs: 5_000,
  attemptMs: 15_000,
  actMs: 60_000,
  retries: 2,
  commentsPerHour: 500,
};

/** The host from which git reads what this API speaks of, with its port where it has one. */
export function gitHost(apiUrl: string): string {
  const { host } = new URL(apiUrl);
  // api.github.com, and api.TENANT.ghe.com with data residency; an Enterprise server has both on one host.
  return host.startsWith('api.') && /\.(?:github|ghe)\.com$/.test(host) ? host.slice('api.'.length) : host;
}
