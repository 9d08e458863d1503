/** What a fake GitHub knows: repositories and what is in them, who may what, an App and where it is installed. */
import { generateKeyPairSync } from 'node:crypto';

export type Level = 'admin' | 'maintain' | 'write' | 'triage' | 'read';
/** Such as `{statuses: 'write'}`. */
export type Permissions = Readonly<Record<string, 'read' | 'write'>>;

interface Made {
  readonly id: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface FakePull extends Made {
  readonly number: number;
  isOpen: boolean;
  isMerged?: boolean;
  /** Milliseconds since the epoch; undefined: when it was made. */
  updatedAt?: number;
  isDraft: boolean;
  labels: string[];
  readonly author: string | undefined;
  base: string;
  /** `repository` undefined where the fork is gone. */
  head: { readonly repository: string | undefined; branch: string; commit: string };
}

export interface FakeComment extends Made {
  readonly pull: number;
  readonly author: string;
  body: string;
  readonly reactions: { readonly by: string; readonly content: string }[];
}

export interface FakeStatus extends Made {
  readonly commit: string;
  readonly state: string;
  readonly description: string | undefined;
  readonly url: string | undefined;
  readonly context: string;
}

export interface FakeCheckRun extends Made {
  readonly commit: string;
  readonly by: string;
  /** As it was sent. */
  fields: Record<string, unknown>;
}

export interface FakeDeployment extends Made {
  readonly commit: string;
  readonly environment: string;
  readonly isTransient: boolean;
  readonly isProduction: boolean;
  readonly description: string;
  /** The last one holds. */
  readonly statuses: {
    readonly state: string;
    readonly url: string;
    readonly logUrl: string;
    readonly description: string;
  }[];
}

export interface ChangedFile {
  readonly filename: string;
  readonly previous?: string;
}

export interface FakeRepository {
  /** Another than the one by which it is asked for, where it has moved. */
  name: string;
  readonly id: number;
  readonly pulls: FakePull[];
  readonly comments: FakeComment[];
  readonly statuses: FakeStatus[];
  readonly checkRuns: FakeCheckRun[];
  deployments: FakeDeployment[];
  readonly environments: Set<string>;
  readonly collaborators: Map<string, Level>;
  /** By `base...head`. */
  readonly comparisons: Map<string, readonly ChangedFile[]>;
}

export interface FakeInstallation {
  id: number;
  readonly repositories: Set<string>;
  permissions: Permissions;
}

/** Who a token is of. */
export interface FakeToken {
  /** `octocat`, or `treehouse[bot]`. */
  readonly login: string;
  readonly isApp: boolean;
  readonly permissions: Permissions;
  /** Undefined: all. */
  readonly repositories: ReadonlySet<string> | undefined;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

export interface FakeDelivery extends Made {
  readonly guid: string;
  readonly status: number;
  readonly isAgain: boolean;
}

export interface State {
  readonly repositories: Map<string, FakeRepository>;
  readonly installations: Map<number, FakeInstallation>;
  readonly tokens: Map<string, FakeToken>;
  readonly deliveries: FakeDelivery[];
  readonly people: Set<string>;
  nextId: number;
  /** How long a list does not show what was made. */
  lagMs: number;
  /** Of tokens of installations. */
  tokenMs: number;
  /** Requests of a token in an hour. */
  hourly: number;
  /** Whose branches' heads are not told by git here. */
  readonly app: { readonly id: number; readonly slug: string };
}

export function emptyState(): State {
  return {
    repositories: new Map(),
    installations: new Map(),
    tokens: new Map(),
    deliveries: [],
    people: new Set(['octocat']),
    nextId: 1_000,
    lagMs: 0,
    tokenMs: 3_600_000,
    hourly: 5_000,
    app: { id: 4711, slug: 'treehouse' },
  };
}

export function newRepository(name: string, id: number): FakeRepository {
  return {
    ...{ name, id, pulls: [], comments: [], statuses: [], checkRuns: [], deployments: [] },
    ...{ environments: new Set(), collaborators: new Map(), comparisons: new Map() },
  };
}

/** All that Treehouse asks for, see docs/github.md. */
export const ALL: Permissions = {
  metadata: 'read',
  contents: 'read',
  pull_requests: 'write',
  issues: 'write',
  statuses: 'write',
  checks: 'write',
  deployments: 'write',
  administration: 'write',
};

let keys: { readonly publicKey: string; readonly privateKey: string } | undefined;
/** One for all: making it takes longer than most tests. In the form that GitHub gives it out. */
export function appKeys(): { readonly publicKey: string; readonly privateKey: string } {
  keys ??= generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  return keys;
}
