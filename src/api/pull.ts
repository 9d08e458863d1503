/** What runs of a preview, as a compose file. */
import { z } from 'zod';
import type { PreviewRecord } from '../domain/preview.ts';
import type { Pulled } from '../pull/pull.ts';
import { type Route, refusal, route } from './route.ts';
import { previewParam } from './schemas.ts';

export interface PullRouteDeps {
  /** @param services with all that they need; empty: all of them */
  pull(record: PreviewRecord, services: readonly string[]): Promise<Pulled>;
}

const names = z.union([z.string().max(255), z.array(z.string().max(255)).max(50)]);

/** RFC 9512. */
const YAML = 'application/yaml';

export function pullRoutes({ pull }: PullRouteDeps): readonly Route[] {
  return [
    route({
      ...{ method: 'get', path: '/previews/{id}/compose.yml', name: 'pullPreview', group: 'previews', needs: 'read' },
      scope: 'preview',
      summary: 'A compose file that starts elsewhere what runs here',
      params: previewParam,
      query: z.strictObject({
        service: names.optional().meta({ description: 'Only these services, and what they need.' }),
      }),
      answers: {
        200: { what: 'The file; secrets are in it by name alone.', type: YAML, schema: z.string() },
        409: { what: 'Nothing of it runs or sleeps.' },
      },
      async handle({ about, query, res }) {
        const { service = [] } = query;
        const pulled = await pull(about, typeof service === 'string' ? [service] : service);
        if (pulled.kind === 'nothing-runs')
          return refusal(
            409,
            `Nothing of it runs, so there is nothing to pull: it is ${about.state}, ${about.reason}.`,
          );
        if (pulled.kind === 'no-service')
          return refusal(404, `It has no service ${pulled.name}; it has ${pulled.known.join(', ')}.`);
        res.type(YAML).send(pulled.text);
        return undefined;
      },
    }),
  ];
}
