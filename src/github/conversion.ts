/** The last step of GitHub's manifest flow: a code becomes the App's key and secrets, once, within an hour. */
import { z } from 'zod';
import { messageOf, TreehouseError } from '../errors.ts';
import { timeLimit } from '../time-limit.ts';
import type { HomeApp } from './app-file.ts';

/** What is read of GitHub's answer. `client_secret` is not kept: nobody signs in by this App. */
const answer = z.object({
  id: z.int().positive(),
  slug: z.string().min(1),
  html_url: z.url({ protocol: /^https?$/ }),
  pem: z.string().includes('PRIVATE KEY-----'),
  webhook_secret: z.string().min(1).nullish(),
});

const ANSWER_MS = 30_000;

export interface ConversionOptions {
  readonly apiUrl: string;
  readonly code: string;
}

/** @throws `forge-failed`, transient where the code may still be good; it never holds the code or what came for it. */
export async function convertCode({ apiUrl, code }: ConversionOptions): Promise<HomeApp> {
  const limit = timeLimit(new AbortController().signal, ANSWER_MS);
  try {
    const response = await fetch(`${apiUrl}/app-manifests/${encodeURIComponent(code)}/conversions`, {
      method: 'POST',
      headers: {
        accept: 'application/vnd.github+json',
        'x-github-api-version': '2022-11-28',
        'user-agent': 'treehouse',
      },
      // For its length: an Enterprise server refuses a POST without one.
      body: '',
      redirect: 'error',
      signal: limit.signal,
    });
    if (response.status !== 201) throw refused(response.status);
    const { id, slug, html_url, pem, webhook_secret } = answer.parse(await response.json());
    const secret = webhook_secret ? { webhookSecret: webhook_secret } : {};
    return { id: String(id), slug, url: html_url, apiUrl, privateKey: pem, ...secret };
  } catch (error) {
    if (error instanceof TreehouseError) throw error;
    if (error instanceof z.ZodError || error instanceof SyntaxError) throw lost(faultIn(error));
    throw away(limit.reached() ? `no answer within ${ANSWER_MS / 1000} s` : reasonOf(error));
  } finally {
    limit.clear();
  }
}

const ACT = 'asking GitHub for the key of the App that was made failed';

function refused(status: number): TreehouseError {
  if (status === 429 || status >= 500) return away(`it answered ${status}`);
  const isUnknown = status === 404 || status === 422;
  return lost(isUnknown ? 'it does not know the code, which is good once and for an hour' : `it answered ${status}`);
}

function away(why: string): TreehouseError {
  const way = 'load the page to which GitHub led again, while this runs, to ask once more';
  return new TreehouseError('forge-failed', `${ACT}: ${why}; ${way}`, { kind: 'transient' });
}

function lost(why: string): TreehouseError {
  const way = 'The App is there without anybody who has its key: delete it on GitHub, and run this again';
  return new TreehouseError('forge-failed', `${ACT}: ${why}. ${way}`);
}

/** What was answered may be the key itself: only the field is told. */
function faultIn(error: z.ZodError | SyntaxError): string {
  if (error instanceof SyntaxError) return 'its answer is no JSON';
  return `its answer lacks ${error.issues.map((one) => one.path.join('.')).join(', ')}`;
}

/** fetch keeps why it failed to itself. */
function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  return messageOf(cause instanceof Error ? cause : error);
}
