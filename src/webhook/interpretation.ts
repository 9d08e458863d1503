/** What a delivery can mean, and how its payload is read. Pure. */
import { z } from 'zod';
import type { CommandOrder } from '../domain/comment-commands.ts';
import type { ForkFact } from '../domain/forks.ts';
import type { Repository } from '../domain/ports.ts';
import type { PreviewKey } from '../domain/preview.ts';
import type { PullRequestFact } from '../domain/pull-requests.ts';

export interface InterpretedHint {
  readonly kind: 'hint';
  readonly key: PreviewKey;
  /** Why the preview is looked at, in one sentence. */
  readonly cause: string;
  readonly pullRequest?: PullRequestFact;
}

/** A fork's pull request, whose preview waits for an approval. */
export interface InterpretedFork {
  readonly kind: 'fork';
  readonly key: PreviewKey;
  readonly fact: ForkFact;
  /** A label asks for its approval. */
  readonly order?: CommandOrder;
  readonly cause: string;
}

export interface InterpretedCommand {
  readonly kind: 'command';
  readonly order: CommandOrder;
  readonly cause: string;
}

export type Interpretation =
  | InterpretedHint
  | InterpretedFork
  | InterpretedCommand
  /** `attention`: the reason says what somebody is to change here. */
  | { readonly kind: 'ignored'; readonly reason: string; readonly attention?: true }
  | { readonly kind: 'ping'; readonly zen: string }
  /** The payload is not what GitHub sends for this event; the reason names the field. */
  | { readonly kind: 'malformed'; readonly reason: string };

// Only the fields that are read: GitHub adds others freely, and a payload's URLs are never used.
export const commitField = z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/, 'a commit id was expected');
export const repositoryField = z.object({ full_name: z.string() });
export const timeField = z.iso.datetime({ offset: true });
export const userField = z.object({ login: z.string(), type: z.string().nullish() });
export const action = z.object({ action: z.string() });

export function ignored(reason: string): Interpretation {
  return { kind: 'ignored', reason };
}

export function attention(reason: string): Interpretation {
  return { kind: 'ignored', reason, attention: true };
}

export function notConfigured(name: string): Interpretation {
  return ignored(`${quote(name)} is not a repository of this server's configuration`);
}

/** Names are compared without regard to case. */
export function findRepository(repositories: readonly Repository[], name: string): Repository | undefined {
  return repositories.find((one) => one.name.toLowerCase() === name.toLowerCase());
}

/** GitHub's word for it, or the form of its name. */
export function isBot({ login, type }: z.output<typeof userField>): boolean {
  return type === 'Bot' || login.endsWith('[bot]');
}

/** Text of a stranger inside a sentence: quoted, without control characters, and not a page long. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}

export function reading<T>(schema: z.ZodType<T>, payload: unknown, then: (read: T) => Interpretation): Interpretation {
  const read = schema.safeParse(payload);
  if (read.success) return then(read.data);
  const faults = read.error.issues.map((issue) => {
    const field = issue.path.join('.');
    return field === '' ? issue.message : `${field}: ${issue.message}`;
  });
  return { kind: 'malformed', reason: `the payload is not one of GitHub's: ${faults.join('; ')}` };
}
