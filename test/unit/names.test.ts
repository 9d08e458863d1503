import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Branch,
  branchName,
  buildId,
  commitId,
  parsePreviewId,
  previewId,
  repositoryName,
  repositorySlug,
  sideHost,
} from '../../src/domain/names.ts';
import { TreehouseError } from '../../src/errors.ts';

const SHOP = repositorySlug(repositoryName('acme/shop'));
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

const TRICKY = [
  'feature-a',
  'Feature/A',
  'feature/a',
  'feature_a',
  'feature.a',
  'feature--a',
  'feature-a-',
  '-feature-a',
  'FEATURE-A',
  'féature-a',
  'fe\u0301ature-a',
  'feature-a\u00a0',
  'x'.repeat(200),
  `${'x'.repeat(199)}y`,
  `${'x'.repeat(37)}`,
  `${'x'.repeat(38)}`,
  '日本語',
  '中文',
  'ünï',
  '🌳',
  '-x',
  'x',
  '--upload-pack=touch',
  '$(touch)',
  '$touch',
  'touch',
  "it's",
  'it"s',
  'it-s',
  '`id`',
  'id',
  'a;b',
  'a|b',
  'a&b',
  'a%20b',
  'a-b',
  'ab',
  'xn',
  'HEAD',
  'head',
  'a/b',
  'a--b',
  'İ',
  'ß',
  'ss',
  'ﬁ',
  'fi',
].map(branchName);

/** From an alphabet in which almost everything is normalised to almost the same. */
const branches = fc
  .string({
    unit: fc.constantFrom('a', 'A', 'b', '-', '_', '/', '.', 'é', '0', '$', '木'),
    minLength: 1,
    maxLength: 60,
  })
  .filter(isBranch) as fc.Arbitrary<Branch>;
const repositories = fc
  .stringMatching(/^[A-Za-z0-9._-]{1,60}$/)
  .filter((name) => !/^\.{1,2}$/.test(name))
  .map((name) => repositorySlug(repositoryName(`acme/${name}`)));

function isBranch(text: string): boolean {
  try {
    branchName(text);
    return true;
  } catch {
    return false;
  }
}

/** Hyphens in the third and fourth place are reserved: `xn--` is punycode, and browsers refuse it. */
function isPlainLabel(text: string): boolean {
  return LABEL.test(text) && text.slice(2, 4) !== '--';
}

describe('the preview id', () => {
  it('is readable where the branch is a label already', () => {
    expect(previewId(SHOP, branchName('feature-a'))).toBe('feature-a--shop');
    expect(previewId(SHOP, branchName('main'))).toBe('main--shop');
  });

  it('is its own for each branch of a tricky set', () => {
    const ids = TRICKY.map((branch) => previewId(SHOP, branch));
    expect(new Set(ids).size).toBe(TRICKY.length);
    for (const id of ids) expect(id).toSatisfy(isPlainLabel);
  });

  it('is a DNS label for every branch of every repository, and is read back as it is', () => {
    fc.assert(
      fc.property(repositories, branches, (slug, branch) => {
        const id = previewId(slug, branch);
        expect(id).toSatisfy(isPlainLabel);
        expect(parsePreviewId(id)).toBe(id);
        expect(id.endsWith(`--${slug}`)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is never shared by two branches', () => {
    fc.assert(
      fc.property(fc.uniqueArray(branches, { minLength: 2, maxLength: 40 }), (names) => {
        expect(new Set(names.map((branch) => previewId(SHOP, branch))).size).toBe(names.length);
      }),
      { numRuns: 500 },
    );
  });

  it('cannot be taken by a branch that is named like the id of another', () => {
    fc.assert(
      fc.property(branches, (branch) => {
        const id = previewId(SHOP, branch);
        const label = id.slice(0, -`--${SHOP}`.length);
        const forged = branchName(label);
        if (forged !== branch) expect(previewId(SHOP, forged)).not.toBe(id);
      }),
    );
  });

  it('tells repositories apart that are spelled alike', () => {
    const names = [
      'shop',
      'Shop',
      'sh.op',
      'sh-op',
      'sh_op',
      '-shop',
      'a'.repeat(60),
      'a'.repeat(61),
      '--',
      '__',
      '.x',
    ];
    const slugs = names.map((name) => repositorySlug(repositoryName(`acme/${name}`)));
    expect(new Set(slugs).size).toBe(names.length);
  });

  it.each(['', 'Main', 'Main--shop', 'a--b--c', '-a--b', 'a--b-', 'a---b', `${'a'.repeat(60)}--shop`, 'a--b\n'])(
    'is not read from %j',
    (text) => {
      expect(parsePreviewId(text)).toBeUndefined();
    },
  );
});

describe('the preview id of an only repository', () => {
  it('is the branch alone, a DNS label of its own for each, and is read back as it is', () => {
    expect(previewId('', branchName('main'))).toBe('main');
    const ids = TRICKY.map((branch) => previewId('', branch));
    expect(new Set(ids).size).toBe(TRICKY.length);
    for (const id of ids) expect(id).toSatisfy(isPlainLabel);
    fc.assert(
      fc.property(branches, (branch) => {
        const id = previewId('', branch);
        expect(id).toSatisfy(isPlainLabel);
        expect(parsePreviewId(id)).toBe(id);
      }),
    );
  });

  it('is never the id of a preview that is named with its repository, nor the host of a side service', () => {
    fc.assert(
      fc.property(branches, branches, repositories, (branch, other, slug) => {
        const id = previewId('', branch);
        expect(id).not.toBe(previewId(slug, other));
        expect(id).not.toBe(sideHost('web', previewId('', other)));
        expect(sideHost('web', previewId('', other))).toMatch(LABEL);
      }),
    );
  });
});

describe('the host of a side service', () => {
  const services = fc.stringMatching(/^[a-zA-Z0-9._-]{1,60}$/);

  it('is a DNS label and never the id of a preview', () => {
    fc.assert(
      fc.property(services, repositories, branches, branches, (service, slug, branch, other) => {
        const host = sideHost(service, previewId(slug, branch));
        expect(host).toMatch(LABEL);
        expect(parsePreviewId(host)).toBeUndefined();
        expect(host).not.toBe(previewId(slug, other));
      }),
      { numRuns: 2_000 },
    );
  });

  it('is its own for each service and preview', () => {
    fc.assert(
      fc.property(services, services, branches, branches, (one, two, branch, other) => {
        const same = one === two && branch === other;
        const hosts = [sideHost(one, previewId(SHOP, branch)), sideHost(two, previewId(SHOP, other))];
        expect(new Set(hosts).size).toBe(same ? 1 : 2);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is never in the punycode form', () => {
    expect(sideHost('xn', previewId(SHOP, branchName('main')))).toSatisfy(isPlainLabel);
  });
});

describe('branch names', () => {
  it.each([
    ['', 'no name'],
    ['@', 'no name'],
    ['a b', 'spaces'],
    ['a\tb', 'control characters'],
    ['a\0b', 'control characters'],
    ['a\u007fb', 'control characters'],
    ['a~1', '~'],
    ['a^', '^'],
    ['a:b', ':'],
    ['a?', '?'],
    ['a*', '*'],
    ['a[b', '['],
    ['a\\b', '\\'],
    ['a..b', '".."'],
    ['a@{b', '"@{"'],
    ['a//b', '"//"'],
    ['/a', '"/"'],
    ['a/', '"/"'],
    ['a.', '"."'],
    ['.a', 'starts with "."'],
    ['a/.b', 'starts with "."'],
    ['a.lock', '".lock"'],
    ['a.lock/b', '".lock"'],
    ['é'.repeat(128), '255 bytes'],
  ])('refuses %j: %s', (text, why) => {
    const act = () => branchName(text);
    expect(act).toThrow(TreehouseError);
    expect(act).toThrow(why);
    expect(act).toThrow(expect.objectContaining({ code: 'bad-branch', kind: 'terminal' }));
  });

  it.each(['-x', '$(touch)', '"', "'", '`id`', 'HEAD', 'a@b', 'a.b', '日本語', '--upload-pack=x', 'x'.repeat(255)])(
    'accepts %j, as git does',
    (text) => {
      expect(branchName(text)).toBe(text);
    },
  );
});

describe('the other identities', () => {
  it.each(['shop', 'acme/', '/shop', 'acme/..', 'acme/.', '-a/b', 'a/b/c', 'a/b c', 'a b/c', '../x', 'a/b\n'])(
    'refuses %j as a repository',
    (text) => {
      expect(() => repositoryName(text)).toThrow(expect.objectContaining({ code: 'bad-config' }));
    },
  );

  it('takes only full commit ids', () => {
    expect(commitId('a'.repeat(40))).toBe('a'.repeat(40));
    expect(commitId('0'.repeat(64))).toBe('0'.repeat(64));
    for (const text of ['', 'HEAD', 'abc1234', 'A'.repeat(40), 'a'.repeat(41), `${'a'.repeat(40)}\n`, '-'.repeat(40)]) {
      expect(() => commitId(text)).toThrow(TreehouseError);
    }
  });

  it('makes build ids that sort by time and hold only what a name may hold', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1_700_000_000_000, max: 2_700_000_000_000 }),
        fc.integer({ min: 1, max: 1e9 }),
        fc.integer({ min: 0, max: 1295 }),
        fc.integer({ min: 0, max: 1295 }),
        (now, later, one, two) => {
          expect(buildId(now, one)).toMatch(/^[a-z0-9]{10}$/);
          expect(buildId(now, one) < buildId(now + later, two)).toBe(true);
        },
      ),
    );
  });
});
