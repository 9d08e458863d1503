/** The frame of every page. */

import type { Principal } from '../domain/access.ts';
import { isAllowed, reaches } from '../domain/access.ts';
import type { Assets } from './assets.ts';
import { Fragment, h, toPage } from './markup.ts';

export interface Frame {
  readonly title: string;
  /** The path of the entry of the menu that it belongs to. */
  readonly current?: string;
  /** Whoever is signed in, and what their forms carry. */
  readonly reader?: { readonly principal: Principal; readonly form: string } | undefined;
  /** What is to be said of what was just done. */
  readonly said?: string | undefined;
}

/** No style from scripts, nothing evaluated, no page kept where the next user of the browser finds it. */
const HTMX = JSON.stringify({
  ...{ includeIndicatorStyles: false, allowEval: false, allowScriptTags: false, selfRequestsOnly: true },
  ...{
    historyCacheSize: 0,
    refreshOnHistoryMiss: true,
    defaultSettleDelay: 0,
    attributesToSettle: ['class'],
    timeout: 30_000,
  },
});

export function page(assets: Assets, { title, current, reader, said }: Frame, content: JSX.Element): string {
  return toPage(
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <meta name="color-scheme" content="light dark" />
        <meta name="htmx-config" content={HTMX} />
        <title>{`${title} · Treehouse`}</title>
        <link rel="icon" href={assets.url('icon.svg')} type="image/svg+xml" />
        <link rel="stylesheet" href={assets.url('style.css')} />
        <script defer src={assets.url('htmx.js')} />
        <script defer src={assets.url('sse.js')} />
        <script defer src={assets.url('page.js')} />
      </head>
      <body>
        <a class="skip" href="#page">
          Skip to the content
        </a>
        <header class="top">
          <a class="brand" href="/">
            <img src={assets.url('icon.svg')} alt="" width="32" height="32" />
            Treehouse
          </a>
          {reader && <Menu principal={reader.principal} current={current ?? ''} form={reader.form} />}
        </header>
        <p class="away" role="status" hidden id="away">
          The connection is lost; the page tries again.
        </p>
        <Said text={said} />
        <main id="page" tabindex="-1">
          {content}
        </main>
      </body>
    </html>,
  );
}

/** What is to be said, read out by screen readers. */
export function Said({
  text,
  alone = false,
  isBad = false,
}: {
  readonly text: string | undefined;
  readonly alone?: boolean;
  readonly isBad?: boolean;
}): JSX.Element {
  return (
    <p id="said" role="status" class={isBad ? 'said bad' : 'said'} {...(alone ? { 'hx-swap-oob': 'true' } : {})}>
      {text}
    </p>
  );
}

function Menu({
  principal,
  current,
  form,
}: {
  readonly principal: Principal;
  readonly current: string;
  readonly form: string;
}): JSX.Element {
  const entries = [
    ['/', 'Previews'],
    ['/queue', 'Queue'],
    ['/repositories', 'Repositories'],
    ...(reaches(principal) ? [['/host', 'Host']] : []),
    ...(isAllowed(principal, 'administer') ? [['/trail', 'Trail']] : []),
  ];
  return (
    <>
      <nav aria-label="Pages">
        <ul>
          {entries.map(([path, label]) => (
            <li>
              <a href={path} {...(path === current ? { 'aria-current': 'page' } : {})}>
                {label}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <form class="who" method="post" action="/sign-out">
        <input type="hidden" name="form" value={form} />
        <span class="name">
          {principal.name} {principal.name !== principal.role && <small>{principal.role}</small>}
        </span>
        <button type="submit" class="quiet">
          Sign out
        </button>
      </form>
    </>
  );
}
