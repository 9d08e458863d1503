/** Repositories that are added beside the configuration's. */
import { describe, expect, it } from 'vitest';
import { openBook, type Section } from '../../src/config/book.ts';
import { readConfig } from '../../src/config.ts';
import { repositoryName } from '../../src/domain/names.ts';
import { TreehouseError } from '../../src/errors.ts';

const SHOP = repositoryName('acme/shop');
const BLOG = repositoryName('acme/blog');
const config = readConfig({
  cwd: '/srv',
  env: { TREEHOUSE_IDLE: '30m' },
  repositories: [{ name: 'acme/shop', url: '/srv/shop' }],
});

async function bookOf(kept: Record<string, Section> = {}, settings = config) {
  const written: Record<string, Section>[] = [];
  let changes = 0;
  const book = await openBook({
    configured: settings.repositories,
    defaults: settings.defaults,
    added: {
      file: '/srv/home/repositories.json',
      read: async () => new Map(Object.entries(kept)),
      write: async (all) => void written.push(Object.fromEntries(all)),
    },
    async checkUrl(url) {
      if (url === '/nowhere') throw new TreehouseError('bad-config', "repository '/nowhere' cannot be used: no folder");
    },
    onChange: async () => {
      changes += 1;
    },
  });
  return { book, written, changes: () => changes };
}

describe('a repository that is added', () => {
  it('is kept as it was said, gets what all have, and is told of', async () => {
    const { book, written, changes } = await bookOf();
    expect(await book.put(BLOG, { url: './blog', branches: ['main'], previews: { ttl: '14d' } })).toEqual([]);
    expect(book.all()).toHaveLength(2);
    expect(book.all()[1]).toMatchObject({ name: BLOG, slug: 'blog', url: '/srv/blog', idle: 1_800_000 });
    expect(written).toEqual([{ [BLOG]: { url: './blog', branches: ['main'], previews: { ttl: '14d' } } }]);
    expect(changes()).toBe(1);
  });

  it('is there again after a start, is changed, and goes', async () => {
    const { book, written } = await bookOf({ [BLOG]: { url: '/a' } });
    expect(book.all().map((one) => one.url)).toEqual(['/srv/shop', '/a']);
    await book.put(BLOG, { url: '/b' });
    expect(book.all().map((one) => one.url)).toEqual(['/srv/shop', '/b']);
    expect(await book.remove(BLOG)).toBe(true);
    expect(await book.remove(BLOG)).toBe(false);
    expect([book.all().length, written.at(-1)]).toEqual([1, {}]);
  });

  it.each<[string, string, Section, RegExp]>([
    ['has settings that are none', 'acme/blog', { brunches: ['main'] }, /^repositories\.acme\/blog: .*brunches/],
    ['has a time that is none', 'acme/blog', { previews: { ttl: 'soon' } }, /acme\/blog\.previews\.ttl: it is a time/],
    ['would share names with another', 'other/shop', {}, /its previews would have the names of acme\/shop's/],
    ['is not to be read', 'acme/blog', { url: '/nowhere' }, /^repository '\/nowhere' cannot be used: no folder$/],
  ])('that %s is refused, and nothing changes', async (_what, name, section, why) => {
    const { book, written, changes } = await bookOf();
    expect(await book.put(repositoryName(name), section)).toEqual([expect.stringMatching(why)]);
    expect([book.all().length, written.length, changes()]).toEqual([1, 0, 0]);
  });

  it('is refused where names are for one', async () => {
    const one = readConfig({
      cwd: '/srv',
      env: { TREEHOUSE_HOSTNAME: '{branch}' },
      repositories: [{ name: 'acme/shop', url: '/srv/shop' }],
    });
    const { book } = await bookOf({}, one);
    expect(await book.put(BLOG, {})).toEqual([expect.stringContaining("make it '{branch}--{repo}' to have more")]);
  });
});

it('what the configuration names too is the configuration’s', async () => {
  const { book } = await bookOf({ 'acme/SHOP': { url: '/other' } });
  expect(book.all().map((one) => one.url)).toEqual(['/srv/shop']);
  expect([book.isConfigured(SHOP), book.isConfigured(BLOG)]).toEqual([true, false]);
});

it('what was added and cannot be used any more ends the start, rather than its previews', async () => {
  await expect(bookOf({ [BLOG]: { previews: { ttl: 'soon' } } })).rejects.toThrow(
    /^\/srv\/home\/repositories\.json has faults; .*\n {2}repositories\.acme\/blog\.previews\.ttl: it is a time/,
  );
});

it('changes that come at once are done one after the other', async () => {
  const { book, written } = await bookOf();
  const names = ['a/one', 'a/two', 'a/three'].map(repositoryName);
  await Promise.all(names.map((name) => book.put(name, {})));
  expect(book.all().map((one) => one.name)).toEqual([SHOP, ...names]);
  expect(Object.keys(written.at(-1) ?? {})).toEqual(names);
});
