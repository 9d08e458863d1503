/** Who Treehouse is on GitHub, as the environment says it: an App, or a token. */
import { createPrivateKey } from 'node:crypto';
import { isLoopback } from '../domain/loopback.ts';
import type { GitHubSettings } from '../github/settings.ts';

/** What was read of the environment and of files; empty ones are undefined. */
export interface GitHubVariables {
  /** GITHUB_API_URL. */
  readonly apiUrl: string | undefined;
  /** GITHUB_TOKEN. */
  readonly token: string | undefined;
  /** GITHUB_APP_ID. */
  readonly appId: string | undefined;
  /** GITHUB_PRIVATE_KEY; in a single line where its ends of lines are written as `\n`. */
  readonly privateKey: string | undefined;
}

const DEFAULT_URL = 'https://api.github.com';

/** Undefined where nothing says who. What is wrong is added to `faults`, which never hold what is secret. */
export function githubSettings(given: GitHubVariables, faults: string[]): GitHubSettings | undefined {
  const { token, appId } = given;
  const apiUrl = addressOf(given.apiUrl ?? DEFAULT_URL, faults);
  const privateKey = given.privateKey?.replaceAll('\\n', '\n');
  if (token === undefined && appId === undefined && privateKey === undefined) return undefined;
  const before = faults.length;
  if (token !== undefined && (appId ?? privateKey) !== undefined) {
    faults.push('GITHUB_TOKEN: a token and an App are given; take one of them away');
  }
  if (token !== undefined && /\s/.test(token)) faults.push('GITHUB_TOKEN: there are blanks in it');
  if (appId !== undefined && privateKey === undefined) {
    faults.push("GITHUB_PRIVATE_KEY: the App's private key is missing (or GITHUB_PRIVATE_KEY_FILE)");
  }
  if (privateKey !== undefined && appId === undefined) faults.push('GITHUB_APP_ID: the id of the App is missing');
  if (appId !== undefined && !/^(?:\d+|Iv\w[\w.]+)$/.test(appId)) {
    faults.push("GITHUB_APP_ID: it is the App's id, a number (or its client id, Iv…)");
  }
  if (privateKey !== undefined) faults.push(...keyFaults(privateKey));
  if (apiUrl === undefined || faults.length > before) return undefined;
  if (token !== undefined) return Object.freeze({ apiUrl, credentials: Object.freeze({ token }) });
  if (appId === undefined || privateKey === undefined) return undefined;
  return Object.freeze({ apiUrl, credentials: Object.freeze({ appId, privateKey }) });
}

/** Without a slash at its end. */
function addressOf(text: string, faults: string[]): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname));
  if (url && isSafe && url.username === '' && url.password === '' && url.search === '' && url.hash === '') {
    return url.href.replace(/\/+$/, '');
  }
  faults.push(
    `GITHUB_API_URL: it is ${DEFAULT_URL}, or https://HOST/api/v3 of an Enterprise server; http:// only on this machine`,
  );
  return undefined;
}

function keyFaults(pem: string): string[] {
  const more =
    "it is not the App's private key: the PEM file that GitHub gave, or what is in it with \\n for its ends of lines";
  try {
    return createPrivateKey(pem).asymmetricKeyType === 'rsa' ? [] : [`GITHUB_PRIVATE_KEY: ${more}`];
  } catch {
    return [`GITHUB_PRIVATE_KEY: ${more}`];
  }
}
