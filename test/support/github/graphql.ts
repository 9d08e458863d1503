/** GitHub's GraphQL API: queries are held to its schema, and so are the answers, by the reference implementation. */
import { readFileSync } from 'node:fs';
import { buildSchema, execute, GraphQLError, type GraphQLSchema, parse, validate } from 'graphql';
import type { FakePull, FakeToken, State } from './state.ts';

const FILE = new URL('../../../node_modules/@octokit/graphql-schema/schema.graphql', import.meta.url);
let known: GraphQLSchema | undefined;
/** From its file: the package's own entry builds it too, in every test that only imports this. */
function schema(): GraphQLSchema {
  known ??= buildSchema(readFileSync(FILE, 'utf8'), { assumeValid: true, noLocation: true });
  return known;
}

export interface Query {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
}

export interface Queried {
  /** What GitHub's schema does not allow. */
  readonly faults: readonly string[];
  readonly body: unknown;
}

export async function answerQuery(
  { query, variables }: Query,
  { state, who, now }: { readonly state: State; readonly who: FakeToken; readonly now: number },
): Promise<Queried> {
  const document = parse(query);
  const faults = validate(schema(), document).map((one) => one.message);
  if (faults.length > 0) return { faults, body: { errors: faults.map((message) => ({ message })) } };
  const result = await execute({
    schema: schema(),
    document,
    variableValues: variables,
    rootValue: {
      repository: (of: { owner: string; name: string }) => repository(state, who, now, `${of.owner}/${of.name}`),
    },
  });
  const errors = (result.errors ?? []).map(({ message, path, extensions }) => ({
    message,
    path,
    type: extensions.type,
  }));
  // An answer that its own schema does not take is a fault of the fake.
  const own = errors.filter((one) => one.type === undefined).map((one) => `the fake's answer: ${one.message}`);
  return { faults: own, body: errors.length > 0 ? { data: result.data, errors } : { data: result.data } };
}

/** The query may ask for more things than this; then what is missing is an error of its schema. */
function repository(state: State, who: FakeToken, now: number, name: string): unknown {
  const found = state.repositories.get(name.toLowerCase());
  if (!found || (who.repositories && !who.repositories.has(found.name))) {
    throw new GraphQLError(`Could not resolve to a Repository with the name '${name}'.`, {
      extensions: { type: 'NOT_FOUND' },
    });
  }
  return {
    nameWithOwner: found.name,
    pullRequest({ number }: { number: number }) {
      const one = found.pulls.find((pull) => pull.number === number);
      if (one) return pull(one);
      throw new GraphQLError(`Could not resolve to a PullRequest with the number of ${number}.`, {
        extensions: { type: 'NOT_FOUND' },
      });
    },
    pullRequests({ first = 0, after }: { first?: number; after?: string | null }) {
      if (first > 100)
        throw new GraphQLError('`first` is more than 100', { extensions: { type: 'EXCESSIVE_PAGINATION' } });
      const open = found.pulls.filter((one) => one.isOpen && one.at <= now - state.lagMs);
      const from = after ? open.findIndex((one) => cursor(one) === after) + 1 : 0;
      const shown = open.slice(from, from + first);
      const last = shown.at(-1);
      return {
        totalCount: open.length,
        pageInfo: {
          hasNextPage: from + first < open.length,
          hasPreviousPage: from > 0,
          endCursor: last ? cursor(last) : null,
        },
        nodes: shown.map(pull),
      };
    },
  };
}

function cursor(one: FakePull): string {
  return Buffer.from(`cursor:${one.id}`).toString('base64');
}

function pull(one: FakePull): unknown {
  const isBot = one.author?.endsWith('[bot]') === true;
  return {
    number: one.number,
    isDraft: one.isDraft,
    state: one.isOpen ? 'OPEN' : one.isMerged === true ? 'MERGED' : 'CLOSED',
    updatedAt: new Date(one.updatedAt ?? one.at).toISOString(),
    baseRefName: one.base,
    headRefName: one.head.branch,
    headRefOid: one.head.commit,
    headRepository: one.head.repository === undefined ? null : { nameWithOwner: one.head.repository },
    author:
      one.author === undefined ? null : { __typename: isBot ? 'Bot' : 'User', login: one.author.replace('[bot]', '') },
    labels: { nodes: one.labels.map((name) => ({ name })) },
  };
}
