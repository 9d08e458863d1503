/** Since when what is known of pull requests is what the forge says, and where that could not be found out. Pure. */
import type { FaultKind } from '../errors.ts';
import type { DeliveriesSeen } from './forge.ts';
import type { RepositoryName } from './names.ts';

/** Of one repository; times in milliseconds since the epoch. */
export interface Agreement {
  /** When the forge was last asked, whatever came of it. */
  readonly triedAt: number;
  /** When it last told of every open pull request, and that was noted; undefined: never. */
  readonly agreedAt?: number;
  /** Why it did not, the last time. */
  readonly fault?: { readonly why: string; readonly kind: FaultKind };
}

/** How far lost deliveries were asked for again. */
export interface DeliveriesState extends DeliveriesSeen {
  /** When that last went well; undefined: never. */
  readonly doneAt?: number;
  readonly fault?: string;
}

export interface AgreementState {
  readonly repositories: ReadonlyMap<RepositoryName, Agreement>;
  /** Undefined: it was never tried. */
  readonly deliveries: DeliveriesState | undefined;
}

/** Where that is kept. It may be lost: then it is found out again. */
export interface AgreementBook {
  read(): Promise<AgreementState>;
  /** Of every repository: what was known of others is forgotten. */
  noteRepositories(all: AgreementState['repositories']): Promise<void>;
  noteDeliveries(state: DeliveriesState): Promise<void>;
}

/** What people are told of it: for each installation of an App, which is its owner's, or for the one token. */
export interface AgreementView {
  readonly host: string;
  readonly installations: readonly {
    /** Undefined of a token. */
    readonly owner: string | undefined;
    /** Of all repositories of it that the forge shows: the time at which the last of them did; undefined: one never did. */
    readonly agreedAt: number | undefined;
    readonly faults: readonly { readonly repositories: readonly RepositoryName[]; readonly why: string }[];
  }[];
  /** Undefined where the forge tells of no deliveries. */
  readonly deliveries: { readonly doneAt: number | undefined; readonly fault: string | undefined } | undefined;
}

/** @param repositories those that are asked about; `isApp`: by an App, rather than a token */
export function agreementView(
  repositories: readonly RepositoryName[],
  state: AgreementState,
  { host, isApp }: { readonly host: string; readonly isApp: boolean },
): AgreementView {
  const owners = new Map<string | undefined, RepositoryName[]>();
  for (const one of repositories) {
    const owner = isApp ? one.split('/')[0] : undefined;
    owners.set(owner, [...(owners.get(owner) ?? []), one]);
  }
  const installations = [...owners].map(([owner, names]) => {
    const whys = new Map<string, RepositoryName[]>();
    for (const one of names) {
      const why = state.repositories.get(one)?.fault?.why;
      if (why !== undefined) whys.set(why, [...(whys.get(why) ?? []), one]);
    }
    const shown = names.filter((one) => state.repositories.get(one)?.fault?.kind !== 'terminal');
    const times = shown.map((one) => state.repositories.get(one)?.agreedAt);
    const agreedAt = times.includes(undefined) ? undefined : Math.min(...(times as number[]));
    return {
      owner,
      agreedAt: agreedAt === Number.POSITIVE_INFINITY ? undefined : agreedAt,
      faults: [...whys].map(([why, of]) => ({ repositories: of, why })),
    };
  });
  const { doneAt, fault } = state.deliveries ?? {};
  return { host, installations, deliveries: isApp ? { doneAt, fault } : undefined };
}

/** Whether a repository may be on the forge: what lies elsewhere, or on this machine under no owner, is not asked about. */
export function isOnForge({ name, url }: { readonly name: string; readonly url: string }, host: string): boolean {
  const remote = /^(?:ssh|git|https?):\/\/(?:[^@/]*@)?([^/:]+)/i.exec(url) ?? /^[^@/]+@([^/:]+):/.exec(url);
  const there = remote?.[1]?.toLowerCase();
  if (there === undefined) return !name.startsWith('local/');
  const own = host.toLowerCase().replace(/:\d+$/, '');
  return there === own || there === `ssh.${own}`;
}
