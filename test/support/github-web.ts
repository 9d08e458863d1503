/** GitHub as the maker of an App meets it: the form that takes a manifest, the way back, and the code that is good once. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type Request, type Response } from 'express';

export interface PostedManifest {
  readonly path: string;
  readonly state: string;
  readonly manifest: Readonly<Record<string, unknown>>;
}

export interface GitHubWeb {
  /** Of its pages. */
  readonly web: string;
  readonly apiUrl: string;
  readonly posted: PostedManifest[];
  /** What a code is answered with; 201 unless told. */
  answer: 'made' | 'expired' | 'broken' | 'no key';
  /** All that nobody may see of what it gave. */
  readonly secrets: string[];
  stop(): Promise<void>;
}

/** What each event takes, as GitHub's form says it where it is missing. */
const BEHIND: Readonly<Record<string, string>> = {
  push: 'contents',
  create: 'contents',
  delete: 'contents',
  pull_request: 'pull_requests',
  issue_comment: 'issues',
  repository: 'metadata',
};

/** Why GitHub's form refuses a manifest; undefined where it does not. */
export function faultOf(manifest: Readonly<Record<string, unknown>>): string | undefined {
  const { name, url, hook_attributes: hook, default_events: events, default_permissions: permissions } = manifest;
  if (typeof name !== 'string' || name.length > 34) return 'Name is too long (maximum is 34 characters)';
  if (typeof url !== 'string') return '"url" wasn\'t supplied.';
  if (hook !== undefined && typeof (hook as { url?: unknown }).url !== 'string') return '"url" wasn\'t supplied.';
  const asked = (events ?? []) as readonly string[];
  if (asked.length > 0 && hook === undefined) return 'Hook url cannot be blank';
  const held = (permissions ?? {}) as Readonly<Record<string, string>>;
  const bare = asked.filter((one) => held[BEHIND[one] ?? one] === undefined);
  return bare.length === 0 ? undefined : `Default events are not supported by permissions: ${bare.join(', ')}`;
}

export async function startGitHubWeb(): Promise<GitHubWeb> {
  const codes = new Map<string, string>();
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = privateKey.export({ type: 'pkcs1', format: 'pem' }) as string;
  const app = express();
  const take = (req: Request, res: Response): void => {
    const manifest = JSON.parse(req.body.manifest) as Readonly<Record<string, unknown>>;
    const state = String(req.query.state);
    one.posted.push({ path: req.path, state, manifest });
    const fault = faultOf(manifest);
    if (fault !== undefined) return void res.status(422).send(`Invalid GitHub App configuration: ${fault}`);
    const code = randomBytes(20).toString('hex');
    codes.set(code, String(manifest.name));
    one.secrets.push(code);
    const back = `${manifest.redirect_url}?${new URLSearchParams({ code, state })}`;
    // A person looks at it first; a program is led on.
    if (req.accepts(['json', 'html']) === 'html')
      res.send(`<a href="${back.replaceAll('&', '&amp;')}">Create GitHub App</a>`);
    else res.redirect(back);
  };
  app.post('/settings/apps/new', express.urlencoded({ extended: false }), take);
  app.post('/organizations/:org/settings/apps/new', express.urlencoded({ extended: false }), take);
  app.post('/api/v3/app-manifests/:code/conversions', (req, res) => {
    // As an Enterprise server does.
    if (req.headers['content-length'] === undefined) return void res.status(411).end();
    const name = codes.get(String(req.params.code));
    if (one.answer === 'broken') return void res.status(502).send('<html>Unicorn!</html>');
    codes.delete(String(req.params.code));
    if (name === undefined || one.answer === 'expired') return void res.status(404).json({ message: 'Not Found' });
    const slug = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
    const secrets = { client_secret: randomBytes(20).toString('hex'), webhook_secret: randomBytes(20).toString('hex') };
    one.secrets.push(...Object.values(secrets), pem.split('\n')[1] ?? '');
    const key = one.answer === 'no key' ? {} : { pem };
    res.status(201).json({ id: 4711, slug, name, html_url: `${one.web}/github-apps/${slug}`, ...secrets, ...key });
  });
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const web = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const one: GitHubWeb = {
    web,
    apiUrl: `${web}/api/v3`,
    posted: [],
    answer: 'made',
    secrets: [],
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return one;
}
