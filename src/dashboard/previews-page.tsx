/** The page of all previews: a table on a desk, cards on a phone. */
import { STATES } from '../api/schemas.ts';
import type { Commit, PreviewId } from '../domain/names.ts';
import { shortCommit } from '../domain/names.ts';
import type { PreviewState } from '../domain/preview.ts';
import { Fragment, h } from './markup.ts';
import { Ago, oob, State, Visit } from './parts.tsx';
import type { Overview, Row } from './previews.ts';
import { keyOf, type Region } from './regions.ts';
import { bytes } from './words.ts';

/** What changes while one looks. @param changed what the last events were of */
export function previewsRegions(
  overview: Overview,
  now: number,
  changed: ReadonlySet<PreviewId> = new Set(),
): readonly Region[] {
  const { rows, counts, total, next } = overview;
  const ids = rows.map((one) => one.record.id);
  const news = rows.filter((one) => changed.has(one.record.id)).map((one) => one.record);
  return [
    {
      ...{ id: 'counts', key: JSON.stringify([total, [...counts]]) },
      draw: (alone) => <Counts overview={overview} alone={alone} />,
    },
    {
      ...{ id: 'list', key: JSON.stringify([ids, next]) },
      draw: (alone) => <List overview={overview} now={now} alone={alone} />,
    },
    {
      ...{ id: 'news', key: news.map((one) => `${one.id} ${one.state}`).join() },
      draw: (alone) => (
        <p id="news" role="status" class="hidden" {...oob(alone)}>
          {news.map((one) => `${one.branch} of ${one.repository}: ${one.state}. `).join('')}
        </p>
      ),
    },
    ...rows.map((row): Region => {
      const { record, info, visitedAt, size, isPinned } = row;
      const { state, reason, urls, serving, attempt, changedAt } = record;
      return {
        ...{ id: `row-${record.id}`, within: 'list' },
        key: JSON.stringify([state, reason, urls, serving, attempt?.stage, changedAt, info, visitedAt, size, isPinned]),
        draw: (alone) =>
          alone ? <template>{<Line row={row} now={now} alone />}</template> : <Line row={row} now={now} />,
      };
    }),
  ];
}

export function PreviewsPage({ overview, now }: { readonly overview: Overview; readonly now: number }): JSX.Element {
  const regions = previewsRegions(overview, now);
  const { words } = overview;
  const live = new URLSearchParams({ ...words, seen: keyOf(regions) });
  return (
    <>
      <h1>Previews</h1>
      <Filter overview={overview} />
      <div id="live" hx-ext="sse" sse-connect={`/live?${live}`}>
        <div sse-swap="regions" hx-swap="none" hidden />
        {regions.filter((one) => one.within === undefined).map((one) => one.draw(false))}
      </div>
    </>
  );
}

const SORTS = [
  ['-changedAt', 'changed last'],
  ['changedAt', 'changed first'],
  ['id', 'name'],
  ['repository', 'repository'],
] as const;

function Filter({ overview }: { readonly overview: Overview }): JSX.Element {
  const { words, repositories, query } = overview;
  return (
    <form
      {...{ class: 'filter', method: 'get', action: '/', role: 'search', 'aria-label': 'Previews' }}
      {...{ 'hx-get': '/', 'hx-target': '#live', 'hx-select': '#live', 'hx-swap': 'outerHTML', 'hx-push-url': 'true' }}
      hx-trigger="submit, change, input changed delay:300ms from:#search"
    >
      <label class="grow">
        Search
        <input
          id="search"
          type="search"
          name="search"
          value={words.search ?? ''}
          placeholder="branch or name"
          maxlength={255}
        />
      </label>
      <label>
        State
        <select name="state">
          <option value="">all</option>
          {STATES.map((one) => (
            <option value={one} selected={words.state === one}>
              {one}
            </option>
          ))}
        </select>
      </label>
      <label>
        Repository
        <select name="repository">
          <option value="">all</option>
          {repositories.map((one) => (
            <option value={one} selected={words.repository === one}>
              {one}
            </option>
          ))}
        </select>
      </label>
      <label>
        Order
        <select name="sort">
          {SORTS.map(([value, label]) => (
            <option value={value} selected={query.sort === value}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <noscript>
        <button type="submit" class="quiet">
          Show
        </button>
      </noscript>
    </form>
  );
}

/** States that are counted even where there are none of them. */
const ALWAYS: ReadonlySet<PreviewState> = new Set(['live', 'building', 'failed', 'asleep']);

function Counts({ overview, alone }: { readonly overview: Overview; readonly alone: boolean }): JSX.Element {
  const { counts, total } = overview;
  const shown = STATES.filter((one) => one !== 'removed' && (ALWAYS.has(one) || (counts.get(one) ?? 0) > 0));
  return (
    <ul id="counts" class="counts" aria-label="How many there are" {...oob(alone)}>
      <li>
        <a href="/">
          <b>{total}</b> previews
        </a>
      </li>
      {shown.map((one) => (
        <li>
          <a href={`/?state=${one}`} class={`is-${one}`}>
            <b>{counts.get(one) ?? 0}</b> {one}
          </a>
        </li>
      ))}
    </ul>
  );
}

const COLUMNS = ['State', 'Branch', 'Commit', 'Author', 'Age', 'Visited', 'Size', 'Preview'] as const;

function List({
  overview,
  now,
  alone,
}: {
  readonly overview: Overview;
  readonly now: number;
  readonly alone: boolean;
}): JSX.Element {
  const { rows, next, words } = overview;
  if (rows.length === 0) {
    return (
      <div id="list" class="card empty" {...oob(alone)}>
        <p>
          {Object.keys(words).length > 0
            ? 'No preview is like that.'
            : 'There is no preview yet. A branch gets one with its first push.'}
        </p>
      </div>
    );
  }
  const more = next === null ? undefined : new URLSearchParams({ ...words, after: next });
  const { after: _after, ...first } = words;
  return (
    <div id="list" {...oob(alone)}>
      <table class="list previews">
        <caption class="hidden">Previews</caption>
        <thead>
          <tr>
            {COLUMNS.map((one) => (
              <th scope="col">{one}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Line row={row} now={now} />
          ))}
        </tbody>
      </table>
      {(more !== undefined || words.after !== undefined) && (
        <nav class="pages" aria-label="Pages of the list">
          {words.after !== undefined && <a href={`/?${new URLSearchParams(first)}`}>From the beginning</a>}
          {more !== undefined && <a href={`/?${more}`}>More previews</a>}
        </nav>
      )}
    </div>
  );
}

function Line({
  row,
  now,
  alone = false,
}: {
  readonly row: Row;
  readonly now: number;
  readonly alone?: boolean;
}): JSX.Element {
  const { record, commit, info, visitedAt, size, isPinned } = row;
  const { id, branch, repository, state, reason, urls, attempt, changedAt } = record;
  const stage = state === 'building' ? attempt?.stage : undefined;
  return (
    <tr id={`row-${id}`} {...oob(alone)}>
      <td data-label="State">
        <State state={state} />
        {stage !== undefined && <small>{stage}</small>}
      </td>
      <td data-label="Branch" class="wide">
        <a class="branch" id={`at-${id}`} href={`/previews/${id}`}>
          {branch}
        </a>
        {isPinned && <span class="tag">pinned</span>}
        <small>{repository}</small>
        {(state === 'failed' || state === 'outdated' || state === 'waiting') && <small class="why">{reason}</small>}
      </td>
      <td data-label="Commit" class="wide">
        {commit === undefined ? <span class="none">–</span> : <code>{shortCommit(commit as Commit)}</code>}
        {info && <small class="subject">{info.subject}</small>}
      </td>
      <td data-label="Author">{info?.author ?? <span class="none">–</span>}</td>
      <td data-label="Age">
        <Ago at={changedAt} now={now} />
      </td>
      <td data-label="Visited">
        <Ago at={visitedAt} now={now} />
      </td>
      <td data-label="Size">{size === undefined ? <span class="none">–</span> : bytes(size)}</td>
      <td data-label="Preview">
        {urls[0] === undefined ? <span class="none">–</span> : <Visit url={urls[0]} label="Open" />}
      </td>
    </tr>
  );
}
