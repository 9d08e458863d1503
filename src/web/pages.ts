/** What a visitor sees where no preview answers: unknown, waiting, building, failed, removed, out of reach. */
import { STAGES } from '../domain/events.ts';
import { plain } from '../domain/plain.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import { html, type Markup } from './html.ts';
import { type Page, page } from './page.ts';

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
      if (!record.attempt) {
        return page({
          status: 404,
          tone: 'calm',
          title: 'This branch has no preview',
          detail: `There is no preview of ${branch}: ${record.reason}.`,
          more: html`${about}<p>There is none, since ${record.reason}.</p>`,
        });
      }
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
        more: html`${about}${stageList(record)}${waitSection(record)}<p>This page looks again by itself.</p>${logSection(isUnderWay(record) ? tail : [])}`,
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

/** What an earlier build did says nothing of the one that is waited for. */
function isUnderWay({ attempt }: PreviewRecord): boolean {
  return attempt !== undefined && attempt.outcome === undefined;
}

function stageList(record: PreviewRecord): Markup {
  const { attempt } = record;
  if (!attempt || !isUnderWay(record)) return html``;
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
