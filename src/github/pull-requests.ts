/** Pull requests by GraphQL, a hundred by one query, and what a commit changed. */
import type { OpenPullRequest, PullRequestNow } from '../domain/forge.ts';
import {
  type Branch,
  branchName,
  type Commit,
  commitId,
  type RepositoryName,
  repositoryName,
} from '../domain/names.ts';
import { type GitHubClient, PER_PAGE } from './client.ts';
import { GitHubFault, isGone } from './faults.ts';

const FIELDS = `number state isDraft updatedAt baseRefName headRefName headRefOid
        headRepository { nameWithOwner }
        author { __typename login }
        labels(first: 100) { nodes { name } }`;

/** Costs one point of the 5,000 of an hour. By when they were made, so that none is missed while pages are turned. */
const QUERY = `query openPullRequests($owner: String!, $name: String!, $first: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    nameWithOwner
    pullRequests(states: OPEN, first: $first, after: $after, orderBy: {field: CREATED_AT, direction: ASC}) {
      pageInfo { hasNextPage endCursor }
      nodes {
        ${FIELDS}
      }
    }
  }
}`;

interface Answer {
  readonly repository: {
    readonly nameWithOwner: string;
    readonly pullRequests: {
      readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
      readonly nodes: readonly (Node | null)[];
    };
  } | null;
}

interface Node {
  readonly number: number;
  readonly state: 'OPEN' | 'CLOSED' | 'MERGED';
  readonly isDraft: boolean;
  readonly updatedAt: string;
  readonly baseRefName: string;
  readonly headRefName: string;
  readonly headRefOid: string;
  readonly headRepository: { readonly nameWithOwner: string } | null;
  readonly author: { readonly __typename: string; readonly login: string } | null;
  readonly labels: { readonly nodes: readonly ({ readonly name: string } | null)[] } | null;
}

export async function pullRequests(
  client: GitHubClient,
  repository: RepositoryName,
  signal: AbortSignal,
): Promise<readonly OpenPullRequest[]> {
  const asked = { act: 'listing the open pull requests', repository, signal };
  const found = new Map<number, OpenPullRequest>();
  for (let after: string | null = null; ; ) {
    const answer: Answer = await client.query<Answer>(QUERY, { first: PER_PAGE, after }, asked);
    const there = answer.repository;
    if (!there) throw notThere(asked);
    const page = there.pullRequests;
    for (const node of page.nodes) {
      const read = node && fromNode(node, { asked: repository, now: there.nameWithOwner });
      if (read) found.set(read.number, read);
    }
    if (!page.pageInfo.hasNextPage || page.pageInfo.endCursor === null) return [...found.values()];
    after = page.pageInfo.endCursor;
  }
}

/** In one query. */
const NUMBERS_AT_ONCE = 50;

export async function pullRequestsNow(
  client: GitHubClient,
  repository: RepositoryName,
  numbers: readonly number[],
  signal: AbortSignal,
): Promise<readonly PullRequestNow[]> {
  const found: PullRequestNow[] = [];
  for (let at = 0; at < numbers.length; at += NUMBERS_AT_ONCE) {
    found.push(...(await byNumber(client, repository, numbers.slice(at, at + NUMBERS_AT_ONCE), signal)));
  }
  return found;
}

/** GitHub answers with no other either where one of them is not there: then each is asked for alone. */
async function byNumber(
  client: GitHubClient,
  repository: RepositoryName,
  numbers: readonly number[],
  signal: AbortSignal,
): Promise<readonly PullRequestNow[]> {
  const asked = {
    act: `looking at the pull requests ${numbers.map((one) => `#${one}`).join(', ')}`,
    repository,
    signal,
  };
  const each = numbers.map((one) => `p${one}: pullRequest(number: ${one}) { ${FIELDS} }`).join('\n');
  const query = `query pullRequestsNow($owner: String!, $name: String!) {
  repository(owner: $owner, name: $name) { nameWithOwner
    ${each}
  }
}`;
  try {
    const answer = await client.query<{
      readonly repository: (Record<string, Node | null> & { readonly nameWithOwner: string }) | null;
    }>(query, {}, asked);
    const there = answer.repository;
    if (!there) throw notThere(asked);
    return numbers.flatMap((one) => {
      const node = there[`p${one}`];
      const read = node && fromNode(node, { asked: repository, now: there.nameWithOwner });
      return read ? [read] : [];
    });
  } catch (error) {
    if (!isGone(error)) throw error;
    if (numbers.length === 1) return [];
    const found: PullRequestNow[] = [];
    for (const one of numbers) found.push(...(await byNumber(client, repository, [one], signal)));
    return found;
  }
}

/** No answer is not the same as that there are none. */
function notThere({ act, repository }: { readonly act: string; readonly repository: string }): GitHubFault {
  const text = `${act} in ${repository} failed at GitHub: it is not there, or not for these credentials`;
  return new GitHubFault(text, { kind: 'terminal', status: 0 });
}

const STATES = { OPEN: 'open', CLOSED: 'closed', MERGED: 'merged' } as const;

/**
 * Undefined where git would not take the names of its branches: then there is nothing to preview.
 * @param names the repository's: one that has moved answers to both, and its own branches are those of the new one
 */
function fromNode(
  node: Node,
  names: { readonly asked: RepositoryName; readonly now: string },
): PullRequestNow | undefined {
  const { author, headRepository } = node;
  const isBot = author?.__typename === 'Bot';
  const branch = valid(() => branchName(node.headRefName));
  const base = valid(() => branchName(node.baseRefName));
  if (branch === undefined || base === undefined) return undefined;
  const isOwn = headRepository?.nameWithOwner === names.now;
  return {
    number: node.number,
    state: STATES[node.state],
    head: {
      repository: isOwn
        ? names.asked
        : headRepository
          ? valid(() => repositoryName(headRepository.nameWithOwner))
          : undefined,
      branch,
      commit: commitId(node.headRefOid),
    },
    base,
    isDraft: node.isDraft,
    labels: (node.labels?.nodes ?? []).flatMap((label) => (label ? [label.name] : [])),
    // A query names a bot without what everything else of GitHub adds to it; of somebody who left it names nobody.
    author: { login: author ? `${author.login}${isBot ? '[bot]' : ''}` : 'ghost', isBot },
    updatedAt: Date.parse(node.updatedAt),
  };
}

/** One strange name does not hide all other pull requests. */
function valid<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** GitHub names no more files of a comparison. */
const FILES_MAX = 300;

export async function changedPaths(
  client: GitHubClient,
  repository: RepositoryName,
  { base, head }: { readonly base: Branch; readonly head: Commit },
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const asked = { act: `comparing ${head.slice(0, 12)} with ${base}`, repository, signal };
  // All files are on the first page, however few commits it has.
  const parameters = { basehead: `${base}...${head}`, per_page: 1, page: 1 };
  const { data } = await client.ask('GET /repos/{owner}/{repo}/compare/{basehead}', parameters, asked);
  const files = data.files ?? [];
  if (files.length >= FILES_MAX) return undefined;
  return [
    ...new Set(
      files.flatMap((file) =>
        (file.previous_filename === undefined ? [] : [file.previous_filename]).concat(file.filename),
      ),
    ),
  ];
}
