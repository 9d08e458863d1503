/** The ImageStore port over the Docker engine. */
import type Docker from 'dockerode';
import type { ImageStore } from '../domain/supply.ts';
import { messageOf, TreehouseError } from '../errors.ts';

export function engineImages(docker: Docker): ImageStore {
  return {
    async look(reference) {
      try {
        const info = await docker.getImage(reference).inspect();
        const config = info.Config as { Labels?: Record<string, string> | null; OnBuild?: string[] | null } | undefined;
        return {
          id: info.Id,
          names: [...(info.RepoTags ?? []), ...(info.RepoDigests ?? [])],
          labels: config?.Labels ?? {},
          onBuild: config?.OnBuild ?? [],
        };
      } catch (cause) {
        const status = (cause as { statusCode?: unknown }).statusCode;
        // 400: no such name can be; whoever uses it will say so.
        if (status === 404 || status === 400) return undefined;
        throw new TreehouseError('engine-away', `looking at the image ${reference} failed: ${messageOf(cause)}`, {
          kind: 'transient',
          cause,
        });
      }
    },
  };
}
