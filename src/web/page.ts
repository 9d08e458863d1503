/** The look of Treehouse's own pages. */
import { html, type Markup, toText, trusted } from './html.ts';

/** A page, and what a program reads in its place. */
export interface Page {
  readonly status: number;
  readonly title: string;
  /** One sentence for a program. */
  readonly detail: string;
  /** Seconds after which looking again is worth it. */
  readonly retryAfter?: number;
  readonly body: string;
}

/** What a page is made of. */
export interface Shape {
  readonly status: number;
  readonly tone: 'calm' | 'bad';
  readonly title: string;
  readonly detail: string;
  readonly retryAfter?: number;
  readonly more: Markup;
}

/** The whole of a page: it needs neither script nor anything else to be fetched. */
export function page(shape: Shape): Page {
  const { title, retryAfter } = shape;
  const markup = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>${title} · Treehouse</title>
${retryAfter === undefined ? false : html`<meta http-equiv="refresh" content="${retryAfter}">`}
<style>${trusted(STYLE)}</style></head>
<body><main class="${shape.tone}">${trusted(HOUSE)}<h1>${title}</h1>${shape.more}</main></body></html>`;
  return {
    status: shape.status,
    title,
    detail: shape.detail,
    ...(retryAfter === undefined ? {} : { retryAfter }),
    body: toText(markup),
  };
}

const HOUSE = `<svg viewBox="0 0 96 96" width="72" height="72" aria-hidden="true"><path class="trunk" d="M44 58h8l3 34H41z"/>
<circle class="leaf" cx="30" cy="40" r="20"/><circle class="leaf" cx="66" cy="40" r="20"/><circle class="leaf" cx="48" cy="26" r="22"/>
<path class="wall" d="M34 42h28v22H34z"/><path class="roof" d="M30 43 48 28l18 15z"/><path class="door" d="M45 52h8v12h-8z"/></svg>`;

const STYLE = `:root{color-scheme:light dark;--bg:#f6f3ec;--ink:#2b2a26;--soft:#66635a;--card:#fffdf8;--line:#e2dccd;--leaf:#7d9b6a;
--wood:#9a6b43;--roof:#b4532f;--bad:#a3341b}
@media(prefers-color-scheme:dark){:root{--bg:#1b1d1a;--ink:#ece8dd;--soft:#a9a595;--card:#242722;--line:#393d35;
--wood:#b08356;--roof:#cf6f48;--bad:#f0906f}}
*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;grid-template-columns:minmax(0,1fr);place-items:center;padding:24px 16px;background:var(--bg);
color:var(--ink);font:17px/1.55 ui-sans-serif,system-ui,sans-serif}
main{width:min(720px,100%);min-width:0;background:var(--card);border:1px solid var(--line);border-radius:18px;padding:32px clamp(20px,5vw,44px)}
h1{font-size:clamp(1.5rem,5vw,2.1rem);line-height:1.2;margin:.5rem 0 .75rem}h2{font-size:1rem;margin:1.5rem 0 .5rem}
p{margin:.5rem 0;color:var(--soft)}a{color:var(--ink)}a:focus-visible{outline:3px solid var(--roof);outline-offset:2px}
.about b{color:var(--ink);overflow-wrap:anywhere}.bad h1,.reason{color:var(--bad)}
.reason{white-space:pre-wrap;overflow-wrap:anywhere}
pre{margin:0;padding:14px;border-radius:10px;background:var(--bg);border:1px solid var(--line);overflow:auto;max-height:45vh;
font:13px/1.5 ui-monospace,monospace;color:var(--ink)}
.stages{display:flex;flex-wrap:wrap;gap:8px;list-style:none;padding:0;margin:1rem 0}
.stages li{padding:4px 12px;border-radius:99px;border:1px solid var(--line);color:var(--soft)}
.stages .done{border-color:var(--leaf);color:var(--ink)}.stages .now{background:var(--leaf);border-color:var(--leaf);color:#1b1d1a}
.field{display:flex;flex-wrap:wrap;gap:10px;margin:1.25rem 0 .5rem}.field label{flex-basis:100%;color:var(--soft)}
.field input{flex:1 1 12rem;min-width:0;padding:12px 14px;font:inherit;color:var(--ink);background:var(--bg);border:1px solid var(--soft);border-radius:10px}
.field button{padding:12px 22px;font:inherit;font-weight:600;color:#1b1d1a;background:var(--leaf);border:1px solid var(--leaf);border-radius:10px;cursor:pointer}
.field :is(input,button):focus-visible{outline:3px solid var(--roof);outline-offset:2px}
.leaf{fill:var(--leaf)}.trunk,.door{fill:var(--wood)}.wall{fill:var(--line)}.roof{fill:var(--roof)}`;
