/** Below the table of previews: how far all is as the forge has it. */
import pc from 'picocolors';
import type { ForgeView } from '../api/host.ts';
import { age } from '../domain/duration.ts';
import { plain } from '../domain/plain.ts';

/** @returns a line for each installation, and one for whatever could not be asked; none without credentials */
export function forgeLines(forge: ForgeView | undefined, now: number): readonly string[] {
  if (!forge) return [];
  const { host, installations, deliveries } = forge;
  const ago = (at: string) => `${age(now - Date.parse(at))} ago`;
  const lines = installations.flatMap(({ owner, agreedAt, faults }) => [
    `agreed with ${host}${owner === null ? '' : ` about ${plain(owner)}`} ${agreedAt === null ? 'never yet' : ago(agreedAt)}`,
    ...faults.map(({ repositories, why }) => `${pc.yellow('!')} ${plain(repositories.join(', '))}: ${plain(why)}`),
  ]);
  const lost = deliveries?.fault ?? undefined;
  return lost === undefined
    ? lines
    : [...lines, `${pc.yellow('!')} lost deliveries could not be asked for again: ${plain(lost)}`];
}
