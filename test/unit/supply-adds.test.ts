/** Where ADD would fetch from: addresses of this machine and its networks, written out or behind a name. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { lookUp } from '../../src/adapters/look-up.ts';
import { branchName, previewId } from '../../src/domain/names.ts';
import type { LookUp } from '../../src/domain/supply.ts';
import { judgeFetched } from '../../src/supply/adds.ts';
import { admitImages } from '../../src/supply/admit.ts';
import { drawnImages } from '../../src/supply/drawn.ts';
import { nearness } from '../../src/supply/near.ts';

const SUM = `--checksum=sha256:${'a'.repeat(64)}`;
const read = (lines: string) => drawnImages(`FROM a\n${lines}\n`, { file: 'Dockerfile', args: {}, contexts: [] });

afterEach(() => vi.useRealTimers());

describe('addresses', () => {
  it.each(['127.0.0.1', '127.9.9.9', '0.0.0.0', '0.1.2.3', '169.254.169.254', '::', '::1', 'fe80::1', 'fe80::1%eth0'])(
    '%s is of this machine',
    (address) => expect(nearness(address)).toBe('machine'),
  );
  it.each(['::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:a9fe:a9fe', '64:ff9b::a9fe:a9fe', '::169.254.169.254'])(
    '%s is of this machine, in the words of IPv6',
    (address) => expect(nearness(address)).toBe('machine'),
  );
  it.each([
    ...['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', '100.127.255.255', '198.18.0.1'],
    ...['fc00::1', 'fd12:3456::1', 'fec0::1', '::ffff:10.0.0.1', '::ffff:c0a8:101', '64:ff9b::10.0.0.1'],
  ])('%s is of a private network', (address) => expect(nearness(address)).toBe('private'));
  it.each([
    ...['1.1.1.1', '172.15.0.1', '172.32.0.1', '100.63.0.1', '100.128.0.1', '169.253.0.1', '11.0.0.1'],
    ...['2606:4700::1111', '::ffff:1.1.1.1', '64:ff9b::101:101'],
  ])('%s is of the world', (address) => expect(nearness(address)).toBeUndefined());
  it.each(['', 'x', '1.2.3', '::g'])('%j is none, and taken for the machine', (text) =>
    expect(nearness(text)).toBe('machine'),
  );
});

describe('what ADD names', () => {
  it.each([
    'http://a@b@169.254.169.254/x',
    'http://169.254.169.254./x',
    'http://localhost./x',
    'http://metadata.google.internal./x',
    'http://127.1/x',
    'http://0177.0.0.1/x',
    'http://a.0x7f/x',
    'http://[::ffff:169.254.169.254]/x',
    'http://[fd00::1]:80/x',
    'http://１２７.0.0.1/x',
    'http://%31%32%37.0.0.1/x',
    'http://::1/x',
    'http:///x',
    'git@10.0.0.1:a/b.git',
    'git@host:a/b.git',
    'ssh://git@192.168.0.1:22/a/b.git',
    'git://127.0.0.1/a.git#main',
    'https://user:p@ss@10.0.0.1/a.git',
  ])('%s is near', (url) => {
    expect(read(`ADD ${url} /x`).faults.map((one) => `${one.path} ${one.rule}`)).toEqual([
      'Dockerfile:2 build-network',
    ]);
    expect(read(`ADD ${JSON.stringify([url, '/x'])}`).faults).toHaveLength(1);
  });

  it.each(['ADD ["\\u0068ttp:\\/\\/127.0.0.1/", "/x"]', `ARG X=_http://127.0.0.1/\nADD \${X#_} /x`])(
    '%j is near, however it is said',
    (line) => expect(read(line).faults.map((one) => one.rule)).toEqual(['build-network']),
  );

  it.each([
    ['https://example.com/a.tgz', 'example.com'],
    ['https://Example.com:8443/a?b=c', 'example.com'],
    ['https://u:p@ss@example.com/a', 'example.com'],
    ['https://example.com?@10.0.0.1/', 'example.com'],
    ['https://github.com/acme/shop.git#main', 'github.com'],
    ['git@example.com:acme/shop.git', 'example.com'],
    ['ssh://git@example.com:22/a.git', 'example.com'],
    ['github.com/acme/shop', 'github.com'],
    ['https://a_b.example.com./x', 'a_b.example.com.'],
  ])('%s is to be asked for', (url, name) => {
    const { faults, fetched } = read(`ADD ${SUM} ${url} /x`);
    expect(faults).toEqual([]);
    expect(fetched).toEqual([{ where: 'Dockerfile:2', written: url, name }]);
  });

  it.each(['src/ /x', '["a b", "/x"]', 'https://1.1.1.1/x /x', 'https://[2606:4700::1111]/x /x', 'a@b /x'])(
    'ADD %s is neither near nor a name',
    (rest) => expect(read(`ADD ${SUM} ${rest}`)).toMatchObject({ faults: [], fetched: [] }),
  );
});

describe('what a server sends', () => {
  it('could be anything, also of this network: without a checksum it is refused, with the way out', () => {
    const [fault, ...more] = read('ADD https://example.com/a.tgz /x').faults;
    expect(more).toEqual([]);
    expect(fault).toEqual({
      path: 'Dockerfile:2',
      rule: 'build-network',
      message:
        "ADD https://example.com/a.tgz: its server could send the builder on to an address of this machine's network, and what answers there would be in the image; give --checksum=sha256:… of what it is, or fetch it in a RUN step, which has a network of its own",
    });
  });

  it.each([
    '--checksum=sha256:',
    '--checksum=md5:0',
    `--checksum=sha256:${'g'.repeat(64)}`,
    `--chown=${SUM}`,
    `--checksum=sha256:$X`,
  ])('is not known by %s', (flag) => {
    expect(read(`ADD ${flag} https://example.com/a.tgz /x`).faults).toHaveLength(1);
  });

  it('is known by a checksum from an argument, too', () => {
    expect(read(`ARG SUM=${'a'.repeat(64)}\nADD --checksum=sha256:$SUM https://example.com/a /x`).faults).toEqual([]);
  });
});

describe('names', () => {
  const WORLD: Readonly<Record<string, readonly string[]>> = {
    'far.test': ['93.184.216.34', '2606:2800::1'],
    'lan.test': ['93.184.216.34', '192.168.7.7'],
    'meta.test': ['169.254.169.254'],
    'six.test': ['::ffff:10.1.2.3'],
    'mine.test': ['::1'],
  };
  const asked: string[] = [];
  const ask: LookUp = async (name) => {
    asked.push(name);
    return WORLD[name] ?? [];
  };
  const admit = (lines: string, more: { allowsPrivate?: boolean; onBuild?: string[] } = {}) =>
    admitImages(read(lines), {
      ...{ rules: undefined, registry: undefined, preview: previewId('shop', branchName('x')), refresh: false },
      ...{ lookUp: ask, allowsPrivate: more.allowsPrivate ?? false },
      store: {
        look: async () => ({ id: 'sha256:1', names: ['a:latest'], labels: {}, onBuild: more.onBuild ?? [] }),
      },
      pull: async () => undefined,
      say: () => undefined,
    });
  const rulesOf = async (...given: Parameters<typeof admit>) =>
    (await admit(...given)).refusals.map((one) => `${one.path} ${one.rule}`);

  it.each(['lan.test', 'meta.test', 'six.test', 'mine.test'])(
    '%s leads to what is near, and is refused',
    async (name) => {
      expect(await rulesOf(`ADD ${SUM} https://${name}/x /x`)).toEqual(['Dockerfile:2 build-network']);
      expect(await rulesOf(`ADD git@${name}:a/b.git /x`)).toEqual(['Dockerfile:2 build-network']);
    },
  );

  it('says where it leads, and the way out', async () => {
    const [refusal] = (await admit(`ADD ${SUM} https://lan.test/x /x`)).refusals;
    expect(refusal?.message).toBe(
      "ADD https://lan.test/x: lan.test leads to 192.168.7.7, and it would be fetched from the host's own network, where addresses of this machine and its neighbours are refused; COPY a file of the repository, or ask an admin for egress: all (TREEHOUSE_EGRESS)",
    );
  });

  it('is let be where it leads into the world, or nowhere', async () => {
    expect(await rulesOf(`ADD ${SUM} https://far.test/x /x\nADD ${SUM} https://gone.test/x /x`)).toEqual([]);
  });

  it('may be of a private network where the admin lets previews there, and of this machine never', async () => {
    const lines = `ADD ${SUM} https://lan.test/x /x\nADD ${SUM} https://six.test/x /x\nADD ${SUM} https://meta.test/x /x\nADD ${SUM} http://mine.test /x`;
    expect(await rulesOf(lines, { allowsPrivate: true })).toEqual([
      'Dockerfile:4 build-network',
      'Dockerfile:5 build-network',
    ]);
  });

  it('is asked for once, however often it is named', async () => {
    asked.length = 0;
    await admit(`ADD ${SUM} https://far.test/x /x\nADD ${SUM} https://far.test/y /y`);
    expect(asked).toEqual(['far.test']);
  });

  it('is asked for in the triggers of a base, too', async () => {
    const onBuild = [`ADD ${SUM} https://lan.test/x /x`, 'ADD http://127.0.0.1/ /y', 'ADD src /z'];
    const refused = 'Dockerfile:1, a, ONBUILD ADD build-network';
    expect(await rulesOf('RUN x', { onBuild })).toEqual([refused, refused]);
    expect(await rulesOf('RUN x', { onBuild: onBuild.slice(0, 1) })).toEqual([refused]);
  });

  it('ends the build, to be tried again, where no answer comes within five seconds', async () => {
    vi.useFakeTimers();
    const silent = judgeFetched(read(`ADD ${SUM} https://far.test/x /x`).fetched, {
      lookUp: () => new Promise(() => undefined),
      allowsPrivate: false,
    });
    const ended = expect(silent).rejects.toMatchObject({ code: 'build-failed', kind: 'transient' });
    await vi.advanceTimersByTimeAsync(5_000);
    await ended;
  });

  it('is asked of the host itself, which says nothing of what it does not know', async () => {
    expect((await lookUp('localhost')).every((one) => nearness(one) === 'machine')).toBe(true);
    expect(await lookUp('nobody.invalid')).toEqual([]);
  });
});
