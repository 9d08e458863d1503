/** What the bench asks of the Docker engine itself: who runs, where it listens, and that nothing is left. */
import type Docker from 'dockerode';

export async function containersOf(
  docker: Docker,
  labels: readonly string[],
): Promise<readonly Docker.ContainerInfo[]> {
  return docker.listContainers({ all: true, filters: JSON.stringify({ label: labels }) });
}

/** The address of a compose project's service in its first network. */
export async function addressOf(docker: Docker, project: string, service: string): Promise<string | undefined> {
  const found = await containersOf(docker, [
    `com.docker.compose.project=${project}`,
    `com.docker.compose.service=${service}`,
  ]);
  return Object.values(found[0]?.NetworkSettings.Networks ?? {})[0]?.IPAddress || undefined;
}

/** How many containers, networks and volumes carry the label. */
export async function countOf(docker: Docker, label: string): Promise<number> {
  const filters = JSON.stringify({ label: [label] });
  const [containers, networks, volumes] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
    docker.listVolumes({ filters }),
  ]);
  return containers.length + networks.length + volumes.Volumes.length;
}

/** Removes everything with the label, whoever made it; what is gone already is no fault. */
export async function sweep(docker: Docker, label: string): Promise<void> {
  const filters = JSON.stringify({ label: [label] });
  for (const one of await docker.listContainers({ all: true, filters })) {
    await docker.getContainer(one.Id).remove({ force: true, v: true }).catch(ignore);
  }
  for (const one of await docker.listNetworks({ filters })) await docker.getNetwork(one.Id).remove().catch(ignore);
  for (const one of (await docker.listVolumes({ filters })).Volumes) {
    await docker.getVolume(one.Name).remove().catch(ignore);
  }
  for (const one of await docker.listImages({ filters })) {
    await docker.getImage(one.Id).remove({ force: true }).catch(ignore);
  }
}

function ignore(): void {
  // The next run has other names, so a thing that stays is in nobody's way.
}
