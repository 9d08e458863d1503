/** HashiCorp Vault over HTTP: KV versions 1 and 2, with a token or an AppRole (developer.hashicorp.com/vault/api-docs). */
import { setTimeout as delay } from 'node:timers/promises';
import { bodyOf } from '../bounded-body.ts';
import { abortReason, messageOf, TreehouseError } from '../errors.ts';
import { timeLimit } from '../time-limit.ts';

export interface VaultSettings {
  /** `https://vault.example.com:8200`. */
  readonly address: string;
  readonly login: { readonly token: string } | { readonly roleId: string; readonly secretId: string };
}

/** As it was configured, perhaps without a login. */
export interface ConfiguredVault {
  readonly address: string;
  readonly login: VaultSettings['login'] | undefined;
}

/** `vault:path#key`. */
export interface VaultReference {
  readonly path: string;
  readonly key: string;
}

export interface Vault {
  /** @throws `secret-missing` where Vault has no such path or key; `secret-failed`, transient where it may answer later. */
  read(reference: VaultReference, signal: AbortSignal): Promise<string>;
}

export interface Pace {
  /** Of one request. */
  readonly timeoutMs: number;
  /** Before each further try. */
  readonly pausesMs: readonly number[];
}

const PACE: Pace = { timeoutMs: 5_000, pausesMs: [250, 1_000] };
const PREFIX = 'vault:';
const ANSWER_MAX = 1024 * 1024;
const SAID_MAX = 200;

/** The configured Vault, if there is one. @throws `bad-config` where nothing says how to log in. */
export function openVault(settings: ConfiguredVault | undefined): Vault | undefined {
  if (!settings) return undefined;
  const { address, login } = settings;
  if (login) return createVault({ address, login });
  throw new TreehouseError(
    'bad-config',
    `Vault at ${address} is configured without a login: set TREEHOUSE_VAULT_TOKEN, or TREEHOUSE_VAULT_ROLE_ID and ` +
      'TREEHOUSE_VAULT_SECRET_ID (each also as a file, with _FILE after its name)',
  );
}

/** Undefined for a value that is meant as it is. @throws `bad-config` where it begins like a reference and is none. */
export function parseVaultReference(value: string): VaultReference | undefined {
  if (!value.startsWith(PREFIX)) return undefined;
  const at = value.indexOf('#');
  const path = value.slice(PREFIX.length, at < 0 ? undefined : at).replaceAll(/^\/+|\/+$/g, '');
  const key = at < 0 ? '' : value.slice(at + 1).trim();
  const parts = path.split('/');
  const plain = parts.every((part) => /^[^\s\p{Cc}]+$/u.test(part) && part !== '.' && part !== '..');
  if (key !== '' && plain && parts.length > 1) return { path, key };
  throw new TreehouseError(
    'bad-config',
    "a value that begins with 'vault:' names a key in Vault, as vault:MOUNT/PATH#KEY, the path as `vault kv get` takes it",
  );
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

interface Request {
  readonly method?: 'POST';
  readonly token?: string;
  readonly body?: unknown;
}

export function createVault(settings: VaultSettings, pace: Pace = PACE): Vault {
  const base = settings.address.replace(/\/+$/, '');
  let lease: { readonly token: string; readonly until: number } | undefined;

  async function token(signal: AbortSignal): Promise<string> {
    const { login } = settings;
    if ('token' in login) return login.token;
    if (lease && performance.now() < lease.until) return lease.token;
    const answer = await ask('auth/approle/login', signal, {
      method: 'POST',
      body: { role_id: login.roleId, secret_id: login.secretId },
    });
    const auth = field(answer.body, 'auth');
    const fresh = field(auth, 'client_token');
    if (answer.status !== 200 || typeof fresh !== 'string') throw refused('the login with the AppRole', answer);
    const seconds = Number(field(auth, 'lease_duration')) || 60;
    lease = { token: fresh, until: performance.now() + seconds * 800 };
    return fresh;
  }

  /** With a login of its own Vault may have forgotten the token before its time: then once more with a new one. */
  async function get(path: string, signal: AbortSignal): Promise<Answer> {
    const answer = await ask(path, signal, { token: await token(signal) });
    if (answer.status !== 403 || !lease) return answer;
    lease = undefined;
    return ask(path, signal, { token: await token(signal) });
  }

  async function ask(path: string, signal: AbortSignal, request: Request): Promise<Answer> {
    let last: unknown;
    for (let tried = 0; tried <= pace.pausesMs.length; tried += 1) {
      try {
        if (tried > 0) await delay(pace.pausesMs[tried - 1], undefined, { signal });
        const answer = await askOnce(`${base}/v1/${path}`, signal, request);
        if (!isPassing(answer.status)) return answer;
        last = `it answered ${answer.status}${said(answer)}`;
      } catch (error) {
        if (signal.aborted) throw abortReason(signal);
        last =
          (error as Error).name === 'TimeoutError' ? `no answer within ${pace.timeoutMs / 1000} s` : reasonOf(error);
      }
    }
    throw new TreehouseError('secret-failed', `Vault at ${base} gave no secret: ${String(last)}`, {
      kind: 'transient',
    });
  }

  async function askOnce(url: string, signal: AbortSignal, request: Request): Promise<Answer> {
    const tooLong = new DOMException('no answer', 'TimeoutError');
    const limit = timeLimit(signal, pace.timeoutMs, tooLong);
    try {
      return await follow(url, limit.signal, request);
    } finally {
      limit.clear();
    }
  }

  async function follow(url: string, signal: AbortSignal, request: Request): Promise<Answer> {
    const options: RequestInit = {
      method: request.method ?? 'GET',
      headers: {
        'X-Vault-Request': 'true',
        ...(request.token === undefined ? {} : { 'X-Vault-Token': request.token }),
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      redirect: 'manual',
      signal,
    };
    let response = await fetch(url, options);
    // A standby leads to the active node, as Vault's own clients follow it: once, and never to an open line.
    const location = response.headers.get('location');
    if ((response.status === 307 || response.status === 308) && location !== null) {
      const next = new URL(location, url);
      if (next.protocol === 'https:' || next.protocol === new URL(url).protocol) {
        await response.body?.cancel();
        response = await fetch(next, options);
      }
    }
    return { status: response.status, body: parsed((await bodyOf(response, ANSWER_MAX)).toString('utf8')) };
  }

  return {
    async read({ path, key }, signal) {
      const shown = `vault:${path}#${key}`;
      const { mount, version } = await mountOf(path, signal);
      const rest = path.slice(mount.length);
      const answer = await get(encoded(version === 2 ? `${mount}data/${rest}` : path), signal);
      const outer = field(answer.body, 'data');
      const data = version === 2 ? field(outer, 'data') : outer;
      const gone = version === 2 && answer.status === 404 && field(outer, 'metadata') !== undefined;
      if (answer.status === 404) {
        const what = gone ? 'its newest version was deleted' : 'there is nothing at this path';
        throw new TreehouseError('secret-missing', `${shown} is not in Vault: ${what}`);
      }
      if (answer.status !== 200) throw refused(`reading ${shown}`, answer);
      const value =
        typeof data === 'object' && data !== null && Object.hasOwn(data, key) ? field(data, key) : undefined;
      if (value === undefined || value === null) {
        throw new TreehouseError('secret-missing', `${shown} is not in Vault: there is no key '${key}' at this path`);
      }
      return typeof value === 'string' ? value : JSON.stringify(value);
    },
  };

  /** As `vault kv` finds out what it speaks to; a Vault that is too old to say has version 1. */
  async function mountOf(path: string, signal: AbortSignal): Promise<{ mount: string; version: 1 | 2 }> {
    const answer = await get(`sys/internal/ui/mounts/${encoded(path)}`, signal);
    if (answer.status === 404) return { mount: '', version: 1 };
    if (answer.status !== 200) throw refused(`looking for the mount of vault:${path}`, answer);
    const data = field(answer.body, 'data');
    const mount = String(field(data, 'path') ?? '');
    const two = String(field(field(data, 'options'), 'version') ?? '1') === '2';
    // What is asked for lies below the mount that was named, or the answer is not of Vault.
    if (!`${path}/`.startsWith(mount)) throw refused(`looking for the mount of vault:${path}`, answer);
    return { mount, version: two ? 2 : 1 };
  }
}

/** 412: a replica that is not as new as the token yet; 429: too many requests; 503: sealed, or in maintenance. */
function isPassing(status: number): boolean {
  return status >= 500 || status === 412 || status === 429 || status === 408;
}

function refused(act: string, answer: Answer): TreehouseError {
  const hint = answer.status === 403 ? ' (the token is not good, or its policy does not let it read this)' : '';
  return new TreehouseError('secret-failed', `${act} was refused by Vault with ${answer.status}${hint}${said(answer)}`);
}

/** Vault's own words, which never hold a value. */
function said(answer: Answer): string {
  const errors = field(answer.body, 'errors');
  const text = Array.isArray(errors) ? errors.filter((one) => typeof one === 'string').join('; ') : '';
  const clean = text.replaceAll(/\s+/g, ' ').trim().slice(0, SAID_MAX);
  return clean === '' ? '' : `: ${clean}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** undici says `fetch failed`, and why in the cause. */
function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  const code = (cause as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : messageOf(cause ?? error);
}

function encoded(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
