/** `treehouse github init` with a browser played by fetch, and the forms of a GitHub that is played too. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TreehouseError } from '../../src/errors.ts';
import { readAppFile } from '../../src/github/app-file.ts';
import { gitHubPlace } from '../../src/github-side.ts';
import { githubCommands } from '../../src/terminal/github.ts';
import { type GitHubWeb, startGitHubWeb } from '../support/github-web.ts';

let folder: string;
let github: GitHubWeb;
let home: string;
let count = 0;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-app-'));
  github = await startGitHubWeb();
});
afterAll(async () => {
  await github.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  home = path.join(folder, `home${++count}`);
  github.answer = 'made';
  github.posted.length = 0;
});

interface Init {
  /** Where the page is. */
  readonly page: Promise<string>;
  readonly ended: Promise<unknown>;
  readonly out: string[];
  readonly said: string[];
  interrupt(): void;
}

const inits: Init[] = [];
afterEach(async () => {
  for (const one of inits.splice(0)) {
    one.interrupt();
    await one.ended;
  }
});

/** Begins the command; `ended` is undefined, or what it failed with. */
function init(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Init {
  const out: string[] = [];
  const said: string[] = [];
  const stopping = new AbortController();
  const program = new Command().exitOverride();
  let open: (url: string) => void = () => undefined;
  const page = new Promise<string>((resolve) => {
    open = resolve;
  });
  githubCommands(program, {
    place: () =>
      gitHubPlace(
        { GITHUB_API_URL: `${github.apiUrl}/`, ...env },
        { home, host: '127.0.0.1', port: 4000, adminHost: undefined },
      ),
    print: (text) => out.push(text),
    say: (text) => said.push(text),
    browse: async (url) => open(url),
    interrupted: () => stopping.signal,
  });
  const ended = program.parseAsync(['github', 'init', ...args], { from: 'user' }).then(
    () => undefined,
    (error: unknown) => error,
  );
  const interrupt = () => stopping.abort(new TreehouseError('stopped', 'nothing was made'));
  const one = { page, ended, out, said, interrupt };
  inits.push(one);
  return one;
}

interface Form {
  readonly action: string;
  readonly manifest: string;
}

async function formAt(page: string): Promise<Form> {
  const text = await (await fetch(page)).text();
  return {
    action: attribute(text, /<form method="post" action="([^"]*)"/),
    manifest: attribute(text, /name="manifest" value="([^"]*)"/),
  };
}

function attribute(text: string, pattern: RegExp): string {
  const entities: Readonly<Record<string, string>> = {
    '&quot;': '"',
    '&#39;': "'",
    '&lt;': '<',
    '&gt;': '>',
    '&amp;': '&',
  };
  return (pattern.exec(text)?.[1] ?? '').replaceAll(/&(?:quot|#39|lt|gt|amp);/g, (one) => entities[one] ?? one);
}

/** As a person presses the button, and makes the App on GitHub. @returns where GitHub sends the browser. */
async function press({ action, manifest }: Form): Promise<string> {
  const answer = await fetch(action, { method: 'POST', body: new URLSearchParams({ manifest }), redirect: 'manual' });
  return answer.headers.get('location') ?? `${answer.status} ${await answer.text()}`;
}

function expectNothingSecret(one: Init, text = ''): void {
  const shown = [...one.out, ...one.said, text].join('\n');
  for (const secret of github.secrets) expect(shown).not.toContain(secret);
  expect(shown).not.toContain('PRIVATE KEY');
}

it('makes the App, keeps its key for itself, and says where it is installed', async () => {
  const one = init(['--name', 'Treehouse on oak', '--webhook', 'https://treehouse.example.com']);
  const page = await one.page;
  expect(new URL(page).hostname).toBe('127.0.0.1');
  const back = await press(await formAt(page));
  expect(back).toMatch(new RegExp(`^${page}made\\?code=`));
  const last = await fetch(back);
  const text = await last.text();
  expect(last.status).toBe(200);
  expect(text).toContain(`href="${github.web}/github-apps/treehouse-on-oak/installations/new"`);
  expect(await one.ended).toBeUndefined();
  const file = path.join(home, 'github-app.json');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(home)).mode & 0o777).toBe(0o700);
  expect(await readdir(home)).toEqual(['github-app.json']);
  expect(readAppFile(home)).toEqual({
    id: '4711',
    slug: 'treehouse-on-oak',
    url: `${github.web}/github-apps/treehouse-on-oak`,
    apiUrl: github.apiUrl,
    privateKey: expect.stringMatching(/^-----BEGIN RSA PRIVATE KEY-----\n/),
    webhookSecret: expect.stringMatching(/^[0-9a-f]{40}$/),
  });
  // Nobody signs in by it.
  expect(await readFile(file, 'utf8')).not.toContain('client');
  expect(github.posted).toMatchObject([
    { path: '/settings/apps/new', manifest: { public: false, hook_attributes: { active: true } } },
  ]);
  expect(one.out).toEqual([
    `treehouse-on-oak is made. Install it for the repositories that get previews:\n  ${github.web}/github-apps/treehouse-on-oak/installations/new`,
  ]);
  expect(one.said.join('\n')).toContain(`Its key is kept in ${file}`);
  expectNothingSecret(one, text);
  // The page is gone with it.
  await expect(fetch(page)).rejects.toThrow();
});

it('makes it for an organisation, without a webhook, and says it to a program', async () => {
  const one = init(['--org', 'acme', '--json'], { GITHUB_TOKEN: 'ghp_x' });
  await fetch(await press(await formAt(await one.page)));
  expect(await one.ended).toBeUndefined();
  expect(github.posted[0]?.path).toBe('/organizations/acme/settings/apps/new');
  expect(github.posted[0]?.manifest).not.toHaveProperty('default_events');
  const slug = readAppFile(home)?.slug;
  expect(JSON.parse(one.out.join('\n'))).toEqual({
    id: '4711',
    slug,
    url: `${github.web}/github-apps/${slug}`,
    installUrl: `${github.web}/github-apps/${slug}/installations/new`,
    file: path.join(home, 'github-app.json'),
    webhookUrl: null,
  });
  expect(one.said.join('\n')).toContain('It has no webhook');
  expect(one.said.join('\n')).toContain('GITHUB_TOKEN or GITHUB_APP_ID is set, and goes before it');
  expectNothingSecret(one);
});

it('takes no code that did not begin here, and goes on', async () => {
  const one = init();
  const page = await one.page;
  const back = new URL(await press(await formAt(page)));
  for (const state of ['', 'x', `${back.searchParams.get('state')}x`]) {
    const forged = new URL(back);
    forged.searchParams.set('state', state);
    expect((await fetch(forged)).status).toBe(403);
  }
  const without = new URL(back);
  without.searchParams.delete('state');
  expect((await fetch(without)).status).toBe(403);
  const twice = new URL(back);
  twice.searchParams.append('state', 'x');
  expect((await fetch(twice)).status).toBe(403);
  expect(readAppFile(home)).toBeUndefined();
  expect((await fetch(back)).status).toBe(200);
  expect(await one.ended).toBeUndefined();
  expect(readAppFile(home)?.id).toBe('4711');
});

it('answers by its own address alone, and lets no page frame it or send elsewhere', async () => {
  const one = init();
  const page = new URL(await one.page);
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const asked = get({
      host: page.hostname,
      port: page.port,
      path: '/',
      headers: { host: `evil.example:${page.port}` },
    });
    asked.once('response', (answer) => resolve(answer.resume().statusCode)).once('error', reject);
  });
  expect(status).toBe(403);
  const { headers } = await fetch(page);
  expect(headers.get('content-security-policy')).toBe(
    `default-src 'none'; form-action ${github.web}; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'`,
  );
  expect(headers.get('referrer-policy')).toBe('no-referrer');
  expect(headers.get('cache-control')).toBe('no-store');
  expect((await fetch(new URL('/x', page))).status).toBe(404);
});

it.each([
  ['expired', 'it does not know the code, which is good once and for an hour'],
  ['no key', 'its answer lacks pem'],
] as const)('says what to do where the code is worth nothing: %s', async (answer, why) => {
  github.answer = answer;
  const one = init();
  const back = await press(await formAt(await one.page));
  const last = await fetch(back);
  const text = await last.text();
  expect(last.status).toBe(502);
  expect(text).toContain(why);
  const error = await one.ended;
  expect(error).toMatchObject({ code: 'forge-failed' });
  expect((error as Error).message).toBe(
    `asking GitHub for the key of the App that was made failed: ${why}. The App is there without anybody who has its key: delete it on GitHub, and run this again`,
  );
  expect(readAppFile(home)).toBeUndefined();
  expectNothingSecret(one, `${text}${(error as Error).message}`);
});

it('asks once more where GitHub was away, as the page is loaded again', async () => {
  github.answer = 'broken';
  const one = init();
  const back = await press(await formAt(await one.page));
  const first = await fetch(back);
  expect(first.status).toBe(502);
  expect(await first.text()).toContain('it answered 502; load the page to which GitHub led again');
  github.answer = 'made';
  expect((await fetch(back)).status).toBe(200);
  expect(await one.ended).toBeUndefined();
  expect(readAppFile(home)?.id).toBe('4711');
});

it('says what went wrong last where it is ended after that', async () => {
  github.answer = 'broken';
  const one = init();
  await fetch(await press(await formAt(await one.page)));
  one.interrupt();
  expect(await one.ended).toMatchObject({ code: 'forge-failed', message: expect.stringContaining('it answered 502') });
});

it('asks for a code once, also where the page is loaded twice', async () => {
  const one = init();
  const back = await press(await formAt(await one.page));
  const both = await Promise.all([fetch(back), fetch(back)]);
  expect(both.map((answer) => answer.status)).toEqual([200, 200]);
  expect(await one.ended).toBeUndefined();
});

it('ends when nobody comes, and at once when it is interrupted', async () => {
  const late = init(['--wait', '50ms']);
  expect(await late.ended).toMatchObject({
    code: 'stopped',
    message: expect.stringContaining('nobody made the App within'),
  });
  const one = init();
  const page = await one.page;
  one.interrupt();
  expect(await one.ended).toMatchObject({ code: 'stopped', message: 'nothing was made' });
  await expect(fetch(page)).rejects.toThrow();
  expect(await readdir(folder)).not.toContain(path.basename(home));
});

it('puts none in the place of another unless told', async () => {
  const first = init();
  await fetch(await press(await formAt(await first.page)));
  await first.ended;
  const before = await readFile(path.join(home, 'github-app.json'), 'utf8');
  const refused = init();
  expect(await refused.ended).toMatchObject({
    code: 'bad-config',
    message: expect.stringMatching(/^there is an App already, .* --force puts another in its place$/),
  });
  expect(await readFile(path.join(home, 'github-app.json'), 'utf8')).toBe(before);
  const forced = init(['--force', '--name', 'another']);
  await fetch(await press(await formAt(await forced.page)));
  expect(await forced.ended).toBeUndefined();
  expect(readAppFile(home)?.slug).toBe('another');
});

it('does not overwrite what came meanwhile', async () => {
  const one = init();
  const back = await press(await formAt(await one.page));
  const other = init();
  await fetch(await press(await formAt(await other.page)));
  await other.ended;
  const kept = await readFile(path.join(home, 'github-app.json'), 'utf8');
  expect((await fetch(back)).status).toBe(502);
  expect(await one.ended).toMatchObject({ code: 'process-failed', message: expect.stringContaining('EEXIST') });
  expect(await readFile(path.join(home, 'github-app.json'), 'utf8')).toBe(kept);
});

it.each([
  ['{"privateKey": "sekret', 'it is no JSON'],
  ['{"id": "x", "privateKey": "sekret"}', 'id: a number was expected'],
])('says of a file that is none what to do, and not what is in it: %s', async (text, why) => {
  const first = init();
  await fetch(await press(await formAt(await first.page)));
  await first.ended;
  await writeFile(path.join(home, 'github-app.json'), text);
  const error = await init().ended;
  expect(error).toMatchObject({ code: 'bad-config' });
  expect((error as Error).message).toContain(why);
  expect((error as Error).message).toContain('treehouse github init --force makes another App');
  expect((error as Error).message).not.toContain('sekret');
});

/** As people run it: a process of its own. */
describe('the command', () => {
  async function started(
    ...args: readonly string[]
  ): Promise<{ child: ChildProcess; page: string; said: () => string }> {
    const cli = path.resolve('dist/cli.js');
    const child = spawn(process.execPath, [cli, 'github', 'init', ...args], {
      cwd: folder,
      env: { PATH: process.env.PATH, TREEHOUSE_HOME: home, GITHUB_API_URL: github.apiUrl },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    });
    let said = '';
    const page = new Promise<string>((resolve, reject) => {
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        const url = /http:\/\/127\.0\.0\.1:\d+\//.exec(said)?.[0];
        if (url !== undefined) resolve(url);
      });
      child.once('close', () => reject(new Error(said)));
    });
    return { child, page: await page, said: () => said };
  }

  it('makes an App', async () => {
    const { child, page } = await started('--json');
    let out = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    const closed = once(child, 'close');
    await fetch(await press(await formAt(page)));
    expect(await closed).toEqual([0, null]);
    expect(JSON.parse(out)).toMatchObject({ id: '4711', file: path.join(home, 'github-app.json') });
    const again = spawn(process.execPath, [path.resolve('dist/cli.js'), 'github', 'init'], {
      env: { PATH: process.env.PATH, TREEHOUSE_HOME: home },
      stdio: 'ignore',
    });
    expect(await once(again, 'close')).toEqual([2, null]);
  });

  it('ends by Ctrl-C, and leaves nothing', async () => {
    const { child, said } = await started();
    const closed = once(child, 'close');
    child.kill('SIGINT');
    expect(await closed).toEqual([1, null]);
    expect(said()).toContain('treehouse: nothing was made');
    expect(await readdir(folder)).not.toContain(path.basename(home));
  });
});
