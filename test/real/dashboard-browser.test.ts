/** The dashboard in Debian's Chromium, on previews whose every word is hostile: nothing of it runs, and axe-core finds no serious fault. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore, type RedisStore } from '../../src/adapters/redis-store.ts';
import type { BuildId, Commit } from '../../src/domain/names.ts';
import { repositoryName, repositorySlug } from '../../src/domain/names.ts';
import type { ObservedContainer } from '../../src/domain/observed.ts';
import type { PreviewRecord } from '../../src/domain/preview.ts';
import { redisConnections } from '../../src/queue/redis.ts';
import { openPage, SIZES, seriousFaults, shoot, signIn, startBrowser } from '../support/browser.ts';
import { ADMIN_TOKEN, type DashboardWorld, startDashboard } from '../support/dashboard-world.ts';
import { keptLog } from '../support/log.ts';
import { writeMany } from '../support/many-previews.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const EVIL = `"'><img src=x onerror=alert(1)><x-evil>`;
const E = '\u001b';
const LINES = [
  `${E}[32m✓${E}[0m ${E}[1mnpm ci${E}[0m added 412 packages in 9 s`,
  `${E}[31mError:${E}[0m ${E}[33mwarning${E}[0m ${E}[34mblue${E}[0m ${E}[35mmagenta${E}[0m ${E}[36mcyan${E}[0m ${EVIL}`,
  `#8 [build 3/7] COPY package.json package-lock.json ./`,
];
const NAMES = ['acme/shop', 'acme/blog'].map(repositoryName);
const CONTAINER: ObservedContainer = {
  ...{ id: 'c1', name: 'web', service: EVIL, role: 'app', build: 'b' as BuildId, commit: 'c' as Commit, config: '' },
  ...{ running: true, restarting: false, exitCode: 0, health: 'healthy', restarts: 2, networks: new Map() },
  ...{ image: 'localhost:5000/main--shop/web:3f2a', imageId: '', after: [], exposed: undefined },
};
const { log } = keptLog();
let redis: TestRedis;
let store: RedisStore;
let world: DashboardWorld;
let browser: Browser;
let records: readonly PreviewRecord[];
beforeAll(async () => {
  redis = await startRedis();
  const connections = redisConnections(redis.url, log);
  store = openStore({ redis: connections, clock: { now: Date.now }, log, prefix: 'browser' });
  const writing = connections.patient();
  records = await writeMany(writing, {
    ...{ prefix: 'browser', previews: 33, builds: 4, lines: 60, now: Date.now(), repositories: NAMES },
    branch: (index) =>
      index === 4 ? `feature/"'><img-src=x-onerror=alert(1)>-and-on-and-on-and-on-for-ever` : `feature-${index}`,
    line: (index) => LINES[index % LINES.length] ?? '',
  });
  writing.disconnect();
  world = await startDashboard({
    ...{ store, containers: [CONTAINER], author: `Ada ${EVIL}`, subject: `Say hello ${EVIL}` },
    repositories: NAMES.map((name) => ({
      ...{ name, slug: repositorySlug(name), url: `https://github.com/${name}.git`, branches: ['*', '!dependabot/**'] },
      ...{ idle: 1_800_000, ttl: 1_209_600_000 },
      selection: {
        ...{ pullRequests: 'labelled', label: 'preview', drafts: false, bots: false },
        ...{ base: ['main', 'release/*'], paths: ['web', 'api/**', '!*.md'] },
      },
    })),
  });
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  await world?.close();
  await store.close();
  await redis.close();
});

/** What axe looks at, and what is waited for before. */
const pages = (): readonly (readonly [string, string, string])[] => [
  ['previews', '/', '#list'],
  ['nothing-found', '/?search=nonsense', '#list'],
  ['red-build', `/previews/${records[2]?.id}`, '#containers table'],
  ['hostile', `/previews/${records[4]?.id}`, '#containers table'],
  ['building', `/previews/${records[1]?.id}`, '#containers table'],
  ['asleep', `/previews/${records[3]?.id}`, '#containers table'],
  ['found', `/previews/${records[4]?.id}?find=Error`, 'text=lines have it'],
  ['queue', '/queue', '#queue'],
  ['host', '/host', '#host'],
  ['trail', '/trail', 'table'],
  ['repositories', '/repositories', 'table'],
  ['containers', `/previews/${records[2]?.id}/containers`, '#containers table'],
  ['not-there', '/previews/none--shop', 'h1'],
];

describe.each(['desk', 'phone'] as const)('on a %s', (size) => {
  // Every page four times: for what hangs, not for what is slow.
  it('every page is whole and accessible, light and dark', { timeout: 600_000 }, async () => {
    const { page, faults } = await openPage(browser, { viewport: SIZES[size], reducedMotion: 'reduce' });
    const found: string[] = [];
    const look = async (name: string) => {
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        await shoot(page, `${size}-${colorScheme}-${name}`);
        // What is dark has other colours, the same at every width.
        if (colorScheme === 'dark' && size === 'phone') continue;
        const some = await seriousFaults(page, colorScheme === 'light' ? 'all' : 'colours');
        found.push(...some.map((one) => `${name}, ${colorScheme}: ${one}`));
      }
      expect(await page.locator('x-evil, img[onerror]').count(), name).toBe(0);
      const wide = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
      expect(wide, `${name} is wider than the screen`).toBe(0);
    };
    await page.goto(world.url);
    await look('sign-in');
    await page.getByLabel('Token').fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
    await look('wrong-token');
    await signIn(page, world.url, ADMIN_TOKEN);
    for (const [name, at, wanted] of pages()) {
      await page.goto(`${world.url}${at}`);
      await page.locator(wanted).first().waitFor();
      await look(name);
    }
    await page.goto(`${world.url}/previews/${records[0]?.id}`);
    await page.getByRole('button', { name: 'Take down …' }).click();
    await page.getByRole('dialog').waitFor();
    await look('confirm');
    expect(found).toEqual([]);
    expect(faults).toEqual([]);
    await page.context().close();
  });
});

it('is used with the keyboard alone', async () => {
  const { page, faults } = await openPage(browser, { viewport: SIZES.desk });
  await signIn(page, world.url, ADMIN_TOKEN);
  await page.keyboard.press('Tab');
  expect(await page.evaluate('document.activeElement.textContent.trim()')).toBe('Skip to the content');
  await page.keyboard.press('Enter');
  expect(await page.evaluate('document.activeElement.id')).toBe('page');
  await page.keyboard.press('Tab');
  expect(await page.evaluate('document.activeElement.id')).toBe('search');
  // What is typed is looked for at once, and the focus stays where it is.
  await page.keyboard.type('feature-12');
  await expect.poll(() => page.locator('#list tbody tr').count()).toBe(1);
  expect(page.url()).toContain('search=feature-12');
  expect(await page.evaluate('document.activeElement.id')).toBe('search');
  await page.getByRole('link', { name: 'feature-12' }).focus();
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/previews\//);
  await page.getByRole('button', { name: 'Take down …' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  expect(await page.evaluate('document.activeElement.id')).toBe('act-down');
  expect(faults).toEqual([]);
  await page.context().close();
});

it('changes while one looks, without being loaded again', async () => {
  const { page, faults } = await openPage(browser, { viewport: SIZES.desk });
  await signIn(page, world.url, ADMIN_TOKEN);
  await page.evaluate('window.isSame = true');
  const record = records[7] as PreviewRecord;
  await store.know(record);
  const of = { preview: record.id, build: 'zzzzzzzz' as BuildId, at: Date.now() };
  const row = page.locator(`#row-${record.id}`);
  await expect.poll(() => world.hub.listeners()).toBe(1);
  await store.append({ ...of, type: 'build.started', commit: 'a'.repeat(40) as Commit, cause: 'it was pushed' });
  world.hub.touch(record.id);
  await row.getByText('building').waitFor();
  await page
    .locator('#news')
    .filter({ hasText: `${record.branch} of ${record.repository}: building` })
    .waitFor({ state: 'attached' });
  expect(await page.evaluate('window.isSame')).toBe(true);
  expect(faults).toEqual([]);
  await page.context().close();
});

it('is read and used without script', async () => {
  const { page } = await openPage(browser, { viewport: SIZES.desk, javaScriptEnabled: false });
  await signIn(page, world.url, ADMIN_TOKEN);
  await page.getByLabel('Search').fill('feature-6');
  await page.getByRole('button', { name: 'Show' }).click();
  await page.getByRole('link', { name: 'feature-6', exact: true }).click();
  await page.getByText('npm ci').first().waitFor();
  await page.getByRole('button', { name: 'Redeploy' }).click();
  await page.getByText('is built and started anew').waitFor();
  await page.getByRole('button', { name: 'Take down …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Take down' }).click();
  await page.getByText('It is taken down.').waitFor();
  expect(world.trail.entries.slice(-2).map((one) => [one.act, one.status])).toEqual([
    ['redeploy', 202],
    ['down', 202],
  ]);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Token').waitFor();
  await page.context().close();
});
