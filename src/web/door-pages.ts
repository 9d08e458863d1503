/** What a visitor sees who may not see a preview: nothing of it, and how to get in. */
import type { Access } from '../domain/guards.ts';
import { html, type Markup } from './html.ts';
import { type Page, page } from './page.ts';

/** Why somebody stands before the door. */
export type Met = 'nothing' | 'dead link' | 'wrong password' | 'too many';

/** @param to where to go on once it is open; a path of the host */
export function doorPage(access: Access, met: Met, to: string): Page {
  const { status, detail } = SAID[met];
  const isAsked = access === 'password';
  return page({
    status,
    tone: met === 'nothing' ? 'calm' : 'bad',
    title: TITLES[met],
    detail: `${detail} ${isAsked ? 'A browser is asked for the password; a share link opens it too.' : 'It takes a share link.'}`,
    more: html`${met === 'nothing' ? false : html`<p class="reason" role="alert">${detail}</p>`}${
      isAsked ? form(to) : html`<p>It opens with a link. Ask whoever told you of it for one.</p>`
    }`,
  });
}

const TITLES: Readonly<Record<Met, string>> = {
  nothing: 'This house is locked',
  'dead link': 'This link opens nothing',
  'wrong password': 'This house is locked',
  'too many': 'This house is locked',
};

const SAID: Readonly<Record<Met, { readonly status: number; readonly detail: string }>> = {
  nothing: { status: 403, detail: 'This is not open to everybody.' },
  'dead link': { status: 403, detail: 'It has ended, was taken back, or is of another place.' },
  'wrong password': { status: 403, detail: 'That is not the password.' },
  'too many': { status: 429, detail: 'That was tried too often: wait a minute.' },
};

function form(to: string): Markup {
  return html`<form method="post" action="/.treehouse/password"><input type="hidden" name="to" value="${to}">
<div class="field"><label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="256" required autofocus>
<button>Come in</button></div></form>`;
}
