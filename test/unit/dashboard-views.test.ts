/** Pages of the dashboard hold what strangers wrote as text, and what a reader may not do not at all. */
import { describe, expect, it } from 'vitest';
import type { HostView } from '../../src/api/host.ts';
import type { ContainerView } from '../../src/api/live.ts';
import type { QueueView } from '../../src/api/queue.ts';
import { STATES } from '../../src/api/schemas.ts';
import { Coloured } from '../../src/dashboard/ansi.tsx';
import { openAssets } from '../../src/dashboard/assets.ts';
import { ContainersPage } from '../../src/dashboard/containers-page.tsx';
import type { Digest } from '../../src/dashboard/digests.ts';
import { FaultPage } from '../../src/dashboard/fault-page.tsx';
import { HostPage } from '../../src/dashboard/host-page.tsx';
import type { LogView } from '../../src/dashboard/log.tsx';
import { h, toText } from '../../src/dashboard/markup.ts';
import { actsOf, PreviewPage, type PreviewView, previewRegions } from '../../src/dashboard/preview-page.tsx';
import { overviewOf, type PreviewsDeps, wordsOf } from '../../src/dashboard/previews.ts';
import { PreviewsPage, previewsRegions } from '../../src/dashboard/previews-page.tsx';
import { QueuePage } from '../../src/dashboard/queue-page.tsx';
import { RepositoriesPage } from '../../src/dashboard/repositories-page.tsx';
import { page } from '../../src/dashboard/shell.tsx';
import { TrailPage } from '../../src/dashboard/trail-page.tsx';
import type { Principal } from '../../src/domain/access.ts';
import type { BuildEvent } from '../../src/domain/events.ts';
import { buildId, type PreviewId, type RepositoryName } from '../../src/domain/names.ts';
import type { PreviewRecord, PreviewState } from '../../src/domain/preview.ts';
import { ASSETS } from '../support/dashboard-world.ts';

const EVIL = `"'><x-evil onload=alert(1)>&lt;x-evil>\u202e\u001b[31m</script>`;
const evil = <T>(): T => EVIL as T;
const BUILD = buildId(1_700_000_000_000, 7);
const ADMIN: Principal = { id: 'admin', name: EVIL, role: 'admin', repositories: 'all' };
const READER: Principal = {
  id: 'r',
  name: 'r',
  role: 'reader',
  repositories: new Set(['acme/shop' as RepositoryName]),
};
const assets = openAssets(ASSETS);

function recordIn(state: PreviewState): PreviewRecord {
  return {
    ...{ id: 'main--shop' as PreviewId, repository: evil(), branch: evil(), state, reason: EVIL, changedAt: 5 },
    urls: [EVIL, `javascript:alert(1)//${EVIL}`, 'http://main--shop.preview.localhost/'],
    serving: { build: BUILD, commit: evil(), since: 1 },
    attempt: {
      ...{ build: BUILD, commit: evil(), startedAt: 1, stage: 'test', outcome: 'failed', message: EVIL },
      stages: { checkout: { startedAt: 1, ms: 4 }, test: { startedAt: 5 } },
    },
    wait: { position: 1, because: EVIL },
    expiresAt: 5_000,
  };
}

const of = { preview: 'main--shop' as PreviewId, build: BUILD, at: 5 };
const EVENTS: readonly BuildEvent[] = [
  { ...of, type: 'build.started', commit: evil(), cause: EVIL },
  { ...of, type: 'stage.started', stage: 'build' },
  { ...of, type: 'log', stage: 'build', source: EVIL, line: EVIL },
  { ...of, type: 'log', stage: 'build', source: 'web', line: `\u001b[1;31m${EVIL}\u001b[0m` },
  { ...of, type: 'stage.finished', stage: 'build', ms: 4, note: EVIL },
  { ...of, type: 'build.superseded', message: EVIL, ms: 4 },
  { ...of, type: 'build.failed', stage: 'build', code: EVIL, kind: 'terminal', message: EVIL, ms: 4 },
];
const DIGEST: Digest = {
  ...{ attempt: recordIn('failed').attempt, cause: EVIL, events: EVENTS },
  changes: [{ ...of, type: 'change', path: EVIL, message: EVIL }],
};
const INFO = { subject: EVIL, author: EVIL, at: 5 };

function viewOf(state: PreviewState, form: string | undefined = EVIL): PreviewView {
  return {
    ...{ record: recordIn(state), builds: [BUILD, buildId(1, 1)], build: BUILD, digest: DIGEST, info: INFO },
    ...{ visitedAt: 5, size: 5, isPinned: true, now: 10, form },
  };
}
const LOG: LogView = {
  ...{ preview: 'main--shop' as PreviewId, build: BUILD, find: EVIL, isCut: true },
  events: EVENTS.map((event, index) => ({ cursor: `${index}-0`, event })),
};

const deps: PreviewsDeps = {
  store: {
    records: async () => STATES.map((state, index) => ({ ...recordIn(state), id: `b${index}--shop` as PreviewId })),
  },
  pins: { all: async () => new Set(['b0--shop' as PreviewId]) },
  facts: { commit: () => INFO, visitedAt: () => 5, size: () => 5, look: async () => undefined },
};
async function overview(words: Record<string, string> = {}, principal = ADMIN) {
  const found = await overviewOf(deps, words, principal);
  if (typeof found === 'string') throw new Error(found);
  return found;
}

const QUEUE: QueueView = {
  running: [{ id: EVIL, repository: EVIL, purpose: 'build', stage: EVIL, startedAt: null }],
  waiting: [
    { id: EVIL, repository: EVIL, purpose: 'wake', since: '2026-11-01T00:00:00Z', position: 1, about: 5, reason: EVIL },
  ],
};
const HOST: HostView = {
  ...{ version: EVIL, engine: { version: EVIL, api: EVIL, containers: 1, running: 1 }, cores: 1, memory: 1 },
  ...{ disks: [{ name: EVIL, size: 5, free: 1 }], paused: EVIL },
  limits: { previews: 1, running: null, builds: 1, memory: 1 },
  forge: {
    host: EVIL,
    installations: [{ owner: EVIL, agreedAt: null, faults: [{ repositories: [EVIL], why: EVIL }] }],
    deliveries: { doneAt: null, fault: EVIL },
  },
};
const CONTAINER: ContainerView = {
  ...{ name: EVIL, service: EVIL, state: 'stopped', health: 'unhealthy', exitCode: 1, restarts: 1, image: EVIL },
  ...{ commit: EVIL, build: EVIL, exposed: null, memory: 1, memoryLimit: 2, cpu: 1, disk: 4_096, processes: 1 },
};

/** Every page, with everything that strangers can write in it hostile. */
const PAGES: readonly [string, () => Promise<JSX.Element>][] = [
  ['all previews', async () => h(PreviewsPage, { overview: await overview({ all: 'true' }), now: 10 })],
  ['none', async () => h(PreviewsPage, { overview: await overview({ search: EVIL }), now: 10 })],
  ...STATES.map((state): [string, () => Promise<JSX.Element>] => [
    `a preview that is ${state}`,
    async () => h(PreviewPage, { view: viewOf(state), log: LOG, chosen: true }),
  ]),
  ['the queue', async () => h(QueuePage, { queue: QUEUE, now: 10, isRaw: true })],
  [
    'the host',
    async () =>
      h(HostPage, {
        ...{ host: HOST, now: 10 },
        samples: [{ at: 5, cpu: 0.5, memory: 0.5, building: 1, waiting: 1, disks: [{ name: EVIL, used: 0.5 }] }],
      }),
  ],
  [
    'the repositories',
    async () =>
      h(RepositoriesPage, {
        repositories: [
          {
            ...{ name: EVIL, url: EVIL, branches: [EVIL], configured: false, idle: 5, ttl: null, sleepMode: 'stop' },
            ...{ pullRequests: 'labelled', label: EVIL, drafts: false, bots: false, base: [EVIL], paths: [EVIL] },
            ...{ access: 'public' },
            max: { previews: 5, running: null, builds: null, memory: null },
          },
        ],
        counts: new Map(),
      }),
  ],
  [
    'the trail',
    async () =>
      h(TrailPage, { entries: [{ at: EVIL, who: EVIL, token: EVIL, act: EVIL, to: EVIL, status: 200 }], count: 1 }),
  ],
  ['containers', async () => h(ContainersPage, { id: EVIL, containers: [CONTAINER] })],
  ['a fault', async () => h(FaultPage, { status: 400, detail: EVIL })],
];

/** What must not be in a page: the stranger's tag, a way out of an attribute, colours and turned text as they came. */
function expectHarmless(html: string): void {
  expect(html).not.toMatch(/<x-evil/i);
  expect(html).not.toContain(`"'>`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  expect(html).not.toMatch(/[\u202e\u001b]/);
  expect(html).not.toMatch(/href="(?!\/|#|https?:)/);
  // The policy for content would stop them, and the page would be broken.
  expect(html).not.toMatch(/<[^>]+ (?:style|on\w+)=/);
  expect(html.match(/<script[^>]*>/g) ?? []).toEqual(html.match(/<script defer src="\/assets\/[^"]+">/g) ?? []);
}

describe('what strangers wrote', () => {
  it.each(PAGES)('is text on the page of %s', async (_name, draw) => {
    const reader = { principal: ADMIN, form: EVIL };
    const html = page(assets, { title: EVIL, current: '/', reader, said: EVIL }, await draw());
    expect(html).toContain('x-evil');
    expectHarmless(html);
  });

  it('is text in what open pages are sent', async () => {
    const regions = [
      ...previewRegions(viewOf('failed')),
      ...previewsRegions(await overview(), 10, new Set(['b0--shop' as PreviewId])),
    ];
    for (const one of regions) expectHarmless(toText(one.draw(true)));
    expect(regions.map((one) => one.id)).toContain('row-b0--shop');
  });
});

describe('a line of a log', () => {
  const drawn = (line: string) => toText(h(Coloured, { line }));
  const E = '\u001b';
  it.each([
    ['plain', 'a < b', '<code>a &lt; b</code>'],
    ['coloured', `${E}[31mred${E}[0m not`, '<code><span class="ansi-red">red</span> not</code>'],
    ['bold and bright', `${E}[1;92mok${E}[0m`, '<code><span class="bold ansi-bright-green">ok</span></code>'],
    ['of a palette that is not kept', `${E}[38;5;200mx`, '<code>x</code>'],
    ['that moves the cursor', `${E}[2K${E}[1Gdone`, '<code>done</code>'],
    ['that says it is hidden', `${E}[8mhere${E}[0m`, '<code>here</code>'],
    ['with a link', `${E}]8;;http://evil/${E}\\text${E}]8;;${E}\\`, '<code>text</code>'],
    ['of colours without an end', `${E}[`, '<code></code>'],
  ])('that is %s', (_what, line, html) => {
    expect(drawn(line)).toBe(html);
  });

  it('that goes on and on is cut', () => {
    expect(drawn('x'.repeat(1e6)).length).toBeLessThan(4_100);
  });
});

describe('buttons', () => {
  const drawn = (view: PreviewView) => toText(h(PreviewPage, { view, log: undefined, chosen: false }));

  it('are not there for who may only look', () => {
    const { form: _form, ...rest } = viewOf('live');
    const html = drawn({ ...rest, form: undefined });
    expect(html).not.toContain('<button');
    expect(html).not.toContain('method="post"');
    expect(drawn(viewOf('live'))).toContain('action="/previews/main--shop/redeploy"');
  });

  it('ask first where it cannot be taken back', () => {
    const html = drawn(viewOf('live'));
    for (const act of ['down', 'reset']) {
      expect(html).toContain(`popovertarget="confirm-${act}"`);
      expect(html).toMatch(new RegExp(`id="confirm-${act}"[^>]*popover="auto"`));
    }
  });

  it.each<[PreviewState, string]>([
    ['live', 'redeploy reset sleep pin down'],
    ['asleep', 'redeploy reset wake pin down'],
    ['failed', 'redeploy reset pin down'],
    ['removing', ''],
    ['removed', 'redeploy'],
  ])('of a preview that is %s: %s', (state, acts) => {
    expect(actsOf({ record: recordIn(state), isPinned: false }).join(' ')).toBe(acts);
  });

  it('cancel what is under way', () => {
    const { attempt, ...record } = recordIn('building');
    const { outcome: _outcome, ...open } = attempt ?? ({} as never);
    expect(actsOf({ record: { ...record, attempt: open }, isPinned: true })).toEqual([
      ...['redeploy', 'cancel', 'reset', 'unpin', 'down'],
    ]);
  });
});

describe('the page of the host', () => {
  const drawn = (forge: HostView['forge']) => {
    const { forge: _forge, ...host } = HOST;
    return toText(h(HostPage, { host: forge ? { ...host, forge } : host, samples: [], now: 90_000 }));
  };
  const at = new Date(60_000).toISOString();

  it('says when all was as the forge has it, and why not since', () => {
    const html = drawn({
      host: 'github.com',
      installations: [
        { owner: 'acme', agreedAt: at, faults: [{ repositories: ['acme/blog', 'acme/shop'], why: 'it is away' }] },
      ],
      deliveries: { doneAt: at, fault: 'it is away' },
    });
    expect(html).toContain('Agreement with github.com</h2>');
    expect(html).toContain('<dt>Last agreed about acme</dt><dd>30 s ago</dd>');
    expect(html).toContain('<dt>Lost deliveries last looked for</dt><dd>30 s ago</dd>');
    expect(html).toContain('>acme/blog, acme/shop: it is away</p>');
    expect(html).toContain('>Lost deliveries could not be asked for again: it is away</p>');
  });

  it('of a token knows no deliveries, and without credentials nothing of it', () => {
    const html = drawn({
      host: 'github.com',
      installations: [{ owner: null, agreedAt: null, faults: [] }],
      deliveries: null,
    });
    expect(html).toContain('<dt>Last agreed</dt><dd>never yet</dd>');
    expect(html).not.toContain('deliveries');
    expect(drawn(undefined)).not.toContain('Agreement');
  });
});

describe('the page of all previews', () => {
  it('shows what the token reaches, and counts nothing else', async () => {
    const found = await overview({}, READER);
    expect([found.rows.length, found.total, found.repositories]).toEqual([0, 0, []]);
  });

  it('says what of an address cannot be', async () => {
    expect(await overviewOf(deps, { state: 'nonsense' }, ADMIN)).toContain('Invalid option');
    expect(await overviewOf(deps, { after: 'nonsense' }, ADMIN)).toContain('no cursor');
  });

  it('leaves out what an address has beside and what is empty', () => {
    expect(wordsOf({ state: '', search: ' a ', nonsense: 'x', sort: ['id'] })).toEqual({ search: 'a' });
  });
});
