/** Runs commands in what serves, for those who may. */
import { z } from 'zod';
import type { Shells } from '../domain/exec.ts';
import { liveBuild } from '../domain/live.ts';
import type { ObservedContainer } from '../domain/observed.ts';
import type { Clock, Engine, Gateway } from '../domain/ports.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import type { Trail } from '../domain/trail.ts';
import type { ExecSessions } from './exec-sessions.ts';
import { type Answer, type Route, refusal, route } from './route.ts';
import { previewParam } from './schemas.ts';

export interface ExecDeps {
  readonly engine: Pick<Engine, 'observe'>;
  readonly gateway: Pick<Gateway, 'routesOf'>;
  readonly shells: Shells;
  readonly sessions: ExecSessions;
  readonly trail: Pick<Trail, 'note'>;
  readonly clock: Clock;
  /** Where the engine is, if it is not on this host. */
  readonly remote: string | undefined;
  /** Something of a command could not be ended. */
  leftBehind(preview: PreviewRecord, service: string): void;
}

export function execRoutes(deps: ExecDeps): readonly Route[] {
  return [
    route({
      ...{ method: 'get', path: '/previews/{id}/exec', name: 'execInPreview', group: 'previews', needs: 'operate' },
      scope: 'preview',
      isWebSocket: true,
      summary: 'Run a command in a service, over a WebSocket: what is said there is in docs/api.md',
      params: previewParam,
      query: z.strictObject({ service: z.string().max(255).meta({ description: 'In which service.' }) }),
      answers: {
        101: { what: 'The command is the first message.' },
        409: { what: 'The service does not run.' },
      },
      async handle({ about, query, principal, accept, isStillAllowed }) {
        const { service } = query;
        const container = await find(deps, about, service);
        if ('status' in container) return container;
        const full = deps.sessions.full(principal.id);
        if (full !== undefined) return refusal(429, full);
        await deps.sessions.run(accept, {
          who: principal.id,
          isStillAllowed,
          async begin(request) {
            // Before it begins: what is not written down does not happen.
            await deps.trail.note({
              ...{ at: deps.clock.now(), who: principal.name, token: principal.id, act: 'exec', to: about.id },
              ...{ repository: about.repository, preview: about.id, service, command: request.command, status: 101 },
            });
            return deps.shells.exec(container.id, request);
          },
          leftBehind: () => deps.leftBehind(about, service),
        });
        return undefined;
      },
    }),
  ];
}

/** Of what serves alone: neither tests nor builds that are on their way are reached. */
async function find(deps: ExecDeps, about: PreviewRecord, service: string): Promise<ObservedContainer | Answer> {
  if (deps.remote !== undefined) {
    const why = 'a command there could not be ended; run Treehouse beside its engine';
    return refusal(409, `Commands are not run where the engine's processes are not seen (${deps.remote}): ${why}.`);
  }
  const [stack, routes] = await Promise.all([deps.engine.observe(about.id), deps.gateway.routesOf(about.id)]);
  const containers = liveBuild(stack, routes)?.containers ?? [];
  if (containers.length === 0) return refusal(409, `Nothing of it runs: it is ${about.state}, ${about.reason}.`);
  const found = containers.find((one) => one.service === service);
  if (!found) {
    const known = containers.map((one) => one.service).sort();
    return refusal(404, `It has no service ${service}; it has ${known.join(', ')}.`);
  }
  if (found.running) return found;
  if (about.state === 'asleep' || about.state === 'waking')
    return refusal(409, `It is ${about.state}: treehouse wake ${about.id}, and try again once it is live.`);
  return refusal(409, `${service} does not run: it ended with ${found.exitCode}.`);
}
