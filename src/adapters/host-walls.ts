/** Whether the rules of iptables are as adapters/firewall.ts raises them. */
import type { Seen } from '../audit/facts.ts';
import { messageOf } from '../errors.ts';
import { runProcess } from './run-process.ts';

const REFUSE = [
  /^-A TREEHOUSE-FORWARD -o th\+ -j (?:DROP|REJECT)\b/m,
  // Where nothing beyond is reached there is no rule for a part of it.
  /^-A TREEHOUSE-FORWARD (?:-d 169\.254\.0\.0\/16 )?-j (?:DROP|REJECT)\b/m,
  /^-A TREEHOUSE-BUILD -d 169\.254\.0\.0\/16 -j (?:DROP|REJECT)\b/m,
];
/** By table. */
const WALLS = {
  filter: [
    /^-A INPUT -i th\+ -j TREEHOUSE-INPUT$/m,
    /^-A TREEHOUSE-INPUT -j DROP$/m,
    /^-A DOCKER-USER -i th\+ -j TREEHOUSE-FORWARD$/m,
    /^-A DOCKER-USER -i docker0 -j TREEHOUSE-BUILD$/m,
    ...REFUSE,
  ],
  security: [/^-A FORWARD -i th\+ -j TREEHOUSE-FORWARD$/m, /^-A FORWARD -i docker0 -j TREEHOUSE-BUILD$/m, ...REFUSE],
};

/** Whether this host has them; unseen where this user may not read them. */
export async function walls(searchPath: string): Promise<Seen<boolean>> {
  try {
    const { stdout } = await runProcess({
      command: 'iptables-save',
      args: [],
      env: { PATH: `${searchPath}:/usr/sbin:/sbin` },
      timeoutMs: 10_000,
      signal: AbortSignal.timeout(10_000),
      act: 'reading the firewall',
    });
    return hasWalls(stdout);
  } catch (error) {
    return { unseen: messageOf(error).split('\n')[0] ?? '' };
  }
}

/** Of `iptables-save`: in each table the hooks lead into the chains of previews and of builds, and there are walls in them. */
export function hasWalls(saved: string): boolean {
  return Object.entries(WALLS).every(([table, wanted]) => {
    const rules = saved.split(`*${table}\n`)[1]?.split('\nCOMMIT')[0] ?? '';
    return wanted.every((rule) => rule.test(rules));
  });
}
