/** Clair v4 over HTTP: index the layers of a manifest, then ask what is known of them (quay/clair, openapi.yaml). */
import { setTimeout as delay } from 'node:timers/promises';
import type { Finding, Published, ScanSettings, ScanTarget } from '../domain/supply.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { timeLimit } from '../time-limit.ts';
import { isLoopback } from './reference.ts';
import { readClair, readReport } from './reports.ts';

const MANIFESTS = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');
const AGAIN_MS = 500;
const REPORT_MAX = 128 * 1024 * 1024;

export async function scanByClair(
  settings: ScanSettings,
  target: ScanTarget,
  outer: AbortSignal,
): Promise<readonly Finding[]> {
  const limit = timeLimit(outer, settings.timeoutMs);
  const { signal } = limit;
  const base = new URL(settings.url ?? 'http://127.0.0.1:6060');
  return target.publish(async (published) => {
    try {
      const body = JSON.stringify(await manifestOf(published, settings.registryUrl, signal));
      const indexed = await ask(new URL('/indexer/api/v1/index_report', base), signal, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body,
      });
      if (indexed.status !== 200 && indexed.status !== 201) throw answered('indexing', indexed);
      const index = JSON.parse(indexed.text) as { success?: unknown; err?: unknown; state?: unknown };
      if (index.success !== true)
        throw new Error(`indexing ended as ${String(index.state)}: ${String(index.err ?? '')}`);
      return readReport(readClair, await reportOf(base, published.digest, signal));
    } catch (error) {
      outer.throwIfAborted();
      if (signal.aborted) throw away(`no answer within ${settings.timeoutMs / 1000} s`, error);
      throw error;
    } finally {
      limit.clear();
    }
  });
}

/** Clair's matcher answers 202 until it has read its database. */
async function reportOf(base: URL, digest: string, signal: AbortSignal): Promise<string> {
  const url = new URL(`/matcher/api/v1/vulnerability_report/${digest}`, base);
  for (;;) {
    const answer = await ask(url, signal, { headers: { accept: 'application/json' } });
    if (answer.status === 200 || answer.status === 201) return answer.text;
    if (answer.status !== 202) throw answered('the report', answer);
    await delay(AGAIN_MS, undefined, { signal });
  }
}

/** Clair's Manifest: the registry's layers, and where it can fetch each. */
async function manifestOf(
  { registry, path, digest }: Published,
  registryUrl: string | undefined,
  signal: AbortSignal,
): Promise<unknown> {
  const scheme = isLoopback(registry.replace(/:\d+$/, '')) ? 'http' : 'https';
  const here = `${scheme}://${registry}`;
  const answer = await ask(new URL(`/v2/${path}/manifests/${digest}`, here), signal, {
    headers: { accept: MANIFESTS },
  });
  if (answer.status !== 200) throw answered('reading the manifest', answer);
  const { layers } = JSON.parse(answer.text) as { layers?: readonly { digest?: unknown }[] };
  if (!Array.isArray(layers)) throw new Error('the registry has no list of layers for the image');
  return {
    hash: digest,
    layers: layers.map((layer) => ({
      hash: String(layer.digest),
      uri: new URL(`/v2/${path}/blobs/${String(layer.digest)}`, registryUrl ?? here).href,
      headers: {},
    })),
  };
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function ask(url: URL, signal: AbortSignal, init: RequestInit): Promise<Answer> {
  try {
    const response = await fetch(url, { ...init, signal, redirect: 'error' });
    const text = await response.text();
    if (text.length > REPORT_MAX) throw new Error('its answer is too long');
    return { status: response.status, text };
  } catch (error) {
    signal.throwIfAborted();
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw away(`${url.origin} cannot be reached (${messageOf(cause)})`, error);
  }
}

function answered(act: string, { status, text }: Answer): TreehouseError {
  return new TreehouseError(
    'build-failed',
    `${act} was answered with ${status} ${text.replaceAll(/\s+/g, ' ').slice(0, 200)}`,
    { kind: status >= 500 || status === 429 ? 'transient' : 'terminal' },
  );
}

function away(message: string, cause: unknown): TreehouseError {
  return new TreehouseError('build-failed', message, { kind: 'transient', cause });
}
