/** What a visitor sees where no preview answers: unknown, waiting, building, failed, removed, out of reach. */
import { STAGES } from '../domain/events.ts';
import { plain } from '../domain/plain.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import { html, type Markup, toText, trusted } from './html.ts';

export interface Page {
  readonly status: number;
  readonly title: string;
  /** One sentence for a program. */
  readonly detail: string;
  /** Seconds after which looking again is worth it. */
  readonly retryAfter?: number;
  readonly body: string;
}

export interface PageInput {
  readonly host: string;
  readonly record: PreviewRecord | undefined;
  /** The last lines of the newest build's log. */
  readonly tail: readonly string[];
  /** The gateway had a route, but nothing answered there. */
  readonly unreachable: boolean;
}

export function pageFor(input: PageInput): Page {
  const { host, record, tail, unreachable } = input;
  if (!record) {
    return page({
      status: 404,
      tone: 'calm',
      title: 'No preview lives here',
      detail: `There is no preview at ${host}.`,
      more: html`<p>It may have been merged and removed, or its branch has another name. A branch gets its house with its
        first push.</p>`,
    });
  }
  const { branch, repository } = record;
  const about = html`<p class="about"><b>${branch}</b> of ${repository}</p>`;
  if (record.unwoken) return unwoken(record, record.unwoken, about);
  if (unreachable && record.state !== 'asleep' && record.state !== 'waking') {
    return page({
      status: 502,
      tone: 'bad',
      retryAfter: 5,
      title: 'The preview does not answer',
      detail: `The preview of ${branch} is routed, but its service does not accept connections.`,
      more: html`${about}<p>Its container may be restarting, or it has crashed. This page looks again every five seconds.</p>`,
    });
  }
  switch (record.state) {
    case 'removed':
    case 'removing':
      return page({
        status: 404,
        tone: 'calm',
        title: 'This preview is gone',
        detail: `The preview of ${branch} was removed: ${record.reason}.`,
        more: html`${about}<p>It was removed because ${record.reason}. Push to the branch to bring it back.</p>`,
      });
    case 'failed':
      return page({
        status: 503,
        tone: 'bad',
        title: 'The build failed',
        detail: `The preview of ${branch} could not be built: ${record.reason}`,
        more: html`${about}<p class="reason">${record.reason}</p>${logSection(tail)}`,
      });
    case 'waiting':
    case 'building':
      return page({
        status: 503,
        tone: 'calm',
        retryAfter: 2,
        title: titleOf(record),
        detail: `The preview of ${branch} is not ready yet: ${record.reason}.`,
        more: html`${about}${stageList(record)}${waitSection(record)}<p>This page looks again by itself.</p>${logSection(tail)}`,
      });
    case 'asleep':
    case 'waking':
      return page({
        status: 503,
        tone: 'calm',
        retryAfter: 2,
        title: 'The house wakes up',
        detail: record.wait
          ? `The preview of ${branch} was asleep and waits to be started: ${record.reason}.`
          : `The preview of ${branch} was asleep and is being started; try again in a moment.`,
        more: record.wait
          ? html`${about}${waitSection(record)}<p>It slept, and waits to be started. This page looks again by itself.</p>`
          : html`${about}<p>Nobody had visited it for a while, so it slept. Its services are starting; this page looks again by
          itself.</p>`,
      });
    case 'live':
    case 'outdated':
      return page({
        status: 503,
        tone: 'calm',
        retryAfter: 2,
        title: 'One moment',
        detail: `The preview of ${branch} is being put in order.`,
        more: html`${about}<p>It is known and is being put in order. This page looks again by itself.</p>`,
      });
    default:
      return record.state satisfies never;
  }
}

function unwoken({ branch, reason }: PreviewRecord, said: readonly string[], about: Markup): Page {
  return page({
    status: 503,
    tone: 'bad',
    retryAfter: 5,
    title: 'The house did not wake up',
    detail: `The preview of ${branch} slept, and did not come up again: ${reason}. It is tried once more, then built anew.`,
    more: html`${about}<p class="reason">${reason}</p>${logSection(said)}<p>Treehouse tries once more; if it does not come up
      then either, it is built anew. This page looks again by itself.</p>`,
  });
}

function titleOf({ state, attempt }: PreviewRecord): string {
  if (state !== 'building') return 'Waiting to be built';
  return attempt?.resets ? 'Its data is made anew' : 'The house is being built';
}

function stageList(record: PreviewRecord): Markup {
  const { attempt } = record;
  if (!attempt) return html``;
  const items = STAGES.flatMap((stage) => {
    const one = attempt.stages[stage];
    if (!one) return [html`<li class="todo">${stage}</li>`];
    if (one.ms === undefined) return [html`<li class="now" aria-current="step">${stage} …</li>`];
    return [html`<li class="done">${stage} <small>${(one.ms / 1000).toFixed(1)} s</small></li>`];
  });
  return html`<ol class="stages">${items}</ol>`;
}

/** "Third in the queue, about 4 min: …" */
function waitSection({ wait, reason }: PreviewRecord): Markup {
  return wait ? html`<p>${reason.charAt(0).toUpperCase()}${reason.slice(1)}.</p>` : html``;
}

function logSection(tail: readonly string[]): Markup {
  if (tail.length === 0) return html``;
  return html`<h2>The last lines of its log</h2><pre tabindex="0">${tail.map(plain).join('\n')}</pre>`;
}

interface Shape {
  readonly status: number;
  readonly tone: 'calm' | 'bad';
  readonly title: string;
  readonly detail: string;
  readonly retryAfter?: number;
  readonly more: Markup;
}

function page(shape: Shape): Page {
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
@media(prefers-color-scheme:dark){:root{--bg:#1b1d1a;--ink:#ece8dd;--soft:#a9a595;--card:#242722;--line:#393d35;--leaf:#6c8a5b;
--wood:#b08356;--roof:#cf6f48;--bad:#f0906f}}
*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;grid-template-columns:minmax(0,1fr);place-items:center;padding:24px 16px;background:var(--bg);
color:var(--ink);font:17px/1.55 ui-sans-serif,system-ui,sans-serif}
main{width:min(720px,100%);min-width:0;background:var(--card);border:1px solid var(--line);border-radius:18px;padding:32px clamp(20px,5vw,44px)}
h1{font-size:clamp(1.5rem,5vw,2.1rem);line-height:1.2;margin:.5rem 0 .75rem}h2{font-size:1rem;margin:1.5rem 0 .5rem}
p{margin:.5rem 0;color:var(--soft)}.about b{color:var(--ink);overflow-wrap:anywhere}.bad h1,.reason{color:var(--bad)}
.reason{white-space:pre-wrap;overflow-wrap:anywhere}
pre{margin:0;padding:14px;border-radius:10px;background:var(--bg);border:1px solid var(--line);overflow:auto;max-height:45vh;
font:13px/1.5 ui-monospace,monospace;color:var(--ink)}
.stages{display:flex;flex-wrap:wrap;gap:8px;list-style:none;padding:0;margin:1rem 0}
.stages li{padding:4px 12px;border-radius:99px;border:1px solid var(--line);color:var(--soft)}
.stages .done{border-color:var(--leaf);color:var(--ink)}.stages .now{background:var(--leaf);border-color:var(--leaf);color:#1b1d1a}
.leaf{fill:var(--leaf)}.trunk,.door{fill:var(--wood)}.wall{fill:var(--line)}.roof{fill:var(--roof)}`;
