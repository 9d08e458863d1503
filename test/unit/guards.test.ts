/** Who may see a preview: as it is configured, and as the gateway is told. */
import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { signedPass } from '../../src/access/pass.ts';
import { openSharing } from '../../src/access/sharing.ts';
import { guardsText } from '../../src/adapters/nginx-gateway.ts';
import { accessSchema } from '../../src/config/access.ts';
import { type OpenLink, openPathFault, repositoryOf } from '../../src/domain/guards.ts';
import type { LinkRecord } from '../../src/domain/links.ts';
import { type PreviewId, repositoryName } from '../../src/domain/names.ts';
import { TreehouseError } from '../../src/errors.ts';
import { linksPlace } from '../../src/sweep/links-place.ts';

const shop = { name: repositoryName('acme/shop'), slug: 'shop' };
const only = { name: repositoryName('acme/only'), slug: '' };

describe('the configuration', () => {
  it.each([
    ['link', { mode: 'link', open: [] }],
    [
      { mode: 'password', open: ['/hooks/', '/healthz'] },
      { mode: 'password', open: ['/hooks/', '/healthz'] },
    ],
  ])('takes %j', (said, meant) => expect(accessSchema.parse(said)).toEqual(meant));

  it.each<[unknown, string]>([
    ['private', "it is 'public', 'password' or 'link'"],
    [{ mode: 'link', open: ['hooks'] }, 'it begins with /'],
    [{ mode: 'link', open: ['/'] }, 'say access: public'],
    [{ mode: 'link', paths: [] }, 'Unrecognized key'],
  ])('does not take %j', (said, fault) => {
    expect(JSON.stringify(accessSchema.safeParse(said).error?.issues)).toContain(fault);
  });

  it.each([
    '/a b',
    '/%61',
    '/a//b',
    '/a/../b',
    '/..',
    '/a/.',
    '/.treehouse/x',
    '/a;b',
    '/a\\b',
    '/a?b',
    '/a#b',
    '/ä',
    'a',
  ])('lets nothing through by %s', (path) => expect(openPathFault(path)).toBeDefined());

  it.each(['/hooks', '/hooks/', '/a.b/~c@d:e,f+g=1', '/.well-known/x', '/a/...'])('lets %s through', (path) =>
    expect(openPathFault(path)).toBeUndefined(),
  );
});

describe('the repository of a host', () => {
  it.each([
    ['main--shop', [shop], 'acme/shop'],
    ['api--main--shop', [shop], 'acme/shop'],
    ['main--blog', [shop], undefined],
    ['shop', [shop], undefined],
    ['main', [only], 'acme/only'],
    ['api--main', [only], 'acme/only'],
  ] as const)('%s of %j', (label, repositories, name) => expect(repositoryOf(repositories, label)?.name).toBe(name));
});

describe('the gateway', () => {
  it('is told a line for each repository', () => {
    const text = guardsText([
      { slug: 'shop', access: { mode: 'password', open: ['/hooks/', '/healthz'] }, mark: '0123456789abcdef' },
      { slug: '', access: { mode: 'public', open: [] } },
    ]);
    expect(text).toBe('shop password 0123456789abcdef /hooks/ /healthz\n- public -\n');
  });

  it('signs what a pass opens, for whom and until when', () => {
    const signature = createHmac('sha256', 'key').update('main--shop la1b2c3d4 12345').digest('base64url');
    const pass = { label: 'main--shop', grant: { link: 'a1b2c3d4' }, endsAt: 12_345 };
    expect(signedPass('key', pass)).toBe(`la1b2c3d4.12345.${signature}`);
  });
});

describe('links', () => {
  const preview = 'main--shop' as PreviewId;

  function world() {
    const kept = new Map<string, LinkRecord>();
    const clock = { at: 1_000, now: () => clock.at };
    let told: readonly OpenLink[] = [];
    let isAway = false;
    const sharing = openSharing({
      clock,
      links: {
        all: async () => [...kept.values()],
        find: async (id) => kept.get(id),
        add: async (record) => void kept.set(record.id, record),
        remove: async (id) => kept.delete(id),
      },
      doorkeeper: () => ({
        async setLinks(links) {
          if (isAway) throw new TreehouseError('route-failed', 'away', { kind: 'transient' });
          told = links;
        },
      }),
    });
    const away = (is: boolean) => {
      isAway = is;
    };
    return { kept, clock, sharing, away, told: () => told.map((one) => one.id) };
  }

  it('open until their time, and are forgotten then', async () => {
    const { sharing, clock, kept, told } = world();
    const { secret, record } = await sharing.share({ preview, expiresAt: 2_000, by: 'ada' });
    // What is secret of it may begin with the sign that parts it from the id.
    expect(JSON.stringify([...kept.values()])).not.toContain(secret.slice(record.id.length + 1));
    expect(told()).toEqual([record.id]);
    clock.at = 1_999;
    expect(await sharing.redeem(secret, [preview])).toEqual(record);
    expect(await sharing.redeem(secret, ['late--shop' as PreviewId])).toBeUndefined();
    expect(await sharing.redeem(`${record.id}_${'A'.repeat(43)}`, [preview])).toBeUndefined();
    clock.at = 2_000;
    expect(await sharing.redeem(secret, [preview])).toBeUndefined();
    expect(await sharing.all()).toEqual([]);
    expect(kept.size).toBe(0);
  });

  it('are none where the gateway could not be told of them', async () => {
    const { sharing, kept, away } = world();
    away(true);
    await expect(sharing.share({ preview, expiresAt: 2_000, by: 'ada' })).rejects.toThrow('away');
    expect(kept.size).toBe(0);
  });

  it('are ended at the gateway too, though it was away when they were', async () => {
    const { sharing, told, away } = world();
    const { record } = await sharing.share({ preview, expiresAt: 2_000, by: 'ada' });
    away(true);
    await expect(sharing.revokeAll(preview)).rejects.toThrow('away');
    await expect(sharing.revoke(preview, record.id)).rejects.toThrow('away');
    away(false);
    expect(told()).toEqual([record.id]);
    await sharing.revokeAll(preview);
    expect(told()).toEqual([]);
  });

  it('are swept with their preview', async () => {
    const { sharing, told } = world();
    await sharing.share({ preview, expiresAt: 2_000, by: 'ada' });
    await sharing.share({ preview, expiresAt: 3_000, by: 'bob' });
    const place = linksPlace(sharing);
    const things = await place.find(async () => false);
    expect(things).toEqual([
      { what: 'link', name: `links to ${preview}`, ref: preview, owner: { kind: 'preview', id: preview } },
    ]);
    for (const one of things) await place.remove(one);
    expect(told()).toEqual([]);
    for (const one of things) await place.remove(one);
  });

  it('of another preview stay', async () => {
    const { sharing, told } = world();
    const { record } = await sharing.share({ preview, expiresAt: 2_000, by: 'ada' });
    await sharing.revokeAll('late--shop' as PreviewId);
    await sharing.revoke('late--shop' as PreviewId, record.id);
    expect(told()).toEqual([record.id]);
  });
});
