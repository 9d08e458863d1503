/** What went wrong, and the way back. */
import { h } from './markup.ts';

export function FaultPage({ status, detail }: { readonly status: number; readonly detail: string }): JSX.Element {
  return (
    <section class="card narrow">
      <h1>{status === 404 ? 'There is nothing here' : status === 403 ? 'This is not for you' : 'That did not work'}</h1>
      <p>{detail}</p>
      <p>
        <a href="/">All previews</a>
      </p>
    </section>
  );
}
