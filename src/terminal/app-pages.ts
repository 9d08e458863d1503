/** The pages that `treehouse github init` shows in a browser on this machine. */
import type { Manifest } from '../github/manifest.ts';
import { html } from '../web/html.ts';
import { type Page, page } from '../web/page.ts';

/** Asks GitHub to make the App, by its reader's own hand. */
export function askPage(action: string, manifest: Manifest): Page {
  const permissions = Object.entries(manifest.default_permissions).map(
    ([what, how]) => html`<li>${what.replaceAll('_', ' ')}: ${how}</li>`,
  );
  const hook = manifest.hook_attributes
    ? html`<p class="about">GitHub tells it of pushes and pull requests at <b>${manifest.hook_attributes.url}</b>.</p>`
    : html`<p class="about">It has no webhook: Treehouse looks at the branches by itself.</p>`;
  return page({
    status: 200,
    tone: 'calm',
    title: 'Make the App on GitHub',
    detail: 'A form posts the manifest of the App to GitHub.',
    more: html`<p class="about">GitHub shows what <b>${manifest.name}</b> may do, and you make it there, under this name or another.</p>
<h2>What it asks for</h2><ul class="stages">${permissions}</ul>${hook}
<form method="post" action="${action}"><input type="hidden" name="manifest" value="${JSON.stringify(manifest)}">
<p class="field"><button>Go on to ${new URL(action).host}</button></p></form>`,
  });
}

/** @param installUrl where it is chosen for which repositories the App is. */
export function madePage(slug: string, installUrl: string): Page {
  return page({
    status: 200,
    tone: 'calm',
    title: 'The App is made',
    detail: `The App ${slug} is made; it is installed at ${installUrl}`,
    more: html`<p class="about">Treehouse has the key of <b>${slug}</b>. Now <a href="${installUrl}">install it</a> for the repositories
that get previews; the terminal says the same.</p>`,
  });
}

export function refusedPage(status: number, detail: string): Page {
  return page({
    status,
    tone: 'bad',
    title: 'That did not work',
    detail,
    more: html`<p class="reason">${detail}</p>`,
  });
}
