import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { imageNames, sourceHash, tagPrefix } from '../../src/domain/images.ts';
import {
  type Branch,
  branchName,
  commitId,
  previewId,
  repositoryName,
  repositorySlug,
} from '../../src/domain/names.ts';

const COMMIT = commitId('1'.repeat(40));
/** distribution/reference, regexp.go. */
const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const NAME = new RegExp(`^(?:[a-zA-Z0-9.-]+(?::[0-9]+)?/)?${COMPONENT}(?:/${COMPONENT})*$`);
const TAG = /^[\w][\w.-]{0,127}$/;

function names(repository: string, branch: string, service: string, more: { commit?: string; registry?: string } = {}) {
  const name = repositoryName(repository);
  const own = branchName(branch);
  return imageNames({
    registry: more.registry,
    preview: { id: previewId(repositorySlug(name), own), repository: name, branch: own },
    service,
    commit: commitId(more.commit ?? COMMIT),
    source: sourceHash([service]),
  });
}

const repositories = fc
  .tuple(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9-]{0,38}$/), fc.stringMatching(/^[A-Za-z0-9._-]{1,100}$/))
  .filter(([, name]) => !/^\.{1,2}$/.test(name))
  .map((parts) => parts.join('/'));
const services = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/);
const branches = fc.constantFrom(
  'main',
  'Feature/A',
  '日本語',
  'x'.repeat(200),
  '$(touch)',
  '-x',
) as fc.Arbitrary<Branch>;

describe('the names of an image', () => {
  it('are by commit and by source, below the registry or, without one, below treehouse', () => {
    const source = sourceHash(['web']);
    expect(names('acme/shop', 'main', 'web', { registry: '127.0.0.1:5000' })).toEqual({
      path: 'acme/shop/web',
      commitTag: `main--shop.${COMMIT}`,
      reference: `127.0.0.1:5000/acme/shop/web:main--shop.${COMMIT}`,
      bySource: `127.0.0.1:5000/acme/shop/web:main--shop.src-${source}`,
    });
    expect(names('Acme/shop', 'main', 'web').reference).toBe(`treehouse/acme/shop/web:main--shop.${COMMIT}`);
  });

  it('are valid for whatever repository, branch and service there is', () => {
    const commits = fc.constantFrom('a'.repeat(40), 'f'.repeat(64));
    fc.assert(
      fc.property(repositories, branches, services, commits, (repository, branch, service, commit) => {
        const { reference, bySource } = names(repository, branch, service, {
          commit,
          registry: 'registry.internal.example.com:5000',
        });
        for (const one of [reference, bySource]) {
          const colon = one.lastIndexOf(':');
          expect(one.slice(0, colon)).toMatch(NAME);
          expect(colon).toBeLessThanOrEqual(255);
          expect(one.slice(colon + 1)).toMatch(TAG);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('differ for services that are spelled alike', () => {
    const tricky = [
      'web',
      'Web',
      'WEB',
      'we.b',
      'we_b',
      'we-b',
      'web-',
      'web.',
      'web_',
      'x',
      'X',
      'x'.repeat(40),
      'x'.repeat(41),
      'x'.repeat(63),
    ];
    const paths = tricky.map((service) => names('acme/shop', 'main', service).path);
    // Named like what another becomes.
    const forged = paths.map((path) => names('acme/shop', 'main', path.split('/')[2] ?? '').path);
    expect(new Set([...paths, ...forged.filter((path) => !paths.includes(path))]).size).toBe(
      new Set([...tricky, ...paths.map((path) => path.split('/')[2])]).size,
    );
    fc.assert(
      fc.property(services, services, (one, two) => {
        expect(names('acme/shop', 'main', one).path === names('acme/shop', 'main', two).path).toBe(one === two);
      }),
    );
  });

  it('of another preview never begin like those of this one', () => {
    const prefix = (branch: string) => {
      const id = previewId('shop', branchName(branch));
      return tagPrefix({ id, repository: repositoryName('acme/shop'), branch: branchName(branch) });
    };
    expect(prefix('main')).toBe('main--shop.');
    expect(names('acme/shop', 'main-2', 'web').commitTag.startsWith(prefix('main'))).toBe(false);
  });
});

describe('the hash of sources', () => {
  it('is of their order and nesting, and short', () => {
    const hashes = [['a', 'b'], ['b', 'a'], ['ab'], [['a'], 'b'], [], ['']].map(sourceHash);
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(sourceHash(['a', { b: 1 }])).toBe(sourceHash(['a', { b: 1 }]));
    for (const one of hashes) expect(one).toMatch(/^[0-9a-f]{24}$/);
  });
});
