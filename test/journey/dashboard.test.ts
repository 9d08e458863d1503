/** A day at the dashboard of a real Treehouse, in a real browser: what is pushed comes live, red builds are read, previews are steered. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPage, SIZES, seriousFaults, shoot, signIn, startBrowser } from '../support/browser.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { serves, startWorld, type World } from '../support/treehouse.ts';

const repository = `acme/dash${process.pid}`;
const ADMIN = 'the admin token of this test';
const compose = (text: string, test: string) => `services:
  web:
    image: busybox
    command: ["sh", "-c", "mkdir -p /www && echo '${text}' > /www/index.html && exec httpd -f -p 8000 -h /www"]
    expose: ["8000"]
  test:
    image: busybox
    command: ["sh", "-c", "${test}"]
    profiles: ["test"]
`;
const GREEN = 'echo all is well';
const RED = 'for i in 1 2 3 4 5 6 7 8; do echo looking at case $$i; sleep 0.3; done; echo case 8 is wrong; exit 3';
/** Builds take what they take on a shared machine. */
const PATIENCE = { timeout: 120_000 };

let folder: string;
let repo: TestRepo;
let world: World;
let browser: Browser;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  repo = await makeRepo(folder, { 'compose.yml': compose('first', GREEN) });
  world = await startWorld({ repositories: { [repository]: repo.remote }, env: { TREEHOUSE_ADMIN_TOKEN: ADMIN } });
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

const idOf = (branch: string) => world.idOf(repository, branch);

/** On a page that is marked, so that one that was loaded again would be found out. */
async function opened(
  size: keyof typeof SIZES,
  at: string,
): Promise<{ readonly page: Page; readonly faults: string[] }> {
  const { page, faults } = await openPage(browser, { viewport: SIZES[size] });
  page.setDefaultTimeout(PATIENCE.timeout);
  await signIn(page, `${world.url}${at}`, ADMIN);
  await page.evaluate('window.isSame = true');
  return { page, faults };
}

async function ended(page: Page, faults: readonly string[]): Promise<void> {
  expect(await page.evaluate('window.isSame')).toBe(true);
  expect(faults).toEqual([]);
  expect(await seriousFaults(page)).toEqual([]);
  await page.context().close();
}

it('shows a push that comes live, on the page that is open', async () => {
  const { page, faults } = await opened('desk', '/');
  await repo.branch('first', 'main');
  await repo.push();
  await world.pushed(repository, 'first');
  const row = page.locator(`#row-${idOf('first')}`);
  await row.getByText('building').waitFor();
  await row.getByText('live').waitFor();
  await row.getByText('Ada Test').waitFor();
  await shoot(page, 'journey-desk-live');
  expect(await row.getByRole('link', { name: 'Open' }).getAttribute('href')).toContain(`http://${idOf('first')}.`);
  await ended(page, faults);
});

it('lets the log of a red build be read while it comes, and searched', async () => {
  await repo.branch('red', 'main');
  await repo.commit({ 'compose.yml': compose('red', RED) });
  await repo.push();
  const { page, faults } = await opened('desk', '/');
  await world.pushed(repository, 'red');
  await page.getByRole('link', { name: 'red', exact: true }).click();
  await page.evaluate('window.isSame = true');
  // Long before it has ended.
  await page.locator('#lines').getByText('looking at case 1').waitFor();
  await page.locator('#facts .is-failed').waitFor();
  await page.locator('#lines').getByText('case 8 is wrong').waitFor();
  await page.locator('.stages').getByText('failed').waitFor();
  const cases = (await page.locator('#lines').innerText()).match(/looking at case \d/g);
  expect(cases).toEqual(Array.from({ length: 8 }, (_, index) => `looking at case ${index + 1}`));
  await shoot(page, 'journey-desk-red');
  await page.getByRole('searchbox').fill('is wrong');
  await page.getByText('1 line has it.').waitFor();
  expect(await page.locator('#lines').innerText()).not.toContain('looking at');
  await ended(page, faults);
});

it.each(['desk', 'phone'] as const)('redeploys, sleeps, wakes and takes down by a button, on a %s', async (size) => {
  const branch = `on-a-${size}`;
  await repo.branch(branch, 'main');
  await repo.commit({ 'compose.yml': compose(branch, GREEN) });
  await repo.push();
  await world.pushed(repository, branch);
  await serves(world, idOf(branch), branch);
  const { page, faults } = await opened(size, `/previews/${idOf(branch)}`);
  const state = page.locator('#facts .state');
  const press = (name: string) => page.getByRole('button', { name, exact: true }).click();
  await page.locator('#containers').getByText('running').waitFor();
  // Not that of the page of containers, from which this part came.
  expect(await page.title()).toBe(`${branch} · Treehouse`);
  await shoot(page, `journey-${size}-preview`);

  await press('Redeploy');
  await page.locator('#said').getByText('built and started anew').waitFor();
  await state.getByText('building').waitFor();
  await state.getByText('live').waitFor();
  await page.getByText('2 builds').waitFor();

  await press('Put to sleep');
  await state.getByText('asleep').waitFor();
  await shoot(page, `journey-${size}-asleep`);
  await press('Wake');
  await state.getByText('live').waitFor();

  await press('Take down …');
  await page.getByRole('dialog').getByRole('button', { name: 'Take down' }).click();
  await state.getByText('removed').waitFor();
  await shoot(page, `journey-${size}-removed`);
  await ended(page, faults);
  expect((await world.record(idOf(branch)))?.reason).toContain('admin took it down');
});

it('shows the raw queue to admins, to be looked at alone', async () => {
  const { page, faults } = await opened('desk', '/queue');
  await page.getByRole('link', { name: 'The raw queue' }).click();
  await page.getByText('hints').first().waitFor();
  await shoot(page, 'journey-desk-raw-queue');
  const answer = await page.evaluate(
    'fetch("/queue/raw/api/queues/hints/pause", {method: "PUT"}).then((one) => one.status)',
  );
  expect(answer).toBe(405);
  expect(faults.filter((one) => !one.includes('fonts.googleapis.com'))).toEqual([]);
  await page.context().close();
});
