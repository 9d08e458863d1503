/** A build that is taken back while the engine is away. */
import { expect, it } from 'vitest';
import { type BuildId, branchName, type Commit, previewId, repositoryName } from '../../src/domain/names.ts';
import type { RetireDeps } from '../../src/teardown/retire.ts';
import { undoBuild } from '../../src/teardown/undo.ts';

it('leaves no checkout, and says that the rest is still there', async () => {
  const removed: string[] = [];
  const away = new Error('no engine answers');
  const deps = {
    builds: '/home/builds',
    engine: { observe: () => Promise.reject(away) },
    git: { removeCheckout: async (_repository: unknown, folder: string) => void removed.push(folder) },
  } as unknown as RetireDeps;
  const name = repositoryName('acme/shop');
  const id = previewId('shop', branchName('main'));
  const undone = undoBuild(deps, {
    preview: { id, repository: name, branch: branchName('main') },
    repository: { name, slug: 'shop', url: '/srv/shop', branches: ['*'] },
    build: 'b1' as BuildId,
    commit: 'c0ffee' as Commit,
    before: { preview: id, containers: [], networks: [], volumes: [], images: [] },
    live: [],
    isForGood: false,
  });
  await expect(undone).rejects.toThrow(away);
  expect(removed).toEqual(['/home/builds/main--shop/b1']);
});
