/** The App that `treehouse github init` made, in one file of Treehouse's home: 0600, since its key is in it. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { messageOf, TreehouseError } from '../errors.ts';
import { writeWhole } from '../whole-file.ts';
import type { GitHubSettings } from './settings.ts';

const schema = z.object({
  id: z.string().regex(/^\d+$/, 'a number was expected'),
  slug: z.string().min(1),
  url: z.string(),
  apiUrl: z.string(),
  privateKey: z.string().includes('PRIVATE KEY-----', { error: 'a key in PEM was expected' }),
  webhookSecret: z.string().min(1).optional(),
});

export interface HomeApp {
  readonly id: string;
  /** Its name in addresses. */
  readonly slug: string;
  /** Its page on GitHub. */
  readonly url: string;
  /** Of the GitHub that has it. */
  readonly apiUrl: string;
  /** PEM. */
  readonly privateKey: string;
  /** By which its deliveries are signed; undefined where it has no webhook. */
  readonly webhookSecret?: string | undefined;
}

export function appFile(home: string): string {
  return path.join(home, 'github-app.json');
}

/** Undefined where none was made. @throws `bad-config` where there is something else, never saying what it is. */
export function readAppFile(home: string): HomeApp | undefined {
  const file = appFile(home);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw broken(file, messageOf(error));
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    // The parser's own words show some of it.
    throw broken(file, 'it is no JSON');
  }
  const read = schema.safeParse(content);
  if (read.success) return Object.freeze(read.data);
  throw broken(file, read.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
}

/** The App of the home as what GitHub is asked by, on the GitHub that has it; undefined where there is none. @throws `bad-config` */
export function gitHubOfHome(home: string): GitHubSettings | undefined {
  const app = readAppFile(home);
  return app && { apiUrl: app.apiUrl, credentials: { appId: app.id, privateKey: app.privateKey } };
}

/** @param fresh whether there may be none yet. @throws `process-failed` where it cannot be written, and nothing is lost by it. */
export async function writeAppFile(home: string, app: HomeApp, fresh: boolean): Promise<void> {
  const file = appFile(home);
  try {
    await writeWhole(file, `${JSON.stringify(app, undefined, 1)}\n`, fresh);
  } catch (error) {
    throw new TreehouseError('process-failed', `writing ${file} failed: ${messageOf(error)}`, { cause: error });
  }
}

function broken(file: string, why: string): TreehouseError {
  return new TreehouseError(
    'bad-config',
    `${file} cannot be read: ${why}; treehouse github init --force makes another App`,
  );
}
