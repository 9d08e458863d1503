/** GitHub behind the port `Forge`. */
import type { Forge, LostDeliveries } from '../domain/forge.ts';
import type { Logger } from '../log.ts';
import { createClient, type GitHubClient } from './client.ts';
import { addComment, editComment, findComment, permission, react } from './comments.ts';
import { askAgain } from './deliveries.ts';
import { deploy, deployments, removeDeployment, removeEnvironment, reportDeployment } from './deployments.ts';
import { changedPaths, pullRequests, pullRequestsNow } from './pull-requests.ts';
import { report } from './reports.ts';
import { type GitHubSettings, gitHost, PACE, type Pace } from './settings.ts';

/** A token has no webhook of its own: with it no delivery is ever lost. */
export interface GitHub extends Forge, LostDeliveries {
  readonly isApp: boolean;
}

export interface GitHubOptions {
  readonly settings: GitHubSettings;
  readonly log: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly pace?: Partial<Pace>;
}

export function createGitHub({ settings, log, now, pace }: GitHubOptions): GitHub {
  const client = createClient({ settings, log, now, pace: { ...PACE, ...pace } });
  const self = ownName(client);

  return {
    host: gitHost(settings.apiUrl),
    isApp: client.isApp,
    async credentials(repository, { signal, refused }) {
      const [, name = ''] = repository.split('/');
      const narrowed = { repositoryNames: [name], permissions: { contents: 'read' } };
      const asked = { act: 'asking for what git reads it by', repository, signal };
      const password = await client.token(asked, { narrowed, ...(refused ? { refused: refused.password } : {}) });
      return { username: 'x-access-token', password };
    },

    pullRequests: (repository, signal) => pullRequests(client, repository, signal),
    pullRequestsNow: (repository, numbers, signal) => pullRequestsNow(client, repository, numbers, signal),
    changedPaths: (repository, change, signal) => changedPaths(client, repository, change, signal),
    report: (repository, commit, said, signal) => report(client, repository, commit, said, signal),

    deployments: (repository, environment, signal) => deployments(client, repository, environment, signal),
    deploy: (repository, of, signal) => deploy(client, repository, of, signal),
    reportDeployment: (repository, id, said, signal) => reportDeployment(client, repository, id, said, signal),
    removeDeployment: (repository, id, signal) => removeDeployment(client, repository, id, signal),
    removeEnvironment: (repository, environment, signal) => removeEnvironment(client, repository, environment, signal),

    async findComment(repository, pullRequest, marker, signal) {
      return findComment(client, await self(repository, signal), { repository, pullRequest, marker }, signal);
    },
    addComment: (repository, pullRequest, body, signal) =>
      addComment(client, repository, { pullRequest, body }, signal),
    editComment: (repository, id, body, signal) => editComment(client, repository, { id, body }, signal),
    react: (repository, comment, reaction, signal) => react(client, repository, { comment, reaction }, signal),
    permission: (repository, login, signal) => permission(client, repository, login, signal),

    askAgain: async (seen, most, signal) =>
      client.isApp ? askAgain(client, seen, most, signal) : { ...seen, count: 0 },
    close: () => client.close(),
  };
}

/** Asked once: an App comments as its bot, a token as its owner. */
function ownName(
  client: GitHubClient,
): (repository: Parameters<Forge['report']>[0], signal: AbortSignal) => Promise<string> {
  let known: string | undefined;
  return async (repository, signal) => {
    known ??= client.isApp
      ? `${(await client.askAsApp('GET /app', {}, { act: 'asking which App it is', signal })).data?.slug}[bot]`
      : (await client.ask('GET /user', {}, { act: 'asking whose token it is', repository, signal })).data.login;
    return known;
  };
}
