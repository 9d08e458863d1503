/** The pages of `treehouse github init` as a person meets them: in Chromium, at a desk and on a phone, light and dark. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TreehouseError } from '../../src/errors.ts';
import { readAppFile } from '../../src/github/app-file.ts';
import { gitHubPlace } from '../../src/github-side.ts';
import { githubCommands } from '../../src/terminal/github.ts';
import { openPage, SIZES, seriousFaults, shoot, startBrowser } from '../support/browser.ts';
import { type GitHubWeb, startGitHubWeb } from '../support/github-web.ts';

const NAME = 'Treehouse on a-host-of-long-names';
const HOOK = `https://treehouse.${'a-long-name.'.repeat(5)}example.com`;

let folder: string;
let github: GitHubWeb;
let browser: Browser;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-app-browser-'));
  github = await startGitHubWeb();
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  await github?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Begins the command in a home of its own. @returns where its page is, and its end: undefined, or what it failed with */
async function init(home: string, ...args: string[]) {
  const stopping = new AbortController();
  let open: (url: string) => void = () => undefined;
  const page = new Promise<string>((resolve) => {
    open = resolve;
  });
  const program = new Command().exitOverride();
  const settings = { home, host: '127.0.0.1', port: 4000, adminHost: undefined };
  githubCommands(program, {
    ...{ place: () => gitHubPlace({ GITHUB_API_URL: github.apiUrl }, settings), print: () => undefined },
    ...{ say: () => undefined, browse: async (url) => open(url), interrupted: () => stopping.signal },
  });
  const ended = program.parseAsync(['github', 'init', ...args], { from: 'user' }).then(
    () => undefined,
    (error: unknown) => error,
  );
  return { url: await page, ended, interrupt: () => stopping.abort(new TreehouseError('stopped', 'nothing was made')) };
}

/** Faults of what is shown, and whether it is wider than the screen. */
async function look(page: Page, name: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await shoot(page, `${name}-${colorScheme}`);
    const some = await seriousFaults(page, colorScheme === 'light' ? 'all' : 'colours');
    found.push(...some.map((one) => `${name}, ${colorScheme}: ${one}`));
  }
  const wide = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
  return wide === 0 ? found : [...found, `${name} is ${wide} px wider than the screen`];
}

it.each(['desk', 'phone'] as const)('make an App with the keyboard alone, on a %s', async (size) => {
  const home = path.join(folder, size);
  const one = await init(home, '--name', NAME, '--webhook', HOOK);
  const { page, faults } = await openPage(browser, { viewport: SIZES[size] });
  await page.goto(one.url);
  const found = [...(await look(page, `${size}-github-init`))];
  expect(await page.getByRole('listitem').allInnerTexts()).toContain('pull requests: write');
  await page.keyboard.press('Tab');
  expect(await page.evaluate('document.activeElement.tagName')).toBe('BUTTON');
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: 'Create GitHub App' }).click();
  await page.getByRole('heading', { name: 'The App is made' }).waitFor();
  found.push(...(await look(page, `${size}-github-made`)));
  expect(await page.getByRole('link').getAttribute('href')).toContain('/installations/new');
  expect(await one.ended).toBeUndefined();
  expect(readAppFile(home)?.id).toBe('4711');
  expect(found).toEqual([]);
  expect(faults).toEqual([]);
  await page.context().close();
});

it.each(['desk', 'phone'] as const)('say what went wrong and how it goes on, on a %s', async (size) => {
  github.answer = 'broken';
  const one = await init(path.join(folder, `${size}-broken`));
  const { page } = await openPage(browser, { viewport: SIZES[size] });
  await page.goto(one.url);
  await page.getByRole('button').click();
  await page.getByRole('link', { name: 'Create GitHub App' }).click();
  await page.getByRole('heading', { name: 'That did not work' }).waitFor();
  expect(await look(page, `${size}-github-refused`)).toEqual([]);
  // As it says: the page is loaded again.
  github.answer = 'made';
  await page.reload();
  await page.getByRole('heading', { name: 'The App is made' }).waitFor();
  expect(await one.ended).toBeUndefined();
  await page.context().close();
});
