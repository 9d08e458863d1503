/** Comments of Treehouse's own on pull requests, and what it answers to those of others. */
import type { ForgeComment, ForgePermission, Reaction } from '../domain/forge.ts';
import type { RepositoryName } from '../domain/names.ts';
import type { GitHubClient } from './client.ts';
import { isGone } from './faults.ts';

/** @param self by which name Treehouse is known on GitHub */
export async function findComment(
  client: GitHubClient,
  self: string,
  of: { readonly repository: RepositoryName; readonly pullRequest: number; readonly marker: string },
  signal: AbortSignal,
): Promise<ForgeComment | undefined> {
  const { repository, pullRequest, marker } = of;
  const asked = { act: `looking for the comment on #${pullRequest}`, repository, signal };
  const route = 'GET /repos/{owner}/{repo}/issues/{issue_number}/comments';
  let oldest: ForgeComment | undefined;
  for await (const page of client.pages(route, { issue_number: pullRequest }, asked)) {
    for (const { id, body = '', user } of page) {
      // Anybody may write the marker; only what is ours can be edited.
      if (user?.login.toLowerCase() !== self.toLowerCase() || !body.includes(marker)) continue;
      if (oldest === undefined || id < oldest.id) oldest = { id: Number(id), body };
    }
  }
  return oldest;
}

export async function addComment(
  client: GitHubClient,
  repository: RepositoryName,
  { pullRequest, body }: { readonly pullRequest: number; readonly body: string },
  signal: AbortSignal,
): Promise<ForgeComment> {
  const asked = { act: `commenting on #${pullRequest}`, repository, signal, once: true } as const;
  const parameters = { issue_number: pullRequest, body };
  const { data } = await client.ask('POST /repos/{owner}/{repo}/issues/{issue_number}/comments', parameters, asked);
  return { id: Number(data.id), body: data.body ?? body };
}

export async function editComment(
  client: GitHubClient,
  repository: RepositoryName,
  { id, body }: ForgeComment,
  signal: AbortSignal,
): Promise<boolean> {
  const asked = { act: `editing comment ${id}`, repository, signal };
  try {
    await client.ask('PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}', { comment_id: id, body }, asked);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

export async function react(
  client: GitHubClient,
  repository: RepositoryName,
  { comment, reaction }: { readonly comment: number; readonly reaction: Reaction },
  signal: AbortSignal,
): Promise<void> {
  const parameters = { comment_id: comment, content: reaction };
  const asked = { act: `answering comment ${comment}`, repository, signal };
  await client.ask('POST /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions', parameters, asked);
}

const PERMISSIONS: Readonly<Record<string, ForgePermission>> = {
  admin: 'admin',
  maintain: 'write',
  write: 'write',
  triage: 'read',
  read: 'read',
};

/** A word that is not known is no permission. */
export async function permission(
  client: GitHubClient,
  repository: RepositoryName,
  login: string,
  signal: AbortSignal,
): Promise<ForgePermission> {
  const asked = { act: `asking what ${login} may do`, repository, signal };
  const route = 'GET /repos/{owner}/{repo}/collaborators/{username}/permission';
  try {
    const { data } = await client.ask(route, { username: login }, asked);
    return PERMISSIONS[data.permission] ?? 'none';
  } catch (error) {
    // Nobody of that name, or a repository that shows itself to nobody here.
    if (isGone(error)) return 'none';
    throw error;
  }
}
