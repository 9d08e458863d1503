/** Open pull requests by one GraphQL query for a hundred, and what a commit changed. */
import type { OpenPullRequest } from '../domain/forge.ts';
import {
  type Branch,
  branchName,
  type Commit,
  commitId,
  type RepositoryName,
  repositoryName,
} from '../domain/names.ts';
import { type GitHubClient, PER_PAGE } from './client.ts';

/** Costs one point of the 5,000 of an hour. By when they were made, so that none is missed while pages are turned. */
const QUERY = `query openPullRequests($owner: String!, $name: String!, $first: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequests(states: OPEN, first: $first, after: $after, orderBy: {field: CREATED_AT, direction: ASC}) {
      pageInfo { hasNextPage endCursor }
      nodes {
        number isDraft updatedAt baseRefName headRefName headRefOid
        headRepository { nameWithOwner }
        author { __typename login }
        labels(first: 100) { nodes { name } }
      }
    }
  }
}`;

interface Answer {
  readonly repository: {
    readonly pullRequests: {
      readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
      readonly nodes: readonly (Node | null)[];
    };
  } | null;
}

interface Node {
  readonly number: number;
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
    const page = answer.repository?.pullRequests;
    for (const node of page?.nodes ?? []) {
      const read = node && fromNode(node);
      if (read) found.set(read.number, read);
    }
    if (!page?.pageInfo.hasNextPage || page.pageInfo.endCursor === null) return [...found.values()];
    after = page.pageInfo.endCursor;
  }
}

/** Undefined where git would not take the names of its branches: then there is nothing to preview. */
function fromNode(node: Node): OpenPullRequest | undefined {
  const { author, headRepository } = node;
  const isBot = author?.__typename === 'Bot';
  const branch = valid(() => branchName(node.headRefName));
  const base = valid(() => branchName(node.baseRefName));
  if (branch === undefined || base === undefined) return undefined;
  return {
    number: node.number,
    head: {
      repository: headRepository ? valid(() => repositoryName(headRepository.nameWithOwner)) : undefined,
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
