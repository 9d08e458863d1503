/** One preview's page: its state, what can be done, a build with stages, log and changes, and what runs. */
import { ACTS as ALL_ACTS, type PreviewAct } from '../api/acts.ts';
import { type BuildId, shortCommit } from '../domain/names.ts';
import type { CommitInfo } from '../domain/ports.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import { Build, Changes, Events } from './build-parts.tsx';
import type { Digest } from './digests.ts';
import { Log, type LogView } from './log.tsx';
import { Fragment, h } from './markup.ts';
import { Ago, oob, State, Visit } from './parts.tsx';
import { keyOf, type Region } from './regions.ts';
import { ACTS, bytes, capital } from './words.ts';

export interface PreviewView {
  readonly record: PreviewRecord;
  /** Of which the log is kept, newest first. */
  readonly builds: readonly BuildId[];
  /** The one that is shown, and what it came to. */
  readonly build: BuildId | undefined;
  readonly digest: Digest | undefined;
  readonly info: CommitInfo | undefined;
  readonly visitedAt: number | undefined;
  readonly size: number | undefined;
  readonly isPinned: boolean;
  readonly now: number;
  /** What forms carry; undefined for who may only look. */
  readonly form: string | undefined;
}

/** What changes while one looks. */
export function previewRegions(view: PreviewView): readonly Region[] {
  const { record, builds, build, digest, info, visitedAt, size, isPinned, form } = view;
  const { state, reason, urls, serving, changedAt, expiresAt, attempt } = record;
  return [
    {
      ...{ id: 'news', key: `${state} ${reason}` },
      draw: (alone) => (
        <p id="news" role="status" class="hidden" {...oob(alone)}>
          {alone && `${record.branch}: ${state}, ${reason}`}
        </p>
      ),
    },
    {
      id: 'facts',
      key: JSON.stringify([state, reason, urls, serving, changedAt, expiresAt, info, visitedAt, size, isPinned]),
      draw: (alone) => <Facts view={view} alone={alone} />,
    },
    {
      ...{ id: 'acts', key: JSON.stringify([actsOf(view), form !== undefined]) },
      draw: (alone) => <Acts view={view} alone={alone} />,
    },
    {
      ...{ id: 'build', key: JSON.stringify([builds, build, attempt?.outcome, digest?.attempt, digest?.cause]) },
      draw: (alone) => <Build view={view} alone={alone} />,
    },
    {
      ...{ id: 'changes', key: JSON.stringify([digest?.changes]) },
      draw: (alone) => <Changes digest={digest} alone={alone} />,
    },
    {
      ...{ id: 'events', key: JSON.stringify([digest?.events.length]) },
      draw: (alone) => <Events view={view} alone={alone} />,
    },
  ];
}

export function PreviewPage({
  view,
  log,
  chosen,
}: {
  readonly view: PreviewView;
  readonly log: LogView | undefined;
  /** The address names the build. */
  readonly chosen: boolean;
}): JSX.Element {
  const { record, build, form } = view;
  const regions = new Map(previewRegions(view).map((one) => [one.id, one]));
  const drawn = (id: string) => regions.get(id)?.draw(false);
  const after = log?.events.at(-1)?.cursor;
  const live = new URLSearchParams({
    seen: keyOf([...regions.values()]),
    ...(build === undefined ? {} : { showing: build }),
    ...(chosen && build !== undefined ? { build } : {}),
    ...(log && log.find !== '' ? { find: log.find } : {}),
    ...(after === undefined ? {} : { after }),
  });
  const at = `/previews/${record.id}`;
  return (
    <>
      <p class="crumbs">
        <a href="/">Previews</a> /{' '}
        <a href={`/?repository=${encodeURIComponent(record.repository)}`}>{record.repository}</a>
      </p>
      <h1>{record.branch}</h1>
      <div id="live" hx-ext="sse" sse-connect={`${at}/live?${live}`}>
        <div sse-swap="regions" hx-swap="none" hidden />
        {drawn('news')}
        {drawn('facts')}
        {drawn('acts')}
        {drawn('build')}
        {log ? <Log view={log} /> : <section id="log" hidden />}
        {drawn('changes')}
        {drawn('events')}
      </div>
      <section class="card" aria-labelledby="containers-title">
        <h2 id="containers-title">Containers</h2>
        <div
          {...{
            id: 'containers',
            'hx-get': `${at}/containers`,
            'hx-select': '#containers',
            'hx-swap': 'outerHTML ignoreTitle:true',
          }}
          hx-trigger="load"
        >
          <p>
            <a href={`${at}/containers`}>What runs, and what it uses</a>
          </p>
        </div>
      </section>
      {form !== undefined && <Confirmations id={record.id} form={form} />}
    </>
  );
}

function Facts({ view, alone }: { readonly view: PreviewView; readonly alone: boolean }): JSX.Element {
  const { record, info, visitedAt, size, isPinned, now } = view;
  const { state, reason, urls, serving, changedAt, expiresAt, attempt } = record;
  const commit = serving?.commit ?? attempt?.commit;
  return (
    <section id="facts" class="card facts" aria-label="What it is" {...oob(alone)}>
      <p class="lead">
        <State state={state} /> <span class="why">{capital(reason)}</span>
      </p>
      {urls.length > 0 && (
        <ul class="urls">
          {urls.map((one) => (
            <li>
              <Visit url={one} label={one} />
            </li>
          ))}
        </ul>
      )}
      <dl>
        <div>
          <dt>Commit</dt>
          <dd>
            {commit === undefined ? '–' : <code>{shortCommit(commit)}</code>}
            {info && <span class="subject"> {info.subject}</span>}
          </dd>
        </div>
        <div>
          <dt>Author</dt>
          <dd>{info?.author ?? '–'}</dd>
        </div>
        <div>
          <dt>Since</dt>
          <dd>
            <Ago at={changedAt} now={now} />
          </dd>
        </div>
        <div>
          <dt>Last visit</dt>
          <dd>
            <Ago at={visitedAt} now={now} />
          </dd>
        </div>
        <div>
          <dt>Images</dt>
          <dd>{size === undefined ? '–' : bytes(size)}</dd>
        </div>
        <div>
          <dt>Kept</dt>
          <dd>
            {isPinned
              ? 'pinned'
              : expiresAt === undefined
                ? 'as others'
                : `until ${new Date(expiresAt).toISOString().slice(0, 16)}Z unless visited`}
          </dd>
        </div>
      </dl>
    </section>
  );
}

/** What makes sense to ask for now; the API decides whether it is done. */
export function actsOf({ record, isPinned }: Pick<PreviewView, 'record' | 'isPinned'>): readonly PreviewAct[] {
  const { state, attempt } = record;
  const isGone = state === 'removed' || state === 'removing';
  const isBuilding = attempt !== undefined && attempt.outcome === undefined && !isGone;
  const sensible: Readonly<Record<PreviewAct, boolean>> = {
    redeploy: state !== 'removing',
    cancel: isBuilding,
    sleep: state === 'live' || state === 'outdated',
    wake: state === 'asleep',
    pin: !isPinned && !isGone,
    unpin: isPinned,
    reset: !isGone && record.serving !== undefined,
    down: !isGone,
  };
  return ALL_ACTS.filter((one) => sensible[one]);
}

function Acts({ view, alone }: { readonly view: PreviewView; readonly alone: boolean }): JSX.Element {
  const { record, form } = view;
  return (
    <div id="acts" class="acts" {...oob(alone)}>
      {form !== undefined &&
        actsOf(view).map((act) =>
          ACTS[act].confirm === undefined ? (
            <ActForm id={record.id} act={act} form={form} buttonId={`act-${act}`} />
          ) : (
            <button type="button" class="quiet bad" id={`act-${act}`} popovertarget={`confirm-${act}`}>
              {`${ACTS[act].label} …`}
            </button>
          ),
        )}
    </div>
  );
}

function ActForm({
  id,
  act,
  form,
  buttonId,
}: {
  readonly id: string;
  readonly act: PreviewAct;
  readonly form: string;
  readonly buttonId: string;
}): JSX.Element {
  const at = `/previews/${id}/${act}`;
  const isGrave = ACTS[act].confirm !== undefined;
  return (
    <form method="post" action={at} hx-post={at} hx-swap="none">
      <input type="hidden" name="form" value={form} />
      <button type="submit" id={buttonId} class={isGrave ? 'bad' : act === 'redeploy' ? '' : 'quiet'}>
        {ACTS[act].label}
      </button>
    </form>
  );
}

/** Asked in a popover of the browser's own: it needs no script, and Escape closes it. */
function Confirmations({ id, form }: { readonly id: string; readonly form: string }): JSX.Element {
  return (
    <>
      {ALL_ACTS.filter((one) => ACTS[one].confirm !== undefined).map((act) => (
        <div
          {...{
            id: `confirm-${act}`,
            class: 'confirm',
            popover: 'auto',
            role: 'dialog',
            'aria-labelledby': `title-${act}`,
          }}
        >
          <h2 id={`title-${act}`}>{`${ACTS[act].label}?`}</h2>
          <p>{ACTS[act].confirm}</p>
          <div class="acts">
            <ActForm id={id} act={act} form={form} buttonId={`do-${act}`} />
            <button type="button" class="quiet" popovertarget={`confirm-${act}`} popovertargetaction="hide">
              Leave it
            </button>
          </div>
        </div>
      ))}
    </>
  );
}
