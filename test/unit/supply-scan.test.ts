/** Scanners by their documented reports: programs that replay them, and a Clair that speaks HTTP. */
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runProcess } from '../../src/adapters/run-process.ts';
import type { Finding, ScanSettings, ScanTarget } from '../../src/domain/supply.ts';
import { relevant, summary } from '../../src/supply/findings.ts';
import { readClair, readGrype, readReport, readTrivy } from '../../src/supply/reports.ts';
import { createScanner } from '../../src/supply/scan.ts';
import { CLAIR, GRYPE, TRIVY } from '../support/scanner-reports.ts';

const SETTINGS: ScanSettings = {
  ...{ by: 'trivy', mode: 'gate', severity: 'high', ignoreUnfixed: false, timeoutMs: 10_000 },
};
const never = new AbortController().signal;

describe('reports', () => {
  it('of Trivy', () => {
    expect(readTrivy(TRIVY)).toHaveLength(4);
    expect(readTrivy(TRIVY)[0]).toEqual({
      id: 'CVE-2021-28831',
      package: 'busybox',
      version: '1.31.1-r21',
      fixedIn: '1.32.1-r4',
      severity: 'high',
      title: 'busybox: invalid free or segmentation fault via malformed gzip data',
      url: 'https://avd.aquasec.com/nvd/cve-2021-28831',
    });
    expect(readTrivy({ SchemaVersion: 2, ArtifactName: 'scratch' })).toEqual([]);
  });

  it('of Grype', () => {
    const [one, two] = readGrype(GRYPE);
    expect(one).toEqual({
      id: 'CVE-2022-37434',
      package: 'zlib1g',
      version: '1:1.2.11.dfsg-2',
      fixedIn: '1:1.2.11.dfsg-2+deb11u2',
      severity: 'critical',
      title: 'zlib: heap-based over-read',
      url: 'https://security-tracker.debian.org/tracker/CVE-2022-37434',
    });
    expect(two).toMatchObject({ fixedIn: undefined, severity: 'medium', title: 'Prototype pollution in lodash' });
  });

  it('of Clair', () => {
    const [one, two] = readClair(CLAIR);
    expect(one).toMatchObject({ id: 'CVE-2009-5155', package: 'glibc', fixedIn: '2.28-0ubuntu1', severity: 'high' });
    expect(one?.url).toBe('https://cve.mitre.org/cgi-bin/cvename.cgi?name=CVE-2009-5155');
    expect(two).toMatchObject({ severity: 'negligible', fixedIn: undefined, url: undefined });
  });

  it.each([
    [readTrivy, ''],
    [readTrivy, '{}'],
    [readTrivy, '[]'],
    [readTrivy, '{"SchemaVersion":2,"ArtifactName":"x","Results":[{"Vulnerabilities":[{}]}]}'],
    [readTrivy, 'FATAL no such image'],
    [readGrype, '{"descriptor":{"name":"grype"}}'],
    [readClair, '{"packages":{}}'],
    [readClair, JSON.stringify({ ...CLAIR, package_vulnerabilities: { '10': ['gone'] } })],
    [readClair, JSON.stringify({ ...CLAIR, package_vulnerabilities: { '10': ['__proto__'] } })],
  ])('%o of %j found nothing out, rather than nothing', (read, body) => {
    expect(() => readReport(read, body)).toThrow();
  });
});

describe('findings', () => {
  const all = readTrivy(TRIVY);
  it('count by severity and fix, the worst first, each once', () => {
    const ids = (findings: readonly Finding[]) => findings.map((one) => one.id);
    expect(ids(relevant([...all, ...all], SETTINGS))).toEqual(['CVE-2022-37434', 'CVE-2021-28831', 'CVE-2023-0001']);
    expect(ids(relevant(all, { severity: 'low', ignoreUnfixed: true }))).toEqual(['CVE-2022-37434', 'CVE-2021-28831']);
    expect(ids(relevant(all, { severity: 'critical', ignoreUnfixed: false }))).toEqual(['CVE-2022-37434']);
  });

  it('in one line', () => {
    expect(summary([])).toBe('nothing found');
    expect(summary(relevant(all, SETTINGS))).toBe(
      '1 critical, 2 high: CVE-2022-37434 in zlib 1.2.11-r3 (fixed in 1.2.12-r2), ' +
        'CVE-2021-28831 in busybox 1.31.1-r21 (fixed in 1.32.1-r4), CVE-2023-0001 in musl 1.1 (no fix yet)',
    );
  });
});

describe('scanners by command', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'treehouse-scan-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** A program of that name first in PATH, which notes how it was called. */
  async function program(name: string, script: string): Promise<string> {
    const file = path.join(folder, name);
    await writeFile(file, `#!/bin/sh\nprintf '%s\\n' "$@" >${folder}/argv\nenv >${folder}/env\n${script}\n`);
    await chmod(file, 0o755);
    return file;
  }
  const scan = (settings: Partial<ScanSettings>, signal = never) =>
    createScanner({
      run: runProcess,
      cache: path.join(folder, 'cache'),
      path: `${folder}:/usr/bin:/bin`,
      dockerHost: 'unix:///run/x.sock',
    })(
      { ...SETTINGS, ...settings },
      { reference: 'r/web:1', publish: () => Promise.reject(new Error('not asked')) },
      signal,
    );
  const replaying = async (name: string, report: unknown) => {
    await writeFile(path.join(folder, `${name}.json`), JSON.stringify(report));
    return program(name, `echo "some progress" >&2; cat ${folder}/${name}.json`);
  };
  const argv = async () => (await readFile(path.join(folder, 'argv'), 'utf8')).trim().split('\n');

  it('Trivy, in a clean environment', async () => {
    await replaying('trivy', TRIVY);
    expect(await scan({})).toHaveLength(4);
    expect(await argv()).toEqual(['image', '--format', 'json', '--quiet', '--scanners', 'vuln', 'r/web:1']);
    const env = await readFile(path.join(folder, 'env'), 'utf8');
    expect(env).toContain(`TRIVY_CACHE_DIR=${folder}/cache/trivy`);
    expect(env).toContain('DOCKER_HOST=unix:///run/x.sock');
    expect(env).not.toMatch(/VITEST|NODE_|npm_/);
  });

  it('Grype', async () => {
    await replaying('grype', GRYPE);
    expect(await scan({ by: 'grype' })).toHaveLength(2);
    expect(await argv()).toEqual(['docker:r/web:1', '--output', 'json', '--quiet']);
  });

  it('a program elsewhere, and a command of its own', async () => {
    const file = await replaying('other', TRIVY);
    await scan({ command: [file] });
    expect((await argv()).at(-1)).toBe('r/web:1');
    await scan({ command: [file, 'client', '--server=http://x', '{image}'] });
    expect(await argv()).toEqual(['client', '--server=http://x', 'r/web:1']);
  });

  it.each([
    ['missing', undefined, 'trivy did not work: scanning r/web:1 failed: nowhere image could not be started (ENOENT)'],
    ['broken', 'echo "FATAL no database" >&2; exit 1', '(FATAL no database)'],
    ['silent', 'exit 0', 'it said nothing'],
    ['no JSON', 'echo "all good"', 'its report is not JSON'],
    ['another form', 'echo "{}"', 'its report has not the documented form'],
  ])('%s is an error that says so', async (name, script, message) => {
    const command = script === undefined ? ['nowhere'] : [await program(name.replace(' ', '-'), script)];
    const failed = scan({ command });
    await expect(failed).rejects.toMatchObject({ code: 'build-failed' });
    await expect(failed).rejects.toThrow(message);
  });

  it('too slow is an error, to be tried again', async () => {
    const command = [await program('slow', 'exec sleep 20')];
    const failed = scan({ command, timeoutMs: 200 });
    await expect(failed).rejects.toMatchObject({ code: 'build-failed', kind: 'transient' });
  });

  it('ends with the build', async () => {
    const over = new AbortController();
    const command = [await program('long', 'exec sleep 20')];
    const failed = scan({ command }, over.signal);
    setTimeout(() => over.abort(new Error('a newer commit')), 100);
    await expect(failed).rejects.toThrow('a newer commit');
  });
});

describe('Clair', () => {
  const DIGEST = CLAIR.manifest_hash;
  const layers = ['b', 'c'].map((char) => ({ digest: `sha256:${char.repeat(64)}`, size: 1 }));
  let answers: Record<string, [status: number, body: unknown][]>;
  let asked: { line: string; body: string }[];
  let isGone: boolean;
  let origin: string;
  const server = createServer(async (request, response) => {
    const line = `${request.method} ${request.url}`;
    asked.push({ line, body: await bodyOf(request) });
    const list = answers[line] ?? [[404, { code: 'not-found' }]];
    const [status, body] = (list.length > 1 ? list.shift() : list[0]) ?? [500, ''];
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server.close());
  beforeEach(() => {
    asked = [];
    isGone = false;
    answers = {
      [`GET /v2/acme/shop/web/manifests/${DIGEST}`]: [[200, { schemaVersion: 2, layers }]],
      'POST /indexer/api/v1/index_report': [[201, { manifest_hash: DIGEST, state: 'IndexFinished', success: true }]],
      // 202: the matcher still reads its database.
      [`GET /matcher/api/v1/vulnerability_report/${DIGEST}`]: [
        [202, ''],
        [200, CLAIR],
      ],
    };
  });

  const scan = (settings: Partial<ScanSettings> = {}) => {
    const target: ScanTarget = {
      reference: 'r/web:1',
      async publish(use) {
        try {
          return await use({ registry: origin.replace('http://', ''), path: 'acme/shop/web', digest: DIGEST });
        } finally {
          isGone = true;
        }
      },
    };
    const scanner = createScanner({ run: runProcess, cache: '/nonexistent', path: '', dockerHost: undefined });
    return scanner({ ...SETTINGS, by: 'clair', url: origin, ...settings }, target, never);
  };

  it('is given the layers and asked for its report', async () => {
    expect((await scan()).map((one) => one.id)).toEqual(['CVE-2009-5155', 'CVE-2019-1']);
    expect(asked.map((one) => one.line)).toEqual([
      `GET /v2/acme/shop/web/manifests/${DIGEST}`,
      'POST /indexer/api/v1/index_report',
      `GET /matcher/api/v1/vulnerability_report/${DIGEST}`,
      `GET /matcher/api/v1/vulnerability_report/${DIGEST}`,
    ]);
    expect(JSON.parse(asked[1]?.body ?? '')).toEqual({
      hash: DIGEST,
      layers: layers.map(({ digest }) => ({
        ...{ hash: digest, uri: `${origin}/v2/acme/shop/web/blobs/${digest}`, headers: {} },
      })),
    });
    expect(isGone).toBe(true);
  });

  it('may reach the registry by another address', async () => {
    await scan({ registryUrl: 'http://registry:5000' });
    expect(asked[1]?.body).toContain('"http://registry:5000/v2/acme/shop/web/blobs/');
  });

  it.each<[string, [number, unknown], string, string]>([
    ['POST /indexer/api/v1/index_report', [400, { message: 'no' }], 'indexing was answered with 400', 'terminal'],
    ['POST /indexer/api/v1/index_report', [500, { message: 'no' }], 'indexing was answered with 500', 'transient'],
    [
      'POST /indexer/api/v1/index_report',
      [201, { state: 'IndexError', success: false, err: 'failed to fetch layers' }],
      'indexing ended as IndexError: failed to fetch layers',
      'terminal',
    ],
    [`GET /matcher/api/v1/vulnerability_report/${DIGEST}`, [404, {}], 'the report was answered with 404', 'terminal'],
    [`GET /matcher/api/v1/vulnerability_report/${DIGEST}`, [200, {}], 'not the documented form', 'terminal'],
    [`GET /v2/acme/shop/web/manifests/${DIGEST}`, [404, {}], 'reading the manifest was answered with 404', 'terminal'],
  ])('%s answering %j is an error that says so', async (line, answer, message, kind) => {
    answers[line] = [answer];
    await expect(scan()).rejects.toThrow(message);
    await expect(scan()).rejects.toMatchObject({ code: 'build-failed', kind });
    expect(isGone).toBe(true);
  });

  it('away, or without an answer in time, it is tried again later', async () => {
    await expect(scan({ url: 'http://127.0.0.1:9' })).rejects.toMatchObject({
      code: 'build-failed',
      kind: 'transient',
    });
    answers[`GET /matcher/api/v1/vulnerability_report/${DIGEST}`] = [[202, '']];
    const late = scan({ timeoutMs: 150 });
    await expect(late).rejects.toThrow('clair did not work: no answer within 0.15 s');
    await expect(late).rejects.toMatchObject({ kind: 'transient' });
  });
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
}
