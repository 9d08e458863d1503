/** Remembers what Compose made of files that it has read before: most pushes leave the compose file as it was. */
import type { Composer } from '../domain/ports.ts';

/** Models are small; this many repositories and versions of their files are kept. */
const KEPT = 50;

/** The same composer; a file with a known fingerprint is not read by a new process. */
export function rememberingComposer<C extends Composer>(composer: C): C {
  // The root's own path stands in the text wherever Compose made a path absolute.
  const texts = new Map<string, { readonly root: string; readonly text: string }>();
  return {
    ...composer,
    async read(input) {
      const { fingerprint, root } = input;
      const known = fingerprint === undefined ? undefined : texts.get(fingerprint);
      if (known) return JSON.parse(known.text.replaceAll(quoted(known.root), () => quoted(root))) as unknown;
      const model = await composer.read(input);
      if (fingerprint !== undefined) {
        texts.set(fingerprint, { root, text: JSON.stringify(model) });
        const oldest = texts.size > KEPT ? texts.keys().next().value : undefined;
        if (oldest !== undefined) texts.delete(oldest);
      }
      return model;
    },
  };
}

/** As it stands in JSON. */
function quoted(path: string): string {
  return JSON.stringify(path).slice(1, -1);
}
