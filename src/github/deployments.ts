/** Deployments: what GitHub shows beside "View deployment", one environment a preview. */
import type { DeploymentReport, ForgeDeployment } from '../domain/forge.ts';
import { type Commit, commitId, type RepositoryName, shortCommit } from '../domain/names.ts';
import type { GitHubClient } from './client.ts';
import { GitHubFault, isForbidden, isGone } from './faults.ts';
import { description } from './reports.ts';

export async function deployments(
  client: GitHubClient,
  repository: RepositoryName,
  environment: string,
  signal: AbortSignal,
): Promise<readonly ForgeDeployment[]> {
  const asked = { act: `listing the deployments of ${environment}`, repository, signal };
  const found: ForgeDeployment[] = [];
  for await (const page of client.pages('GET /repos/{owner}/{repo}/deployments', { environment }, asked)) {
    for (const { id, sha } of page) found.push({ id: Number(id), commit: commitId(sha) });
  }
  return found.toSorted((a, b) => b.id - a.id);
}

export async function deploy(
  client: GitHubClient,
  repository: RepositoryName,
  of: { readonly environment: string; readonly commit: Commit; readonly description: string },
  signal: AbortSignal,
): Promise<ForgeDeployment> {
  const asked = { act: `making a deployment of ${shortCommit(of.commit)}`, repository, signal, once: true } as const;
  const { data } = await client.ask(
    'POST /repos/{owner}/{repo}/deployments',
    {
      ref: of.commit,
      environment: of.environment,
      description: description(of.description),
      transient_environment: true,
      production_environment: false,
      // Else GitHub merges the default branch into it, and waits for every status of the commit, our own too.
      auto_merge: false,
      required_contexts: [],
    },
    asked,
  );
  if (!('id' in data))
    throw new GitHubFault(`${asked.act} in ${repository} made none at GitHub`, { kind: 'terminal', status: 202 });
  return { id: Number(data.id), commit: commitId(data.sha) };
}

export async function reportDeployment(
  client: GitHubClient,
  repository: RepositoryName,
  id: number,
  said: DeploymentReport,
  signal: AbortSignal,
): Promise<void> {
  await client.ask(
    'POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses',
    {
      deployment_id: id,
      state: said.state,
      description: description(said.description),
      auto_inactive: true,
      ...(said.url === undefined ? {} : { environment_url: said.url }),
      ...(said.logUrl === undefined ? {} : { log_url: said.logUrl }),
    },
    { act: `setting deployment ${id} to ${said.state}`, repository, signal },
  );
}

export async function removeDeployment(
  client: GitHubClient,
  repository: RepositoryName,
  id: number,
  signal: AbortSignal,
): Promise<void> {
  const asked = { act: `removing deployment ${id}`, repository, signal };
  await client
    .ask('DELETE /repos/{owner}/{repo}/deployments/{deployment_id}', { deployment_id: id }, asked)
    .catch((error: unknown) => {
      if (!isGone(error)) throw error;
    });
}

export async function removeEnvironment(
  client: GitHubClient,
  repository: RepositoryName,
  environment: string,
  signal: AbortSignal,
): Promise<void> {
  const asked = { act: `removing the environment ${environment}`, repository, signal };
  await client
    .ask('DELETE /repos/{owner}/{repo}/environments/{environment_name}', { environment_name: environment }, asked)
    .catch((error: unknown) => {
      if (!isGone(error) && !isForbidden(error)) throw error;
    });
}
