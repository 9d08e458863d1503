/** Style, scripts and icon, each at an address that holds its hash: a browser keeps them for good, and gets new ones with a new Treehouse. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Router } from 'express';

const NAMES = ['style.css', 'htmx.js', 'sse.js', 'page.js', 'icon.svg'] as const;
type Name = (typeof NAMES)[number];

export interface Assets {
  readonly router: Router;
  /** Where one is. */
  url(name: Name): string;
}

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** @param folder of what is written here, not by others */
export function openAssets(folder: string): Assets {
  const packages = createRequire(import.meta.url);
  const files: Readonly<Record<Name, string>> = {
    'style.css': path.join(folder, 'style.css'),
    'htmx.js': packages.resolve('htmx.org/dist/htmx.min.js'),
    'sse.js': packages.resolve('htmx-ext-sse/dist/sse.min.js'),
    'page.js': path.join(folder, 'page.js'),
    'icon.svg': path.join(folder, 'icon.svg'),
  };
  const router = Router();
  const urls = new Map<Name, string>();
  for (const name of NAMES) {
    const content = readFileSync(files[name]);
    const url = `/assets/${createHash('sha256').update(content).digest('hex').slice(0, 12)}/${name}`;
    urls.set(name, url);
    router.get(url, (_req, res) => {
      res.set({ 'Content-Type': TYPES[path.extname(name)], 'Cache-Control': 'public, max-age=31536000, immutable' });
      res.send(content);
    });
  }
  return { router, url: (name) => urls.get(name) ?? '' };
}
