/** Share links of previews: made, listed, ended. */
import { z } from 'zod';
import { reaches } from '../domain/access.ts';
import { repositoryOf } from '../domain/guards.ts';
import type { LinkRecord, SharedLinks } from '../domain/links.ts';
import type { PreviewId } from '../domain/names.ts';
import type { Clock, Repository, Store } from '../domain/ports.ts';
import { timeOf } from './previews.ts';
import { type Answer, type Route, refusal, route } from './route.ts';
import { previewParam } from './schemas.ts';

export interface LinkDeps {
  readonly links: SharedLinks;
  readonly clock: Clock;
  readonly store: Pick<Store, 'record'>;
  repositories(): readonly Repository[];
  /** Whole URL of a host label. */
  urlOf(label: string): string;
}

const LONGEST_DAYS = 90;
const DAY_MS = 86_400_000;

const linkSchema = z
  .strictObject({
    id: z.string(),
    preview: z.string(),
    createdAt: z.iso.datetime(),
    expiresAt: z.iso.datetime(),
    by: z.string().meta({ description: 'Who made it.' }),
  })
  .meta({ id: 'Link' });

const wanted = z.strictObject({
  expiresAt: z.iso.datetime().meta({ description: `When it ends; in at most ${LONGEST_DAYS} days.` }),
});

export type LinkView = z.output<typeof linkSchema>;
export type NewLink = LinkView & { readonly url: string; readonly urls: readonly string[] };

export function linkRoutes({ links, clock, store, repositories, urlOf }: LinkDeps): readonly Route[] {
  return [
    route({
      ...{ method: 'get', path: '/links', name: 'listLinks', group: 'links', needs: 'read', scope: 'reachable' },
      summary: 'List share links that open something now, never what they are',
      query: z.strictObject({ preview: previewParam.shape.id.optional().meta({ description: 'Of this one alone.' }) }),
      answers: { 200: { what: 'Oldest first.', schema: z.strictObject({ links: z.array(linkSchema) }) } },
      async handle({ query, principal }) {
        const known = repositories();
        const all = (await links.all()).filter(
          ({ preview }) =>
            (query.preview === undefined || preview === query.preview) &&
            reaches(principal, repositoryOf(known, preview)?.name),
        );
        return { status: 200, body: { links: all.map(viewOf) } };
      },
    }),
    route({
      ...{ method: 'post', path: '/previews/{id}/links', name: 'createLink', group: 'links', needs: 'operate' },
      scope: 'preview',
      act: 'create link',
      isSecret: true,
      summary: 'Make a link that opens the preview to whoever has it; it is shown this once',
      params: previewParam,
      body: wanted,
      answers: {
        201: {
          what: 'The link.',
          schema: linkSchema
            .extend({
              url: z.url(),
              urls: z.array(z.url()).meta({ description: 'At each host of the preview: each is opened apart.' }),
            })
            .meta({ id: 'NewLink' }),
        },
        409: { what: 'A link to it would open nothing.' },
      },
      async handle({ about, body, principal }) {
        const expiresAt = Date.parse(body.expiresAt);
        if (expiresAt <= clock.now()) return badTime('it is in the past');
        if (expiresAt > clock.now() + LONGEST_DAYS * DAY_MS) return badTime(`it is in more than ${LONGEST_DAYS} days`);
        const repository = repositories().find((one) => one.name === about.repository);
        if ((repository?.access?.mode ?? 'public') === 'public') {
          return refusal(409, `Previews of ${about.repository} are public: they need no link.`);
        }
        if (await isGoing(store, about.id)) return gone();
        const { secret, record } = await links.share({ preview: about.id, expiresAt, by: principal.name });
        // A removal that began meanwhile may have looked for links before there was this one.
        if (await isGoing(store, about.id)) {
          await links.revoke(about.id, record.id);
          return gone();
        }
        const hosts = about.urls.length === 0 ? [urlOf(about.id)] : about.urls;
        const urls = hosts.map((host) => new URL(`/.treehouse/link/${secret}`, host).href);
        return { status: 201, body: { ...viewOf(record), url: urls[0], urls } };
      },
    }),
    route({
      ...{ method: 'delete', path: '/previews/{id}/links/{link}', name: 'revokeLink', group: 'links' },
      ...{ needs: 'operate', scope: 'preview', act: 'revoke link' },
      summary: 'End a link at once, with all that was opened by it',
      params: previewParam.extend({ link: z.string().max(100).meta({ description: 'Its id, as the list shows it.' }) }),
      answers: { 204: { what: 'There is no such link any more.' } },
      async handle({ about, params }) {
        await links.revoke(about.id, params.link);
        return { status: 204 };
      },
    }),
  ];
}

async function isGoing(store: LinkDeps['store'], id: PreviewId): Promise<boolean> {
  const state = (await store.record(id))?.state;
  return state === undefined || state === 'removing' || state === 'removed';
}

function gone(): Answer {
  return refusal(409, 'The preview is gone: push to its branch to bring it back.');
}

function badTime(fault: string): Answer {
  return refusal(400, `The request cannot be taken: body expiresAt: ${fault}.`);
}

function viewOf({ id, preview, createdAt, expiresAt, by }: LinkRecord): LinkView {
  return { id, preview, createdAt: timeOf(createdAt), expiresAt: timeOf(expiresAt), by };
}
