/**
 * Rules of iptables that hold for every interface of a preview (`th…`), and for the engine's own bridge, where BuildKit runs the
 * steps of a Dockerfile: nothing of the host itself is reached, no cloud metadata, and of what lies beyond only what the admin
 * allows. docker's own rules already keep bridges apart.
 */
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
/** What leads into our chains, by the chain of the host; each first there, in this order. */
const HOOKS: Readonly<Record<string, readonly string[]>> = {
  INPUT: [`-i ${INTERFACES} -j TREEHOUSE-INPUT`, `-i ${BUILDS} -j TREEHOUSE-INPUT`],
  'DOCKER-USER': [`-i ${INTERFACES} -j TREEHOUSE-FORWARD`, `-i ${BUILDS} -j TREEHOUSE-BUILD`],
};

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

  return {
    async ensure() {
      try {
        kind ??= await kindOfHost();
        // Others change the table too, another Treehouse among them: what was read may be old when it is written.
        let failure: string | undefined;
        for (let tries = 0; tries < TRIES; tries++) {
          const saved = await run(`iptables${kind ?? ''}-save`, ['-t', 'filter']);
          if (saved.exitCode !== 0) throw new Error(reason(saved));
          const change = changeOf(saved.stdout, options.egress);
          if (change === undefined) return tries > 0;
          // All of it at once or nothing: at no moment is there less of a wall than before.
          const written = await run(`iptables${kind ?? ''}-restore`, ['--wait', '5', '--noflush'], change);
          failure = written.exitCode === 0 ? undefined : reason(written);
        }
        if (failure !== undefined) throw new Error(failure);
        return true;
      } catch (cause) {
        const text = `previews cannot be kept from the host by iptables (${messageOf(cause)}): run Treehouse as root beside its engine, or set TREEHOUSE_FIREWALL=off and keep them apart yourself`;
        throw new TreehouseError('bad-config', text, { cause });
      }
    },
  };
}

function reason(result: ProcessResult): string {
  return result.stderr.trim().split('\n')[0] ?? `exit code ${result.exitCode}`;
}

/**
 * Pure: what `iptables-restore --noflush` is given so that the chains hold exactly our rules and the hooks into them come
 * first; undefined where `saved`, of `iptables-save`, says so already.
 */
export function changeOf(saved: string, egress: Egress): string | undefined {
  const lines = saved.split('\n').map((line) => line.trim());
  const chains = {
    'TREEHOUSE-INPUT': INPUT_RULES,
    'TREEHOUSE-FORWARD': forwardRules(egress),
    'TREEHOUSE-BUILD': buildRules(egress),
  };
  const change = [
    ...Object.entries(chains).flatMap(([name, rules]) => chainChange(lines, name, rules)),
    ...Object.entries(HOOKS).flatMap(([hook, rules]) => hookChange(lines, hook, rules)),
  ];
  // Chains are declared before rules that lead into them.
  const [declared, rest] = [change.filter((one) => one.startsWith(':')), change.filter((one) => !one.startsWith(':'))];
  return change.length === 0 ? undefined : `${['*filter', ...declared, ...rest, 'COMMIT'].join('\n')}\n`;
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
const BETWEEN = `-o ${INTERFACES} -j RETURN`;
const reject = (to: string) => `-d ${to} -j REJECT --reject-with icmp-port-unreachable`;
const INPUT_RULES = [ANSWERS, '-j DROP'];
const NOT_PRIVATE = [
  reject(LINK_LOCAL),
  // The engine's resolver asks from inside the container's network.
  '-p udp -m udp --dport 53 -j RETURN',
  '-p tcp -m tcp --dport 53 -j RETURN',
  ...PRIVATE.map(reject),
  '-j RETURN',
];

function forwardRules(egress: Egress): readonly string[] {
  if (egress === 'all') return [reject(LINK_LOCAL), '-j RETURN'];
  if (egress === 'none') return [ANSWERS, BETWEEN, '-j REJECT --reject-with icmp-port-unreachable'];
  return [
    ANSWERS,
    // Bridges are kept apart by docker itself; inside one, this is how services reach each other.
    BETWEEN,
    ...NOT_PRIVATE,
  ];
}

/** A build fetches its packages even where what runs reaches nothing. */
function buildRules(egress: Egress): readonly string[] {
  return egress === 'all' ? forwardRules(egress) : [ANSWERS, ...NOT_PRIVATE];
}
