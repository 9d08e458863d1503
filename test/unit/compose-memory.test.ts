/** What Compose said once is not asked again, and paths are those of the new checkout. */
import { expect, it } from 'vitest';
import { rememberingComposer } from '../../src/adapters/compose-memory.ts';
import type { Composer } from '../../src/domain/ports.ts';

const signal = new AbortController().signal;

function counting(): Composer & { calls: string[] } {
  const calls: string[] = [];
  return {
    calls,
    async read({ root }) {
      calls.push(root);
      return { services: { web: { build: { context: `${root}/web` } } } };
    },
  };
}

it('reads a known file once, and makes its paths the new ones', async () => {
  const inner = counting();
  const composer = rememberingComposer(inner);
  const input = { files: [], env: undefined, fingerprint: 'same', signal };
  await composer.read({ ...input, root: '/builds/a"1' });
  expect(await composer.read({ ...input, root: '/builds/$&2' })).toEqual({
    services: { web: { build: { context: '/builds/$&2/web' } } },
  });
  expect(inner.calls).toEqual(['/builds/a"1']);
});

it('reads another, or one of which not all is known, anew', async () => {
  const inner = counting();
  const composer = rememberingComposer(inner);
  for (const fingerprint of ['one', 'two', undefined, undefined]) {
    await composer.read({ root: '/r', files: [], env: undefined, fingerprint, signal });
  }
  expect(inner.calls).toHaveLength(4);
});
