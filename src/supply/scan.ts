/** Runs the scanner that a repository's settings name over one image. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Finding, ScanImage, ScanSettings } from '../domain/supply.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { scanByClair } from './clair.ts';
import { readGrype, readReport, readTrivy } from './reports.ts';

/** Runs a program; `runProcess` is one. */
export type RunCommand = (request: {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly maxOutputBytes: number;
  readonly signal: AbortSignal;
  readonly act: string;
}) => Promise<{ readonly stdout: string; readonly truncated: boolean }>;

export interface ScannerOptions {
  readonly run: RunCommand;
  /** Where scanners keep their databases, absolute. */
  readonly cache: string;
  /** PATH. */
  readonly path: string;
  readonly dockerHost: string | undefined;
}

const OUTPUT_MAX = 128 * 1024 * 1024;

export function createScanner(options: ScannerOptions): ScanImage {
  return async (settings, target, signal) => {
    try {
      return settings.by === 'clair'
        ? await scanByClair(settings, target, signal)
        : await scanByCommand(options, settings, { reference: target.reference, signal });
    } catch (error) {
      signal.throwIfAborted();
      const why = messageOf(error).split('\n').slice(0, 3).join(' ').slice(0, 400);
      const said = (error as { tail?: unknown }).tail;
      const last = typeof said === 'string' ? said.trim().split('\n').at(-1)?.slice(0, 300) : undefined;
      throw new TreehouseError('build-failed', `${settings.by} did not work: ${why}${last ? ` (${last})` : ''}`, {
        kind: error instanceof TreehouseError ? error.kind : 'terminal',
        cause: error,
      });
    }
  };
}

async function scanByCommand(
  options: ScannerOptions,
  settings: ScanSettings,
  { reference, signal }: { readonly reference: string; readonly signal: AbortSignal },
): Promise<readonly Finding[]> {
  const cache = path.join(options.cache, settings.by);
  await mkdir(cache, { recursive: true, mode: 0o700 });
  const [command = settings.by, ...args] = commandOf(settings, reference);
  const { stdout, truncated } = await options.run({
    command,
    args,
    env: {
      PATH: options.path,
      HOME: cache,
      TRIVY_CACHE_DIR: cache,
      GRYPE_DB_CACHE_DIR: cache,
      GRYPE_CHECK_FOR_APP_UPDATE: 'false',
      ...(options.dockerHost === undefined ? {} : { DOCKER_HOST: options.dockerHost }),
    },
    timeoutMs: settings.timeoutMs,
    maxOutputBytes: OUTPUT_MAX,
    signal,
    act: `scanning ${reference}`,
  });
  if (truncated) throw new Error('its report is too long');
  return readReport(settings.by === 'grype' ? readGrype : readTrivy, stdout);
}

/** The argv: as documented, with the program exchanged, or wholly the configuration's. */
function commandOf(settings: ScanSettings, reference: string): readonly string[] {
  const own = settings.command ?? [settings.by];
  if (own.some((word) => word.includes('{image}'))) return own.map((word) => word.replaceAll('{image}', reference));
  return settings.by === 'grype'
    ? [...own, `docker:${reference}`, '--output', 'json', '--quiet']
    : [...own, 'image', '--format', 'json', '--quiet', '--scanners', 'vuln', reference];
}
