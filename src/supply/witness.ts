/** Reads off BuildKit's own progress which images it drew in: what was read wrong beforehand shows here, whatever it was. */
import { fullName, parseImageName } from './reference.ts';

/** `#2 [internal] load metadata for X`, `#2 [t0 internal] …`, `#1 resolve image config for docker-image://X`. */
const DRAWN =
  /^#\d+ (?:\[[^\]]*\] load metadata for |resolve image config for (?:docker-image:\/\/)?)([^\s]{1,600})\s*$/;

/** The image that a line of BuildKit's progress, as buildx prints it, says was drawn in. */
export function drawnByBuilder(line: string): string | undefined {
  const reference = DRAWN.exec(line)?.[1];
  const name = reference === undefined ? undefined : parseImageName(reference);
  return name ? fullName(name) : reference;
}
