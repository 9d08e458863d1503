/** What went wrong, and the way back. */
import type { Request, Response } from 'express';
import type { Show } from './dashboard.ts';
import { h } from './markup.ts';

export function FaultPage({ status, detail }: Fault): JSX.Element {
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

interface Fault {
  readonly status: number;
  readonly detail: string;
}

/** Answers with such a page. */
export function refusing(show: Show): (req: Request, res: Response, fault: Fault) => void {
  return (req, res, { status, detail }) =>
    show(req, res, { status, title: 'That did not work' }, <FaultPage status={status} detail={detail} />);
}
