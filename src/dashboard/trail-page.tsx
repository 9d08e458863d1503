/** Who did what. */
import type { TrailView } from '../api/trail.ts';
import { Fragment, h } from './markup.ts';

export function TrailPage({
  entries,
  count,
}: {
  readonly entries: readonly TrailView[];
  /** Of a whole page. */
  readonly count: number;
}): JSX.Element {
  const last = entries.at(-1);
  return (
    <>
      <h1>Audit trail</h1>
      <table class="list">
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Who</th>
            <th scope="col">Did</th>
            <th scope="col">To</th>
            <th scope="col">Answer</th>
          </tr>
        </thead>
        <tbody>
          {entries.map((one) => (
            <tr>
              <td data-label="When">
                <time datetime={one.at}>{`${one.at.slice(0, 10)} ${one.at.slice(11, 19)}`}</time>
              </td>
              <td data-label="Who">
                {one.who} <small>{one.token}</small>
              </td>
              <td data-label="Did">{one.act}</td>
              <td data-label="To" class="wide">
                {one.to}
                {one.command && (
                  <>
                    {' '}
                    {one.service ?? ''}: <code>{one.command.join(' ')}</code>
                  </>
                )}
              </td>
              <td data-label="Answer">{one.status}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {entries.length === 0 && <p class="soft">Nobody did anything before that.</p>}
      {last && entries.length >= count && (
        <nav class="pages" aria-label="Pages of the trail">
          <a href={`/trail?before=${encodeURIComponent(last.at)}`}>Earlier</a>
        </nav>
      )}
    </>
  );
}
