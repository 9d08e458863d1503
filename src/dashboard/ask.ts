/** Asks the API's declared routes for a page, as whoever is signed in: a page shows nothing that they may not ask for. */
import type { Request, Response } from 'express';
import type { HostView } from '../api/host.ts';
import type { ContainerView } from '../api/live.ts';
import type { QueueView } from '../api/queue.ts';
import type { RepositoryView } from '../api/repositories.ts';
import type { Route } from '../api/route.ts';
import type { PreviewView } from '../api/schemas.ts';
import { answerTo, type ServeDeps } from '../api/serve.ts';
import type { TrailView } from '../api/trail.ts';
import type { Principal } from '../domain/access.ts';

/** Operations of the API and what each answers with. */
interface Answers {
  readonly getPreview: PreviewView & { readonly builds: readonly string[] };
  readonly listContainers: { readonly containers: readonly ContainerView[] };
  readonly getQueue: QueueView;
  readonly getHost: HostView;
  readonly listRepositories: { readonly repositories: readonly RepositoryView[] };
  readonly readTrail: { readonly entries: readonly TrailView[] };
}

export type Told<T> =
  | { readonly ok: true; readonly body: T }
  | { readonly ok: false; readonly status: number; readonly detail: string };

export interface Asked {
  readonly principal: Principal;
  readonly req: Request;
  readonly res: Response;
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
}

export interface Asker {
  ask<Name extends keyof Answers>(name: Name, asked: Asked): Promise<Told<Answers[Name]>>;
  /** Does something, by the name of its operation. */
  act(name: string, asked: Asked): Promise<Told<unknown>>;
}

export function asker(deps: ServeDeps, routes: readonly Route[]): Asker {
  const byName = new Map(routes.map((one) => [one.name, one]));

  async function told<T>(name: string, { params = {}, query = {}, ...rest }: Asked): Promise<Told<T>> {
    const route = byName.get(name);
    if (!route) return { ok: false, status: 404, detail: 'There is no such thing to be done.' };
    const answer = await answerTo(deps, route, { ...rest, params, query, body: undefined });
    const status = answer?.status ?? 500;
    if (status < 400) return { ok: true, body: answer?.body as T };
    return { ok: false, status, detail: (answer?.body as { detail?: string } | undefined)?.detail ?? '' };
  }

  return { ask: (name, asked) => told(name, asked), act: (name, asked) => told(name, asked) };
}
