/**
 * Rules of iptables that hold for every interface of a preview (`th…`), and for the engine's own bridge, where BuildKit runs the
 * steps of a Dockerfile: nothing of the host itself is reached, no neighbour, no cloud metadata, and of what lies beyond only what
 * the admin allows. They stand in two tables, since the engine takes its own rules, and the way into ours, out of `filter` for a
 * moment whenever it makes a network: docs/adr/0025-walls-that-the-engine-does-not-move.md.
 */
import { readFile } from 'node:fs/promises';
import type { Firewall } from '../domain/ports.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { type ProcessResult, runProcess } from './run-process.ts';

/** `internet`: everything but private addresses; `all`: those too; `none`: nothing. */
export type Egress = 'internet' | 'all' | 'none';

export interface FirewallOptions {
  readonly searchPath: string;
  readonly egress: Egress;
}

/** Interfaces of previews, as `bridgeName` names them. */
const INTERFACES = 'th+';
/** BuildKit inside the engine takes no other. */
const BUILDS = 'docker0';

/** What leads into the chains for what is passed on. */
const FORWARDED = [`-i ${INTERFACES} -j TREEHOUSE-FORWARD`, `-i ${BUILDS} -j TREEHOUSE-BUILD`];
/** By table: what leads into our chains, by the host's chain, each first there in this order; and how a packet is refused. */
const TABLES = {
  filter: {
    hooks: {
      INPUT: [`-i ${INTERFACES} -j TREEHOUSE-INPUT`, `-i ${BUILDS} -j TREEHOUSE-INPUT`],
      'DOCKER-USER': FORWARDED,
    },
    refuse: '-j REJECT --reject-with icmp-port-unreachable',
  },
  // It comes after `filter`, no engine writes there, and it cannot answer.
  security: { hooks: { FORWARD: FORWARDED }, refuse: '-j DROP' },
} as const;
type Table = keyof typeof TABLES;

/** RFC 1918, RFC 6598 and benchmarks' networks (RFC 2544). */
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '198.18.0.0/15'];
/** Link-local, where clouds answer with the machine's own credentials. */
const LINK_LOCAL = '169.254.0.0/16';

const TRIES = 5;

export function iptablesFirewall(options: FirewallOptions): Firewall {
  async function run(command: string, args: readonly string[], input?: string): Promise<ProcessResult> {
    return runProcess({
      command,
      args,
      env: { PATH: options.searchPath },
      ...(input === undefined ? {} : { input }),
      timeoutMs: 20_000,
      signal: new AbortController().signal,
      allowExit: [1, 2, 4],
      act: 'setting up the firewall',
    });
  }

  /**
   * Linux keeps rules in one of two ways, and the programs of a container are not always of its host's: the engine's chain is where
   * the host's are.
   */
  async function kindOfHost(): Promise<string | undefined> {
    for (const kind of ['', '-nft', '-legacy']) {
      const saved = await run(`iptables${kind}-save`, ['-t', 'filter']).catch(() => undefined);
      if (saved?.exitCode === 0 && /^:DOCKER-USER /m.test(saved.stdout)) return kind;
    }
    return undefined;
  }
  let kind: string | undefined;

  /** @returns whether anything was put right */
  async function ensureTable(table: Table, bridged: boolean): Promise<boolean> {
    // Others change the table too, another Treehouse among them: what was read may be old when it is written.
    let failure: string | undefined;
    for (let tries = 0; tries < TRIES; tries++) {
      const saved = await run(`iptables${kind ?? ''}-save`, ['-t', table]);
      if (saved.exitCode !== 0) throw new Error(reason(saved));
      const change = changeOf(saved.stdout, { table, egress: options.egress, bridged });
      if (change === undefined) return tries > 0;
      // All of it at once or nothing: at no moment is there less of a wall than before.
      const written = await run(`iptables${kind ?? ''}-restore`, ['--wait', '5', '--noflush'], change);
      failure = written.exitCode === 0 ? undefined : reason(written);
    }
    if (failure !== undefined) throw new Error(failure);
    return true;
  }

  return {
    async ensure() {
      try {
        kind ??= await kindOfHost();
        const bridged = await filtersBridges();
        let isChanged = false;
        for (const table of ['filter', 'security'] as const)
          isChanged = (await ensureTable(table, bridged)) || isChanged;
        return isChanged;
      } catch (cause) {
        const text = `previews cannot be kept from the host by iptables (${messageOf(cause)}): run Treehouse as root beside its engine, on a kernel that has xt_physdev and iptable_security, or set TREEHOUSE_FIREWALL=off and keep them apart yourself`;
        throw new TreehouseError('bad-config', text, { cause });
      }
    },
  };
}

function reason(result: ProcessResult): string {
  return result.stderr.trim().split('\n')[0] ?? `exit code ${result.exitCode}`;
}

/** Whether what goes over a single bridge passes these tables, too; without br_netfilter there is no such file. */
async function filtersBridges(): Promise<boolean> {
  const said = await readFile('/proc/sys/net/bridge/bridge-nf-call-iptables', 'utf8').catch(() => '0');
  return said.trim() !== '0';
}

export interface Wanted {
  readonly table: Table;
  readonly egress: Egress;
  /** Whether what goes over a single bridge passes these tables, too. */
  readonly bridged: boolean;
}

/**
 * Pure: what `iptables-restore --noflush` is given so that the chains of the table hold exactly our rules and the hooks into them
 * come first; undefined where `saved`, of `iptables-save`, says so already.
 */
export function changeOf(saved: string, { table, egress, bridged }: Wanted): string | undefined {
  // Some versions of iptables-save write two spaces after `-m physdev`.
  const lines = saved.split('\n').map((line) => line.trim().replaceAll(/ +/g, ' '));
  const { hooks, refuse } = TABLES[table];
  // What is routed to a preview comes from another network: visitors come from the host itself.
  const neighbours = `-o ${INTERFACES} ${refuse}`;
  const chains = {
    ...(table === 'filter' && { 'TREEHOUSE-INPUT': [ANSWERS, '-j DROP'] }),
    'TREEHOUSE-FORWARD': [ANSWERS, ...(bridged ? [SAME_BRIDGE] : []), neighbours, ...beyondRules(egress, refuse)],
    'TREEHOUSE-BUILD': [ANSWERS, neighbours, ...beyondRules(BUILDS_MAY[egress], refuse)],
  };
  const change = [
    ...Object.entries(chains).flatMap(([name, rules]) => chainChange(lines, name, rules)),
    ...Object.entries(hooks).flatMap(([hook, rules]) => hookChange(lines, hook, rules)),
  ];
  // Chains are declared before rules that lead into them.
  const [declared, rest] = [change.filter((one) => one.startsWith(':')), change.filter((one) => !one.startsWith(':'))];
  return change.length === 0 ? undefined : `${[`*${table}`, ...declared, ...rest, 'COMMIT'].join('\n')}\n`;
}

/** Declaring a chain empties it. */
function chainChange(lines: readonly string[], name: string, rules: readonly string[]): string[] {
  const wanted = rules.map((rule) => `-A ${name} ${rule}`);
  const there = lines.filter((line) => line.startsWith(`-A ${name} `));
  const known = lines.some((line) => line.startsWith(`:${name} `));
  return known && there.join('\n') === wanted.join('\n') ? [] : [`:${name} - [0:0]`, ...wanted];
}

function hookChange(lines: readonly string[], hook: string, rules: readonly string[]): string[] {
  const wanted = rules.map((rule) => `-A ${hook} ${rule}`);
  const there = lines.filter((line) => line.startsWith(`-A ${hook} `));
  const mine = there.filter((line) => wanted.includes(line));
  if (mine.length === wanted.length && wanted.every((line, index) => there[index] === line)) return [];
  return [
    ...mine.map((line) => line.replace('-A', '-D')),
    // Each goes before those that are there.
    ...wanted.toReversed().map((line) => line.replace('-A', '-I')),
  ];
}

// Rules are written as iptables-save writes them, so that the two can be compared.
const ANSWERS = '-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN';
/** How services of one network reach each other where that passes iptables at all. */
const SAME_BRIDGE = `-o ${INTERFACES} -m physdev --physdev-is-bridged -j RETURN`;
/** A build fetches its packages even where what runs reaches nothing. */
const BUILDS_MAY: Readonly<Record<Egress, Egress>> = { internet: 'internet', all: 'all', none: 'internet' };

/** Of what lies beyond the host. */
function beyondRules(egress: Egress, refuse: string): readonly string[] {
  if (egress === 'none') return [refuse];
  const metadata = `-d ${LINK_LOCAL} ${refuse}`;
  if (egress === 'all') return [metadata, '-j RETURN'];
  return [
    metadata,
    // The engine's resolver asks from inside the container's network.
    '-p udp -m udp --dport 53 -j RETURN',
    '-p tcp -m tcp --dport 53 -j RETURN',
    ...PRIVATE.map((to) => `-d ${to} ${refuse}`),
    '-j RETURN',
  ];
}
