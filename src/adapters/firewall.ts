/**
 * Rules of iptables that hold for every interface of a preview (`th…`): nothing of the host itself is reached, no cloud
 * metadata, and of what lies beyond only what the admin allows. docker's own rules already keep bridges apart.
 */
import type { Firewall } from '../domain/ports.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { runProcess } from './run-process.ts';

/** `internet`: everything but private addresses; `all`: those too; `none`: nothing. */
export type Egress = 'internet' | 'all' | 'none';

export interface FirewallOptions {
  readonly searchPath: string;
  readonly egress: Egress;
}

/** Interfaces of previews, as `bridgeName` names them. */
const INTERFACES = 'th+';
const INPUT = 'TREEHOUSE-INPUT';
const FORWARD = 'TREEHOUSE-FORWARD';

/** RFC 1918, RFC 6598 and benchmarks' networks (RFC 2544). */
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '198.18.0.0/15'];
/** Link-local, where clouds answer with the machine's own credentials. */
const LINK_LOCAL = '169.254.0.0/16';

export function iptablesFirewall(options: FirewallOptions): Firewall {
  async function iptables(...args: string[]): Promise<boolean> {
    const result = await runProcess({
      command: 'iptables',
      // Others change the table too.
      args: ['--wait', '5', ...args],
      env: { PATH: options.searchPath },
      timeoutMs: 20_000,
      signal: AbortSignal.timeout(20_000),
      allowExit: [1],
      act: 'setting up the firewall',
    });
    return result.exitCode === 0;
  }

  async function must(...args: string[]): Promise<void> {
    if (!(await iptables(...args))) throw new Error(`iptables ${args.join(' ')} was refused`);
  }

  /** The chain holds exactly these rules, and the hook leads into it first. */
  async function chain(name: string, hook: string, rules: readonly (readonly string[])[]): Promise<void> {
    if (!(await iptables('-N', name))) await must('-F', name);
    for (const rule of rules) await must('-A', name, ...rule);
    while (await iptables('-D', hook, '-i', INTERFACES, '-j', name));
    await must('-I', hook, '-i', INTERFACES, '-j', name);
  }

  return {
    async ensure() {
      try {
        await chain(INPUT, 'INPUT', [
          ['-m', 'conntrack', '--ctstate', 'ESTABLISHED,RELATED', '-j', 'RETURN'],
          ['-j', 'DROP'],
        ]);
        await chain(FORWARD, 'DOCKER-USER', forwardRules(options.egress));
      } catch (cause) {
        const text = `previews cannot be kept from the host by iptables (${messageOf(cause)}): run Treehouse as root beside its engine, or set TREEHOUSE_FIREWALL=off and keep them apart yourself`;
        throw new TreehouseError('bad-config', text, { cause });
      }
    },
  };
}

function forwardRules(egress: Egress): readonly (readonly string[])[] {
  const between = ['-o', INTERFACES, '-j', 'RETURN'];
  const answers = ['-m', 'conntrack', '--ctstate', 'ESTABLISHED,RELATED', '-j', 'RETURN'];
  const metadata = ['-d', LINK_LOCAL, '-j', 'REJECT'];
  if (egress === 'all') return [metadata, ['-j', 'RETURN']];
  if (egress === 'none') return [answers, between, ['-j', 'REJECT']];
  return [
    answers,
    // Bridges are kept apart by docker itself; inside one, this is how services reach each other.
    between,
    metadata,
    // The engine's resolver asks from inside the container's network.
    ['-p', 'udp', '--dport', '53', '-j', 'RETURN'],
    ['-p', 'tcp', '--dport', '53', '-j', 'RETURN'],
    ...PRIVATE.map((network) => ['-d', network, '-j', 'REJECT']),
    ['-j', 'RETURN'],
  ];
}
