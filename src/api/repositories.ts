/** Repositories: listed, added, changed and taken out while Treehouse runs. */
import { z } from 'zod';
import { reaches } from '../domain/access.ts';
import { ACCESS } from '../domain/guards.ts';
import { type RepositoryName, repositoryName } from '../domain/names.ts';
import type { Repository } from '../domain/ports.ts';
import { PULL_REQUESTS } from '../domain/selection.ts';
import { shownSelection } from '../domain/selection-words.ts';
import { type Route, refusal, route } from './route.ts';
import { repositoryParam } from './schemas.ts';

export interface RepositoryDeps {
  readonly book: {
    all(): readonly Repository[];
    isConfigured(name: RepositoryName): boolean;
    put(name: RepositoryName, section: Readonly<Record<string, unknown>>): Promise<readonly string[]>;
    remove(name: RepositoryName): Promise<boolean>;
  };
  /** What is kept for a repository's services, never a value. */
  secretsOf(name: RepositoryName): Promise<readonly SecretName[]>;
}

export interface SecretName {
  readonly name: string;
  readonly service: string;
  readonly branch: string;
  /** Milliseconds since the epoch. */
  readonly setAt: number;
}

const seconds = (what: string) => z.number().nullable().meta({ description: what });
const most = (what: string) => z.int().nullable().meta({ description: what });

const repositorySchema = z
  .strictObject({
    name: z.string(),
    url: z.string().meta({ description: 'Without what it may hold of credentials.' }),
    branches: z.array(z.string()),
    pullRequests: z.enum(PULL_REQUESTS).nullable().meta({
      description:
        'Which pull requests a branch must have; null: none, and its preview goes with the last that is closed.',
    }),
    label: z.string().nullable().meta({ description: 'That `labelled` asks for; null where it is not asked.' }),
    drafts: z.boolean().meta({ description: 'Whether pull requests count that are drafts.' }),
    bots: z.boolean().meta({ description: 'Whether pull requests count that a bot opened.' }),
    base: z.array(z.string()).meta({ description: 'What they may be merged into; empty: anything.' }),
    paths: z.array(z.string()).meta({ description: 'Of which a file must be changed; empty: any.' }),
    approvalLabel: z
      .string()
      .nullable()
      .meta({ description: 'By which the head of a fork is approved; null: by a comment.' }),
    configured: z.boolean().meta({ description: 'Whether the configuration has it, which alone changes it then.' }),
    idle: seconds('Without a visit, until it sleeps.'),
    ttl: seconds('Unused, until it goes.'),
    sleepMode: z.enum(['stop', 'pause']),
    access: z.enum(ACCESS).meta({ description: 'Who may see its previews.' }),
    max: z.strictObject({
      previews: most('Previews at once.'),
      running: most('Previews that run at once.'),
      builds: most('Builds at once.'),
      memory: most('Bytes of all that run.'),
    }),
  })
  .meta({ id: 'Repository' });

export type RepositoryView = z.output<typeof repositorySchema>;

const section = z
  .looseObject({
    url: z.string().min(1).optional().meta({ description: 'On GitHub by its name unless told.' }),
    branches: z.array(z.string()).optional().meta({ description: 'Patterns; all branches unless told.' }),
  })
  .meta({ id: 'RepositorySection', description: 'What would stand below its name in treehouse.yml.' });

const secretSchema = z
  .strictObject({ name: z.string(), service: z.string(), branch: z.string(), setAt: z.iso.datetime() })
  .meta({ id: 'SecretName' });

const CONFIGURED = 'The configuration file has this repository: change it there, and start Treehouse again.';

export function repositoryRoutes({ book, secretsOf }: RepositoryDeps): readonly Route[] {
  const view = (one: Repository) => viewOf(one, book.isConfigured(one.name));
  const at = { path: '/repositories/{owner}/{name}', group: 'repositories', params: repositoryParam } as const;
  return [
    route({
      ...{ method: 'get', path: '/repositories', name: 'listRepositories', group: 'repositories', needs: 'read' },
      scope: 'reachable',
      summary: 'List the repositories of which previews are made',
      answers: {
        200: {
          what: 'All that the token reaches.',
          schema: z.strictObject({ repositories: z.array(repositorySchema) }),
        },
      },
      async handle({ principal }) {
        const mine = book.all().filter((one) => reaches(principal, one.name));
        return { status: 200, body: { repositories: mine.map(view) } };
      },
    }),
    route({
      ...{ ...at, method: 'get', name: 'getRepository', needs: 'read', scope: 'repository' },
      summary: 'One repository',
      answers: { 200: { what: 'It.', schema: repositorySchema } },
      handle: async ({ about }) => ({ status: 200, body: view(about) }),
    }),
    route({
      ...{ ...at, method: 'put', name: 'putRepository', needs: 'administer', scope: 'host' },
      act: 'put repository',
      summary: 'Add a repository, or change one that was added; its branches get previews at once',
      body: section,
      answers: {
        200: { what: 'It is changed.', schema: repositorySchema },
        201: { what: 'It is added.', schema: repositorySchema },
        404: { what: 'This can be no repository’s name.' },
        409: { what: 'The configuration has it.' },
      },
      async handle({ params, body }) {
        const name = nameIn(params);
        if (!name) return refusal(404, 'A repository’s name has the form owner/name.');
        if (book.isConfigured(name)) return refusal(409, CONFIGURED);
        const isNew = !book.all().some((one) => one.name === name);
        const faults = await book.put(name, body);
        if (faults.length > 0) {
          return refusal(400, `The request cannot be taken: ${faults.join('; ')}.`, {
            errors: faults.map((message) => ({ in: 'body', path: '', message })),
          });
        }
        const made = book.all().find((one) => one.name === name);
        return made ? { status: isNew ? 201 : 200, body: view(made) } : refusal(409, 'It was taken out meanwhile.');
      },
    }),
    route({
      ...{ ...at, method: 'delete', name: 'removeRepository', needs: 'administer', scope: 'host' },
      act: 'remove repository',
      summary: 'Take a repository out; its previews go',
      answers: {
        204: { what: 'It is out.' },
        404: { what: 'There is none of this name.' },
        409: { what: 'The configuration has it.' },
      },
      async handle({ params }) {
        const name = nameIn(params);
        if (name && book.isConfigured(name)) return refusal(409, CONFIGURED);
        if (name && (await book.remove(name))) return { status: 204 };
        return refusal(404, 'There is no repository of this name.');
      },
    }),
    route({
      ...{ ...at, path: `${at.path}/secrets`, method: 'get', name: 'listSecrets', needs: 'operate' },
      scope: 'repository',
      summary: 'Names of the secrets that are kept for it, never a value',
      answers: { 200: { what: 'All of them.', schema: z.strictObject({ secrets: z.array(secretSchema) }) } },
      async handle({ about }) {
        const all = await secretsOf(about.name);
        const secrets = all.map(({ name, service, branch, setAt }) => {
          return { name, service, branch, setAt: new Date(setAt).toISOString() };
        });
        return { status: 200, body: { secrets } };
      },
    }),
  ];
}

function nameIn({ owner, name }: z.output<typeof repositoryParam>): RepositoryName | undefined {
  try {
    return repositoryName(`${owner}/${name}`);
  } catch {
    return undefined;
  }
}

function viewOf(one: Repository, configured: boolean): RepositoryView {
  const asked = shownSelection(one.selection);
  const { previews = null, running = null, builds = null, memory = null } = one.most ?? {};
  return {
    ...{ name: one.name, url: shown(one.url), branches: [...one.branches], configured },
    ...{ ...asked, base: [...asked.base], paths: [...asked.paths], approvalLabel: one.approvalLabel ?? null },
    idle: inSeconds(one.idle),
    ttl: inSeconds(one.ttl),
    sleepMode: one.sleepMode ?? 'stop',
    access: one.access?.mode ?? 'public',
    max: { previews, running, builds, memory },
  };
}

/** Without a user's name or a password. */
function shown(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, '$1');
}

function inSeconds(ms: number | undefined): number | null {
  return ms === undefined ? null : ms / 1000;
}
