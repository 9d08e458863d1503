/** Names of the network, asked of this host's own resolver: its files, then its servers, as an engine beside us does. */
import { lookup } from 'node:dns/promises';

/** Every address of the name; none where it has none. */
export async function lookUp(name: string): Promise<readonly string[]> {
  try {
    return (await lookup(name, { all: true })).map(({ address }) => address);
  } catch {
    // Whatever kept it from having one is for the builder to say.
    return [];
  }
}
