/** The table, and what an admin widens or tightens of it for one repository. */
import { DEFAULT_LIMITS, GRANTABLE_CAPABILITIES, type Limits, type PolicyRules } from '../domain/isolation.ts';
import { type Section, TABLES, type Table, type Verdict } from './table.ts';

export interface Policy {
  readonly tables: Readonly<Record<Section, Table>>;
  /** Capabilities that services may ask for. */
  readonly capabilities: ReadonlySet<string>;
  readonly limits: Limits;
  /** Milliseconds without a visit after which its previews sleep; undefined: the admin has none. */
  readonly idle?: number | undefined;
}

/** Refused keys that an admin may allow: each reaches the container as it is written, and is looked at again before it starts. */
export const WIDENABLE: readonly string[] = ['service.devices', 'service.sysctls'];

/** Capabilities that no admin gives: with one of them a container is the host. */
export const NEVER_GIVEN: readonly string[] = [
  'ALL',
  'BPF',
  'DAC_READ_SEARCH',
  'MAC_ADMIN',
  'MAC_OVERRIDE',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_MODULE',
  'SYS_RAWIO',
];

export const DEFAULT_POLICY: Policy = {
  tables: TABLES,
  capabilities: GRANTABLE_CAPABILITIES,
  limits: DEFAULT_LIMITS,
};

const ADMIN: Readonly<Record<'allow' | 'drop' | 'refuse', Verdict>> = {
  allow: { verdict: 'allow' },
  drop: { verdict: 'drop', message: 'dropped: the admin of this Treehouse leaves it out' },
  refuse: { verdict: 'refuse', message: 'the admin of this Treehouse refuses it for this repository; remove it' },
};

/** `rules` must have no `faultsOf`. */
export function policyOf(rules: PolicyRules | undefined, idle?: number): Policy {
  if (!rules) return { ...DEFAULT_POLICY, idle };
  const tables = Object.fromEntries(
    Object.entries(TABLES).map(([section, table]) => {
      const changed = new Map(table);
      for (const [key, verdict] of Object.entries(rules.keys)) {
        const [of, name = ''] = split(key);
        // What is allowed already stays as it is: it may be read, not copied.
        if (of === section && !(verdict === 'allow' && isGiven(table.get(name)))) changed.set(name, ADMIN[verdict]);
      }
      return [section, changed];
    }),
  ) as unknown as Policy['tables'];
  const capabilities = new Set([...GRANTABLE_CAPABILITIES, ...rules.capabilities]);
  return { tables, capabilities, limits: rules.limits, idle };
}

/** What is wrong with an admin's rules, each with its key. */
export function faultsOf(rules: Pick<PolicyRules, 'keys' | 'capabilities'>): readonly string[] {
  const faults: string[] = [];
  for (const [key, verdict] of Object.entries(rules.keys)) {
    const [section, name = ''] = split(key);
    const row = Object.hasOwn(TABLES, section) ? TABLES[section as Section].get(name) : undefined;
    if (!row) faults.push(`${key}: docs/policy.md has no such key; it is written as service.tty or build.args`);
    else if (verdict === 'allow' && !isGiven(row) && !WIDENABLE.includes(key)) {
      faults.push(
        `${key}: it cannot be allowed, since previews would not be kept apart; of what is refused ${WIDENABLE.join(' and ')} can`,
      );
    }
  }
  for (const one of rules.capabilities) {
    if (NEVER_GIVEN.includes(one)) faults.push(`capabilities: ${one} is never given: with it a container is the host`);
  }
  return faults;
}

function isGiven(row: Verdict | undefined): boolean {
  return row?.verdict === 'allow' || row?.verdict === 'read' || row?.verdict === 'skip';
}

function split(key: string): [string, string?] {
  const dot = key.indexOf('.');
  return dot < 0 ? [key] : [key.slice(0, dot), key.slice(dot + 1)];
}
