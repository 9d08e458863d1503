/** Signing in with a token, and out. */
import { type RequestHandler, Router } from 'express';
import type { SignIns } from '../access/sessions.ts';
import { slowGuesses } from '../api/client-limits.ts';
import type { Clock } from '../domain/ports.ts';
import type { Trail } from '../domain/trail.ts';
import type { Assets } from './assets.ts';
import { Fragment, h } from './markup.ts';
import { clearCookie, isOwnForm, isOwnPage, isPrivate, sessionId, sessionOf, setCookie } from './session.ts';
import { page } from './shell.tsx';

export interface SignInRouteDeps {
  readonly signIns: SignIns;
  readonly assets: Assets;
  readonly trail: Pick<Trail, 'note'>;
  readonly clock: Clock;
  /** Wrong tokens from one address in a minute. */
  readonly guesses: number;
}

const TOKEN_MAX = 200;

/** Before who is signed in is asked for. */
export function signInRouter({ signIns, assets, trail, clock, guesses }: SignInRouteDeps): Router {
  const router = Router();
  const slow = slowGuesses(guesses, (req) => tokenIn(req.body));
  const show: RequestHandler = (req, res) => {
    const next = pathOf(req.query.next);
    res.send(page(assets, { title: 'Sign in' }, <SignIn next={next} fault={undefined} isPrivate={isPrivate(req)} />));
  };
  router.get('/sign-in', show);
  router.post('/sign-in', slow.limit, async (req, res) => {
    const next = pathOf((req.body as { next?: unknown } | undefined)?.next);
    const refuse = (status: number, fault: string) => {
      const content = <SignIn next={next} fault={fault} isPrivate={isPrivate(req)} />;
      res.status(status).send(page(assets, { title: 'Sign in' }, content));
    };
    if (!isOwnPage(req)) return refuse(403, 'The form was sent by another site.');
    if (!isPrivate(req)) return refuse(403, 'Over this connection others could read the token.');
    const session = await signIns.open(tokenIn(req.body));
    if (!session) return refuse(401, 'Nobody has this token; it may have ended.');
    slow.letIn(req);
    const before = sessionId(req);
    if (before !== undefined) await signIns.close(before);
    setCookie(req, res, session.id);
    const { name, id } = session.principal;
    await trail.note({ at: clock.now(), who: name, token: id, act: 'sign in', to: 'the dashboard', status: 303 });
    res.redirect(303, next);
  });
  return router;
}

/** For who is signed in. */
export function signOut({
  signIns,
  trail,
  clock,
}: Pick<SignInRouteDeps, 'signIns' | 'trail' | 'clock'>): RequestHandler {
  return async (req, res) => {
    if (!isOwnForm(req, res)) return void res.redirect(303, '/');
    const { id, principal } = sessionOf(res);
    await signIns.close(id);
    clearCookie(req, res);
    const { name } = principal;
    await trail.note({
      ...{ at: clock.now(), who: name, token: principal.id, act: 'sign out', to: 'the dashboard', status: 303 },
    });
    res.redirect(303, '/sign-in');
  };
}

function SignIn({
  next,
  fault,
  isPrivate,
}: {
  readonly next: string;
  readonly fault: string | undefined;
  readonly isPrivate: boolean;
}): JSX.Element {
  return (
    <section class="card narrow">
      <h1>Sign in</h1>
      {isPrivate ? (
        <form method="post" action="/sign-in">
          <input type="hidden" name="next" value={next} />
          <label for="token">Token</label>
          <input
            {...{
              id: 'token',
              name: 'token',
              type: 'password',
              autocomplete: 'current-password',
              maxlength: TOKEN_MAX,
            }}
            {...{ required: true, autofocus: true, spellcheck: 'false', 'aria-describedby': 'token-help' }}
            {...(fault === undefined ? {} : { 'aria-invalid': 'true' })}
          />
          {fault !== undefined && (
            <p class="fault" role="alert">
              {fault}
            </p>
          )}
          <p id="token-help" class="soft">
            An admin makes one with <code>treehouse token create NAME --role reader</code>. The token of the home is in
            its file <code>admin-token</code>.
          </p>
          <button type="submit">Sign in</button>
        </form>
      ) : (
        <>
          <p class="fault" role="alert">
            {fault ?? 'This connection is not private: a token that is sent over it can be read on its way.'}
          </p>
          <p class="soft">
            Put a proxy with TLS in front that sets <code>X-Forwarded-Proto</code>, or come by <code>127.0.0.1</code>,
            from elsewhere with <code>ssh -L 4000:127.0.0.1:4000 HOST</code>.
          </p>
        </>
      )}
    </section>
  );
}

function tokenIn(body: unknown): string {
  const token = (body as { token?: unknown } | undefined)?.token;
  return typeof token === 'string' && token.length <= TOKEN_MAX ? token.trim() : '';
}

/** A path of the dashboard; anything else could lead to another site. */
function pathOf(text: unknown): string {
  return typeof text === 'string' && /^\/(?![/\\])[\x21-\x7e]*$/.test(text) && !text.includes('\\') ? text : '/';
}
