/** What the API answers, as schemas: the types, the checks of what comes in and the OpenAPI document are made from these. */
import { z } from 'zod';
import { ROLES } from '../domain/access.ts';
import { STAGES } from '../domain/events.ts';
import { type PreviewId, parsePreviewId, type RepositoryName, repositoryName } from '../domain/names.ts';

const time = () => z.iso.datetime().meta({ description: 'When, in UTC.' });
const commit = () => z.string().meta({ description: 'A full commit id.' });

/** RFC 9457. */
export const problemSchema = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().meta({ description: 'What is wrong, and the way out.' }),
    errors: z
      .array(z.strictObject({ in: z.string(), path: z.string(), message: z.string() }))
      .optional()
      .meta({ description: 'Each fault of a request, where there are several.' }),
  })
  .meta({ id: 'Problem' });

export const STATES = [
  ...(['waiting', 'building', 'live', 'outdated', 'failed', 'asleep', 'waking', 'removing', 'removed'] as const),
] as const;

export const buildSchema = z
  .strictObject({
    id: z.string(),
    commit: commit(),
    startedAt: time(),
    stage: z.enum(STAGES).nullable().meta({ description: 'The stage it is in, or ended in.' }),
    stages: z
      .partialRecord(z.enum(STAGES), z.number().nullable())
      .meta({ description: 'Milliseconds that each took; null while it runs.' }),
    outcome: z.enum(['live', 'failed', 'superseded']).nullable(),
    message: z.string().nullable(),
  })
  .meta({ id: 'Build' });

export const previewSchema = z
  .strictObject({
    id: z.string().meta({ description: 'Also the first label of its host name.' }),
    repository: z.string(),
    branch: z.string(),
    state: z.enum(STATES),
    reason: z.string().meta({ description: 'Why it is in this state, in one sentence.' }),
    changedAt: time(),
    url: z.url().nullable(),
    urls: z.array(z.url()),
    commit: commit().nullable().meta({ description: 'What its URLs serve.' }),
    since: time().nullable().meta({ description: 'Since when they serve it.' }),
    position: z
      .int()
      .min(1)
      .nullable()
      .meta({ description: 'Its place in the queue, from 1; `reason` says for what.' }),
    about: z.int().min(0).nullable().meta({ description: 'Seconds until its turn, where that can be told.' }),
    pinned: z.boolean().meta({ description: 'Neither idleness nor time nor a limit ends it.' }),
    expiresAt: time().nullable().meta({ description: 'When it goes because nobody uses it, from some time before.' }),
    build: buildSchema.nullable().meta({ description: 'The newest build, whatever became of it.' }),
  })
  .meta({ id: 'Preview' });

/** A page ends with the cursor of the next, or null. */
export const next = z
  .string()
  .nullable()
  .meta({ description: 'Ask again with `after` set to it; null: that was all.' });

export const costSchema = z
  .strictObject({ builds: z.int(), buildSeconds: z.int(), awakeSeconds: z.int() })
  .meta({ description: 'What it took so far: builds that ended, and for how long its containers were up.' });

export const hintedSchema = z.strictObject({ hinted: z.string() }).meta({ id: 'Hinted' });

export const roleSchema = z.enum(ROLES);

/** An id in a path; what cannot be one is not found. */
export const previewParam = z.strictObject({
  id: z.string().refine((text) => parsePreviewId(text) !== undefined, 'it is no preview id'),
});

export const repositoryParam = z.strictObject({ owner: z.string(), name: z.string() });

/** `owner/name`. */
export const repositoryText = z
  .string()
  .refine(isRepositoryName, "it is no repository's name: it has the form owner/name")
  .transform((text) => text as RepositoryName);

function isRepositoryName(text: string): boolean {
  try {
    repositoryName(text);
    return true;
  } catch {
    return false;
  }
}

export type PreviewView = z.output<typeof previewSchema> & { readonly id: PreviewId };
export type BuildView = z.output<typeof buildSchema>;
