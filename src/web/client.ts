/** The API, from the command line's side. */

import type { BuildEvent } from '../domain/events.ts';
import type { SweepReport } from '../domain/sweep.ts';
import { TreehouseError } from '../errors.ts';
import type { PreviewAct, PreviewView } from './api.ts';

export interface Client {
  previews(): Promise<readonly PreviewView[]>;
  preview(id: string): Promise<PreviewView & { readonly builds: readonly string[] }>;
  events(id: string, build: string, after: string | null): Promise<EventPage>;
  act(act: PreviewAct, id: string): Promise<void>;
  sweep(options: { readonly dryRun: boolean }): Promise<SweepReport>;
}

export interface EventPage {
  readonly events: readonly (BuildEvent & { readonly cursor: string })[];
  readonly next: string | null;
}

const LIMIT = 30_000;
/** A sweep asks every remote, and stops containers one after the other. */
const SWEEP_LIMIT = 600_000;

/** @throws {TreehouseError} from each call, naming the server or repeating what it said. */
export function createClient(options: { readonly url: string; readonly token: string }): Client {
  async function call<T>(method: string, path: string, limit = LIMIT): Promise<T> {
    const answer = await fetch(new URL(path, options.url), {
      method,
      headers: { Authorization: `Bearer ${options.token}`, Accept: 'application/json' },
      signal: AbortSignal.timeout(limit),
    }).catch((cause: unknown) => {
      throw new TreehouseError(
        'stopped',
        `no Treehouse answers at ${options.url}: start it with npm start, or set TREEHOUSE_URL`,
        { cause },
      );
    });
    const body = (await answer.json()) as T & { detail?: string };
    if (!answer.ok) throw new TreehouseError('stopped', body.detail ?? `${options.url} answered ${answer.status}`);
    return body;
  }
  const at = (id: string) => `/api/v1/previews/${encodeURIComponent(id)}`;
  return {
    previews: async () => (await call<{ previews: PreviewView[] }>('GET', '/api/v1/previews')).previews,
    preview: (id) => call('GET', at(id)),
    events: (id, build, after) =>
      call('GET', `${at(id)}/builds/${encodeURIComponent(build)}/events${after === null ? '' : `?after=${after}`}`),
    act: async (act, id) => void (await call('POST', `${at(id)}/${act}`)),
    sweep: ({ dryRun }) => call(dryRun ? 'GET' : 'POST', '/api/v1/sweep', SWEEP_LIMIT),
  };
}
