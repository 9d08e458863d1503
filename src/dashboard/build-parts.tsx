/** The parts of a preview's page that tell of one build. */
import { type Commit, parseBuildId, shortCommit } from '../domain/names.ts';
import type { Digest } from './digests.ts';
import { headline } from './log.tsx';
import { Fragment, h } from './markup.ts';
import { Ago, oob } from './parts.tsx';
import type { PreviewView } from './preview-page.tsx';
import { Stages } from './stages.tsx';

export function Build({ view, alone }: { readonly view: PreviewView; readonly alone: boolean }): JSX.Element {
  const { record, builds, build, digest, now } = view;
  const attempt = digest?.attempt;
  return (
    <section id="build" class="card" aria-labelledby="build-title" {...oob(alone)}>
      <h2 id="build-title">Build</h2>
      {build === undefined && <p>Nothing of it was built yet, or no log of it is kept.</p>}
      {attempt && (
        <>
          <p>
            <code>{shortCommit(attempt.commit as Commit)}</code> <Ago at={attempt.startedAt} now={now} /> ago
            {digest?.cause === undefined ? '' : `, because ${digest.cause}`}:{' '}
            <b class={attempt.outcome === 'failed' ? 'fault' : ''}>{attempt.outcome ?? 'under way'}</b>
          </p>
          {attempt.message !== undefined && (
            <p class={attempt.outcome === 'failed' ? 'fault pre' : 'soft'}>{attempt.message}</p>
          )}
          <Stages attempt={attempt} until={attempt.outcome === undefined ? now : (digest?.events.at(-1)?.at ?? now)} />
        </>
      )}
      {builds.length > 1 && (
        <details>
          <summary>{`${builds.length} builds`}</summary>
          <ol class="builds">
            {builds.map((one) => (
              <li>
                <a href={`/previews/${record.id}?build=${one}`} {...(one === build ? { 'aria-current': 'true' } : {})}>
                  <Ago at={parseBuildId(one)?.startedAt} now={now} /> ago
                </a>
              </li>
            ))}
          </ol>
        </details>
      )}
    </section>
  );
}

export function Changes({
  digest,
  alone,
}: {
  readonly digest: Digest | undefined;
  readonly alone: boolean;
}): JSX.Element {
  const changes = digest?.changes ?? [];
  return (
    <section id="changes" class="card" aria-labelledby="changes-title" {...oob(alone)}>
      <h2 id="changes-title">What policy changed</h2>
      {changes.length === 0 ? (
        <p class="soft">Nothing of its compose file.</p>
      ) : (
        <ul class="changes">
          {changes.map((one) => (
            <li>
              <code>{one.path}</code> {one.message}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

export function Events({ view, alone }: { readonly view: PreviewView; readonly alone: boolean }): JSX.Element {
  const events = view.digest?.events ?? [];
  return (
    <section id="events" class="card" aria-labelledby="events-title" {...oob(alone)}>
      <h2 id="events-title">Events</h2>
      <ol class="events">
        {events.map((one) => (
          <li>
            <time datetime={new Date(one.at).toISOString()}>{new Date(one.at).toISOString().slice(11, 19)}</time>{' '}
            {headline(one)}
          </li>
        ))}
      </ol>
    </section>
  );
}
