/** What the engine says of itself and of the machine that it is on. */
import type Docker from 'dockerode';
import type { HostFacts } from '../api/host.ts';
import { orAway } from './engine-errors.ts';

export async function engineFacts(docker: Docker): Promise<Omit<HostFacts, 'disks'>> {
  const [info, version] = await orAway('asking the engine what it is', Promise.all([docker.info(), docker.version()]));
  const { NCPU, MemTotal, Containers, ContainersRunning } = info as {
    readonly NCPU: number;
    readonly MemTotal: number;
    readonly Containers: number;
    readonly ContainersRunning: number;
  };
  return {
    engine: { version: version.Version, api: version.ApiVersion, containers: Containers, running: ContainersRunning },
    cores: NCPU,
    memory: MemTotal,
  };
}
