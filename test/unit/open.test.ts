import { Command } from 'commander';
import { expect, it } from 'vitest';
import type { PreviewView } from '../../src/api/schemas.ts';
import { openCommand } from '../../src/terminal/open.ts';

const URLS = ['http://main--shop.preview.localhost/', 'http://admin--main--shop.preview.localhost/'];

async function run(view: Partial<PreviewView>, ...args: readonly string[]) {
  const printed: string[] = [];
  const browsed: string[] = [];
  const program = new Command().exitOverride();
  openCommand(program, {
    client: () => ({ preview: async () => ({ state: 'live', reason: '', urls: URLS, ...view, builds: [] }) as never }),
    print: (text) => printed.push(text),
    browse: async (url) => void browsed.push(url),
  });
  await program.parseAsync(['open', 'main--shop', ...args], { from: 'user' });
  return { printed, browsed };
}

it('opens the page, says which, and may only say it', async () => {
  expect(await run({})).toEqual({ printed: [URLS[0]], browsed: [URLS[0]] });
  expect(await run({}, '--print')).toEqual({ printed: [URLS[0]], browsed: [] });
  expect(await run({}, 'admin')).toEqual({ printed: [URLS[1]], browsed: [URLS[1]] });
});

it('says why there is none', async () => {
  await expect(run({ urls: [], state: 'failed', reason: 'build failed: x' })).rejects.toThrow(
    'main--shop is failed: build failed: x',
  );
  await expect(run({}, 'db')).rejects.toThrow(`main--shop exposes no service db: ${URLS.join(' ')}`);
});
