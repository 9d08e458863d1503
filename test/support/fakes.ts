/** Ports of the receiver that remember what was asked of them; Redis itself is in test/real. */
import type { CommandOrder, CommandOrders } from '../../src/domain/comment-commands.ts';
import type { ForkFact, Forks } from '../../src/domain/forks.ts';
import type { Branch, PreviewId, RepositoryName } from '../../src/domain/names.ts';
import type { Hints, Store } from '../../src/domain/ports.ts';
import type { PreviewKey } from '../../src/domain/preview.ts';
import type { PullRequestFact } from '../../src/domain/pull-requests.ts';

export interface Heard {
  readonly store: Pick<Store, 'know' | 'notePullRequest'>;
  readonly hints: Hints;
  readonly forks: Pick<Forks, 'note'>;
  readonly commands: CommandOrders;
  readonly known: PreviewKey[];
  readonly facts: { readonly repository: RepositoryName; readonly branch: Branch; readonly fact: PullRequestFact }[];
  readonly forkFacts: ForkFact[];
  readonly orders: CommandOrder[];
  readonly hinted: PreviewId[];
}

export function heard(): Heard {
  const known: Heard['known'] = [];
  const facts: Heard['facts'] = [];
  const forkFacts: Heard['forkFacts'] = [];
  const orders: Heard['orders'] = [];
  const hinted: Heard['hinted'] = [];
  return {
    known,
    facts,
    forkFacts,
    orders,
    hinted,
    store: {
      know: async (key) => void known.push(key),
      notePullRequest: async (repository, branch, fact) => void facts.push({ repository, branch, fact }),
    },
    hints: { hint: async (id) => void hinted.push(id) },
    forks: { note: async (_repository, fact) => void forkFacts.push(fact) },
    commands: { take: async (order) => void orders.push(order) },
  };
}
