/** The repositories that have previews, and by which rules. */
import type { RepositoryView } from '../api/repositories.ts';
import { written } from '../domain/duration.ts';
import { selectionWords } from '../domain/selection-words.ts';
import { Fragment, h } from './markup.ts';

export function RepositoriesPage({
  repositories,
  counts,
}: {
  readonly repositories: readonly RepositoryView[];
  readonly counts: ReadonlyMap<string, number>;
}): JSX.Element {
  return (
    <>
      <h1>Repositories</h1>
      <table class="list">
        <thead>
          <tr>
            <th scope="col">Repository</th>
            <th scope="col">Branches</th>
            <th scope="col">Pull requests</th>
            <th scope="col">Sleeps after</th>
            <th scope="col">Goes after</th>
            <th scope="col">Previews</th>
          </tr>
        </thead>
        <tbody>
          {repositories.map((one) => (
            <tr>
              <td data-label="Repository" class="wide">
                <b>{one.name}</b>
                {!one.configured && <span class="tag">added</span>}
                <small>{one.url}</small>
              </td>
              <td data-label="Branches">{one.branches.join(', ')}</td>
              <td data-label="Pull requests" class="wide">
                {selectionWords(one).join('; ') || 'any'}
              </td>
              <td data-label="Sleeps after">{one.idle === null ? 'never' : written(one.idle * 1_000)}</td>
              <td data-label="Goes after">{one.ttl === null ? 'never' : written(one.ttl * 1_000)}</td>
              <td data-label="Previews">
                <a href={`/?repository=${encodeURIComponent(one.name)}`}>
                  {`${counts.get(one.name) ?? 0}${one.max.previews === null ? '' : ` of ${one.max.previews}`}`}
                  <span class="hidden">{` previews of ${one.name}`}</span>
                </a>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
