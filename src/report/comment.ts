/** The one comment that a pull request has of its preview: where it is, or why there is none, and what to do with it. Pure. */
import { STAGES } from '../domain/events.ts';
import { forkNumber, type PreviewId, shortCommit } from '../domain/names.ts';
import type { Note } from '../domain/notes.ts';
import type { Attempt, PreviewRecord } from '../domain/preview.ts';
import { waitText } from '../domain/waiting.ts';
import { builtIn, dashboardPage, type Known } from './known.ts';
import { cell, code, details, fence, table } from './markdown.ts';
import { bytes, moment, took } from './words.ts';

/** By which the comment is found again; nobody sees it. */
export function markerOf(preview: PreviewId): string {
  return `<!-- treehouse:${preview} -->`;
}

/** GitHub's limit of a comment, in characters. */
export const COMMENT_MAX = 65_536;
/** Of what may be long, each on its own. */
const PART_MAX = 20_000;
const TAIL_LINES = 20;
const URL = /^https?:\/\/[a-z0-9.-]+(?::\d+)?\/$/;

/** The same for one pull request: below it what somebody was answered there. */
export function withNote(body: string, note: Note | undefined): string {
  if (!note) return body;
  const { by, at, text, markdown = '', lines } = note;
  const said = [
    `To ${code(by, 100)}, ${moment(at)}: ${code(text, 1_000)}`,
    markdown,
    lines === undefined ? '' : fence(bounded(lines)),
  ];
  return [body, '---', ...said.filter((one) => one !== '')].join('\n\n');
}

/** The whole of it. Of a preview that is being removed nothing is said but what became of it. */
export function commentOf(record: PreviewRecord, known: Known): string {
  const parts = record.state === 'removed' ? removedParts(record, known) : livingParts(record, known);
  return [markerOf(record.id), ...parts.filter((one) => one !== '')].join('\n\n');
}

function livingParts(record: PreviewRecord, known: Known): readonly string[] {
  return [
    `### ${headline(record)}`,
    places(record),
    story(record),
    approval(record, known),
    failure(record, known),
    built(record, known),
    signIn(record),
    changes(known),
    atHome(record),
    links(record, known),
  ];
}

/** The state in words. */
function headline(record: PreviewRecord): string {
  const { state, attempt, wait } = record;
  const isNewer = attempt !== undefined && attempt.commit !== record.serving?.commit;
  switch (state) {
    case 'live':
      return 'Preview: live';
    case 'asleep':
    case 'waking':
      return 'Preview: asleep';
    case 'outdated':
      if (wait) return 'Preview: live, a newer commit waits to be built';
      if (attempt?.outcome !== 'failed') return 'Preview: live with an earlier commit';
      return isNewer
        ? 'Preview: live with an earlier commit, the newest failed'
        : 'Preview: live, its last build failed';
    case 'building':
      if (!record.serving) return 'Preview: being built';
      return isNewer ? 'Preview: live, a newer commit is being built' : 'Preview: live, and being built again';
    case 'failed':
      return record.serving ? 'Preview: down' : 'No preview: the build failed';
    case 'waiting':
      return wait ? 'No preview yet: it waits for its turn' : 'No preview yet';
    case 'removing':
    case 'removed':
      return 'Preview: removed';
    default:
      return state satisfies never;
  }
}

/** Each URL and what is behind it. */
function places({ urls, services, serving }: PreviewRecord): string {
  if (!serving || urls.length === 0) return '';
  const rows = urls
    .slice(0, 50)
    .map((url, at) => [cell(services?.[at] ?? (at === 0 ? 'preview' : ''), 63), URL.test(url) ? url : cell(url)]);
  return table(['service', 'where'], rows);
}

/** What is going on, in a sentence or two. */
function story(record: PreviewRecord): string {
  const { state, serving, attempt, wait, reason } = record;
  const said: string[] = [];
  if (state === 'asleep' || state === 'waking') {
    said.push('Nobody visited it for a while. The next visitor wakes it, which takes some seconds.');
  }
  if (serving && state !== 'live') said.push(`${shortCommit(serving.commit)} serves since ${moment(serving.since)}.`);
  if (state === 'building' && attempt) {
    said.push(`${shortCommit(attempt.commit)} is being built since ${moment(attempt.startedAt)}.`);
  }
  if (wait && (state === 'waiting' || state === 'outdated')) said.push(`In its way: ${code(waitText(wait), 1_000)}`);
  else if (state === 'waiting') said.push(`So far: ${code(reason, 1_000)}`);
  const isTold = attempt?.outcome === 'failed' || wait !== undefined;
  if ((state === 'failed' || state === 'outdated') && !isTold) said.push(`Why: ${code(reason, 1_000)}`);
  return said.join(' ');
}

/** What failed, why, and the end of its log. */
function failure({ state, attempt, reason, unwoken }: PreviewRecord, { tail }: Known): string {
  if (unwoken) return [`Why: ${code(reason, 1_000)}`, lastLines(unwoken)].filter((one) => one !== '').join('\n\n');
  if (attempt?.outcome !== 'failed' || state === 'building' || state === 'waiting') return '';
  const { commit, stage, message = '', kind } = attempt;
  const again = kind === 'transient' ? ' It is tried again by itself.' : '';
  const isShort = message.length <= 300 && !message.includes('\n');
  return [
    `${shortCommit(commit)} failed at **${stage ?? 'build'}**${isShort ? `: ${code(message)}` : ':'}${again}`,
    isShort ? '' : fence(bounded(message.split('\n'))),
    lastLines(tail),
  ]
    .filter((one) => one !== '')
    .join('\n\n');
}

function lastLines(lines: readonly string[]): string {
  return lines.length === 0 ? '' : `The last lines of its log:\n\n${fence(bounded(lines.slice(-TAIL_LINES)))}`;
}

/** Which commit serves, how long it took to get there, and how large it is. */
function built(record: PreviewRecord, { size }: Known): string {
  const { state, attempt, serving } = record;
  if (!serving) return '';
  const ms = builtIn(record);
  const said: string[] = [];
  if (attempt && ms !== undefined) {
    said.push(`${shortCommit(serving.commit)} was built in ${took(ms)}: ${stageTimes(attempt)}.`);
  } else if (state === 'live') said.push(`${shortCommit(serving.commit)} serves since ${moment(serving.since)}.`);
  if (size !== undefined) said.push(`Its images take ${bytes(size)}.`);
  return said.join(' ');
}

function stageTimes({ stages }: Attempt): string {
  return STAGES.flatMap((stage) => {
    const ms = stages[stage]?.ms;
    return ms === undefined ? [] : [`${stage} ${took(ms)}`];
  }).join(', ');
}

function signIn({ login, serving }: PreviewRecord): string {
  if (!serving || !login || login.length === 0) return '';
  return `To sign in: ${login.map((line) => code(line)).join(' or ')}`;
}

function changes({ changes: all }: Known): string {
  const rows: string[][] = [];
  let length = 0;
  for (const { path, message } of all) {
    const row = [cell(path, 100), cell(message)];
    length += row.join('').length;
    if (length > PART_MAX || rows.length >= 50) break;
    rows.push(row);
  }
  if (rows.length === 0) return '';
  const rest = all.length - rows.length;
  const body = table(['where', 'what'], rows) + (rest > 0 ? `\n\nAnd ${rest} more, in the log of the build.` : '');
  return details(`What Treehouse changed of the compose file: ${all.length}`, body);
}

/** What is said to take it home. */
function atHome({ id, serving }: PreviewRecord): string {
  if (!serving) return '';
  return details('The same on your machine', `\`\`\`sh\ntreehouse pull ${id} | docker compose -f - up\n\`\`\``);
}

function links(record: PreviewRecord, known: Known): string {
  const page = dashboardPage(known, record);
  return page === undefined ? '' : `[The whole log](${page})`;
}

/** Of a fork's head that nobody approved yet: what to do about it. */
function approval({ branch, serving, attempt, wait }: PreviewRecord, { pullRequests }: Known): string {
  const number = forkNumber(branch);
  const head = pullRequests.find((one) => one.open && one.number === number)?.head;
  if (head === undefined || [serving?.commit, attempt?.commit, wait?.commit].includes(head)) return '';
  return [
    `${shortCommit(head)} comes from a fork, and nothing of it is run before it is approved. Somebody who may write to this`,
    `repository looks at it, and says:\n\n${fence([`/preview approve ${head}`])}`,
  ].join(' ');
}

/** One that was left out from the beginning was never there, and one whose history was lost may have been. */
export function wasThere({ attempt, spent }: PreviewRecord): boolean {
  return attempt !== undefined || (spent?.awake ?? 0) > 0;
}

function removedParts(record: PreviewRecord, known: Known): readonly string[] {
  const { reason, changedAt } = record;
  const wasBuilt = wasThere(record);
  return [
    `### ${wasBuilt ? 'Preview: removed' : 'No preview'}`,
    `${wasBuilt ? 'Removed' : 'None since'} ${moment(changedAt)}: ${code(reason, 1_000)}`,
    approval(record, known),
  ];
}

/** From the end, as many lines as there is room for. */
function bounded(lines: readonly string[]): readonly string[] {
  const kept: string[] = [];
  let length = 0;
  for (const line of [...lines].reverse()) {
    length += Math.min(line.length, 500) + 1;
    if (length > PART_MAX / 2) break;
    kept.unshift(line);
  }
  return kept;
}
