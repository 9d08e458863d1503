/** A build's log: its last lines at once, what is printed as it comes, and what is searched for. */
import type { StreamEvent } from '../api/stream.ts';
import type { StoredEvent } from '../domain/events.ts';
import type { BuildId, PreviewId } from '../domain/names.ts';
import { Coloured } from './ansi.tsx';
import { h, toText } from './markup.ts';
import { capital } from './words.ts';

/** Events at the end of a log that a page begins with. */
export const LOG_TAIL = 500;
/** Lines that a search shows. */
export const FOUND_MAX = 500;

/** What scrolls must be reached by the keyboard. */
const SCROLLS = { tabindex: 0 };

export interface LogView {
  readonly preview: PreviewId;
  readonly build: BuildId;
  readonly events: readonly StoredEvent[];
  /** What is searched for; empty: nothing. */
  readonly find: string;
  /** Whether there is more than is shown. */
  readonly isCut: boolean;
}

export function Log({ view, alone = false }: { readonly view: LogView; readonly alone?: boolean }): JSX.Element {
  const { preview, build, events, find, isCut } = view;
  const at = `/previews/${preview}`;
  return (
    <section id="log" class="card log" aria-labelledby="log-title" {...(alone ? { 'hx-swap-oob': 'true' } : {})}>
      <div class="row">
        <h2 id="log-title">Log</h2>
        <form
          {...{ method: 'get', action: at, role: 'search', 'aria-label': 'Log', class: 'find' }}
          {...{ 'hx-get': at, 'hx-target': '#live', 'hx-select': '#live', 'hx-swap': 'outerHTML' }}
          hx-trigger="submit, input changed delay:400ms from:#find"
        >
          <input type="hidden" name="build" value={build} />
          <label class="hidden" for="find">
            Search the log
          </label>
          <input
            {...{ id: 'find', type: 'search', name: 'find', value: find, placeholder: 'Search', maxlength: 200 }}
          />
          <noscript>
            <button type="submit" class="quiet">
              Search
            </button>
          </noscript>
        </form>
        <a href={`${at}/builds/${build}/log`}>As text</a>
      </div>
      {isCut && <p class="soft">{find === '' ? 'These are its last lines.' : `Only ${FOUND_MAX} lines are shown.`}</p>}
      {find !== '' && (
        <p role="status" class="soft">
          {events.length === 0
            ? 'No line has it.'
            : `${events.length} ${events.length === 1 ? 'line has' : 'lines have'} it.`}
        </p>
      )}
      <section class="lines" {...SCROLLS} aria-label="Lines of the log">
        <ol id="lines" sse-swap={lineType(build)} hx-swap="beforeend">
          {events.map((one) => (
            <Entry one={one} />
          ))}
        </ol>
      </section>
    </section>
  );
}

/** Whether an event is shown in a log, and has what is searched for. */
export function isShown({ event }: StoredEvent, find: string): boolean {
  if (event.type === 'log') return find === '' || event.line.toLowerCase().includes(find.toLowerCase());
  return find === '' && (event.type === 'stage.started' || event.type.startsWith('build.'));
}

function Entry({ one: { event } }: { readonly one: StoredEvent }): JSX.Element {
  if (event.type === 'log') {
    return (
      <li>
        <span class="source">{event.source}</span>
        <Coloured line={event.line} />
      </li>
    );
  }
  if (event.type === 'build.failed') {
    return <li class="mark bad">{`${capital(event.stage)} failed: ${event.message}`}</li>;
  }
  return <li class="mark">{event.type === 'stage.started' ? event.stage : headline(event)}</li>;
}

/** What an event says, for people. */
export function headline(event: StoredEvent['event']): string {
  switch (event.type) {
    case 'build.started':
      return `Begun: ${event.cause}`;
    case 'build.live':
      return 'It is live';
    case 'build.superseded':
      return capital(event.message);
    case 'build.failed':
      return `${capital(event.stage)} failed: ${event.message}`;
    case 'stage.started':
      return `${capital(event.stage)} began`;
    case 'stage.finished':
      return `${capital(event.stage)} ended${event.note === undefined ? '' : `: ${event.note}`}`;
    default:
      return event.type;
  }
}

/** Of its own build alone: a page that shows a newer one hears no late line. */
function lineType(build: BuildId): string {
  return `line-${build}`;
}

/** Lines that are sent together, and for how long one waits for others. */
const TOGETHER = 200;
const WAIT_MS = 80;

/** A log's entries for a page that shows it, in order, several together; the cursor of the last is theirs. */
export async function* lineFrames(
  build: BuildId,
  events: AsyncIterable<StoredEvent>,
  find: string,
): AsyncGenerator<StreamEvent> {
  const reading = events[Symbol.asyncIterator]();
  let next = reading.next();
  try {
    for (;;) {
      const first = await next;
      if (first.done) return;
      next = reading.next();
      const some = [first.value];
      const until = Date.now() + WAIT_MS;
      while (some.length < TOGETHER) {
        const more = await inTime(next, until - Date.now());
        if (!more || more.done) break;
        some.push(more.value);
        next = reading.next();
      }
      const shown = some.filter((one) => isShown(one, find));
      const text = shown.map((one) => toText(<Entry one={one} />)).join('');
      const id = some.at(-1)?.cursor ?? '';
      if (text !== '') yield { id, type: lineType(build), text };
    }
  } finally {
    next.catch(() => undefined);
    await reading.return?.();
  }
}

async function inTime<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  if (ms <= 0) return undefined;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
