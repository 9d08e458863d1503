/** What is said beside a commit: a check run of an App, which has room for a log; a status with a token, which may make no runs. */
import type { CommitReport } from '../domain/forge.ts';
import { type Commit, type RepositoryName, shortCommit } from '../domain/names.ts';
import type { Asked, GitHubClient } from './client.ts';

/** By this name branch protection can ask for it. */
export const CONTEXT = 'treehouse/preview';
/** The longest that GitHub takes of a status and of a deployment. */
const DESCRIPTION_MAX = 140;
/** Of what is not pending. */
const CONCLUSIONS = { success: 'success', failure: 'failure', error: 'failure', skipped: 'skipped' } as const;
/** As GitHub's description has it of a run's texts. */
const TEXT_MAX = 65_535;

/** In one line of GitHub's length; whole characters. */
export function description(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length <= DESCRIPTION_MAX ? line : `${wellFormed(line.slice(0, DESCRIPTION_MAX - 1)).trimEnd()}…`;
}

/** Half of a pair may be left where a text was cut. */
function wellFormed(text: string): string {
  return text.replace(/[\ud800-\udbff]$/, '').replace(/^[\udc00-\udfff]/, '');
}

export async function report(
  client: GitHubClient,
  repository: RepositoryName,
  commit: Commit,
  said: CommitReport,
  signal: AbortSignal,
): Promise<void> {
  const what = client.isApp ? 'check run' : 'status';
  const asked = { act: `setting the ${what} of ${shortCommit(commit)}`, repository, signal };
  await (client.isApp ? setCheckRun(client, commit, said, asked) : setStatus(client, commit, said, asked));
}

async function setStatus(client: GitHubClient, commit: Commit, said: CommitReport, asked: Asked): Promise<void> {
  await client.ask(
    'POST /repos/{owner}/{repo}/statuses/{sha}',
    {
      sha: commit,
      // A status knows no other word that lets branch protection go on.
      state: said.state === 'skipped' ? 'success' : said.state,
      context: CONTEXT,
      description: description(said.description),
      ...(said.url === undefined ? {} : { target_url: said.url }),
    },
    asked,
  );
}

/** One run a commit while it goes on; what comes after its end is a run of its own, as GitHub has it of things that run again. */
async function setCheckRun(client: GitHubClient, commit: Commit, said: CommitReport, asked: Asked): Promise<void> {
  const run = await newestRun(client, commit, asked);
  const parameters = {
    name: CONTEXT,
    ...(said.url === undefined ? {} : { details_url: said.url }),
    ...(said.state === 'pending'
      ? ({ status: 'in_progress' } as const)
      : ({ status: 'completed', conclusion: CONCLUSIONS[said.state] } as const)),
    output: {
      title: description(said.description),
      summary: said.url === undefined ? plain(said.description) : `${plain(said.description)}\n\n<${said.url}>`,
      ...(said.tail === undefined || said.tail.length === 0 ? {} : { text: asCode(said.tail) }),
    },
  };
  const goesOn = run !== undefined && (run.status !== 'completed' || said.state !== 'pending');
  if (goesOn) {
    await client.ask(
      'PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}',
      { check_run_id: run.id, ...parameters } as never,
      asked,
    );
  } else {
    await client.ask('POST /repos/{owner}/{repo}/check-runs', { head_sha: commit, ...parameters } as never, {
      ...asked,
      once: true,
    });
  }
}

async function newestRun(client: GitHubClient, commit: Commit, asked: Asked) {
  const { data } = await client.ask(
    'GET /repos/{owner}/{repo}/commits/{ref}/check-runs',
    { ref: commit, check_name: CONTEXT, filter: 'latest', per_page: 100 },
    asked,
  );
  return data.check_runs.toSorted((a, b) => Number(b.id) - Number(a.id))[0];
}

/** Its characters are no marks. */
function plain(text: string): string {
  return text.replaceAll(/[\\`*_{}[\]<>()#+!|~@-]/g, (mark) => `\\${mark}`).slice(0, TEXT_MAX / 4);
}

/** The end of it, where it is too long; between fences that are longer than any in it. */
function asCode(lines: readonly string[]): string {
  const text = lines.join('\n');
  const fence = '`'.repeat(Math.max(3, ...[...text.matchAll(/`+/g)].map((run) => run[0].length + 1)));
  const room = TEXT_MAX - 2 * fence.length - 2;
  return `${fence}\n${wellFormed(text.slice(-Math.max(1, room)))}\n${fence}`;
}
