/** What a Dockerfile begins from. */
import { readDockerfile } from '../supply/dockerfile.ts';

/** Images of FROM that are no stages; those whose names hold variables are known to nobody but the build. */
export function basesOf(text: string): readonly string[] {
  const bases = new Set<string>();
  const stages = new Set<string>();
  for (const one of readDockerfile(text)[0]?.instructions ?? []) {
    if (one.name !== 'from' || one.onBuild) continue;
    const [image = '', as, stage] = one.rest.trim().split(/\s+/);
    if (image !== 'scratch' && !image.includes('$') && !stages.has(image.toLowerCase())) bases.add(image);
    if (as?.toLowerCase() === 'as' && stage !== undefined) stages.add(stage.toLowerCase());
  }
  return [...bases];
}
