/** Debian's Chromium, driven as a person would: with screenshots that stay, and axe-core's judgement of each page. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

/** Git ignores it. */
const SHOTS = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../test-output');

export const SIZES = {
  desk: { width: 1280, height: 900 },
  phone: { width: 390, height: 844 },
} as const;

export function startBrowser(args: readonly string[] = []): Promise<Browser> {
  // Tests run as root, for whom Chromium has no sandbox; what it opens is our own.
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', ...args] });
}

/** A page that keeps what went wrong in it. */
export async function openPage(
  browser: Browser,
  options: BrowserContextOptions,
): Promise<{ readonly page: Page; readonly faults: string[] }> {
  const page = await (await browser.newContext(options)).newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('dialog', (dialog) => {
    faults.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    // What is refused or not there says so by its status, and is asked for on purpose.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      faults.push(message.text());
  });
  return { page, faults };
}

export async function shoot(page: Page, name: string): Promise<void> {
  await mkdir(SHOTS, { recursive: true });
  await page.screenshot({ path: path.join(SHOTS, `${name}.png`), fullPage: true });
}

/** Serious and critical faults, each with what it is about: of all rules, or of colours alone. */
export async function seriousFaults(page: Page, rules: 'all' | 'colours' = 'all'): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  const which = rules === 'all' ? '' : '{runOnly: ["color-contrast"]}';
  const { violations } = (await page.evaluate(`axe.run(${which})`)) as axe.AxeResults;
  return violations
    .filter((one) => one.impact === 'serious' || one.impact === 'critical')
    .map((one) => `${one.id}: ${one.nodes.map((node) => `${node.html} ${node.failureSummary}`).join(' | ')}`);
}

/** Signs in by the form, and is then where it was going. */
export async function signIn(page: Page, url: string, token: string): Promise<void> {
  await page.goto(url);
  await page.getByLabel('Token').fill(token);
  await page.keyboard.press('Enter');
  await page.waitForURL((at) => !at.pathname.startsWith('/sign-in'));
}
