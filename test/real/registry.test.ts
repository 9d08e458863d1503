import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRegistry } from '../../src/adapters/registry.ts';
import { runProcess } from '../../src/adapters/run-process.ts';
import type { Registry } from '../../src/domain/ports.ts';
import { type EmbeddedRegistry, startRegistry } from '../../src/embedded/registry.ts';
import { failureOf } from '../support/failure.ts';

const searchPath = process.env.PATH ?? '';
const DOCKER = 'application/vnd.docker.distribution.manifest.v2+json';
const OCI = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
let home: string;
let server: EmbeddedRegistry;
let registry: Registry;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'treehouse-registry-'));
  server = await startRegistry({ home, searchPath });
  registry = createRegistry({ address: server.address });
});
afterAll(async () => {
  await server?.stop();
  await rm(home, { recursive: true, force: true });
});

function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function pushBlob(path: string, bytes: Uint8Array): Promise<{ digest: string; size: number }> {
  const digest = digestOf(bytes);
  const begun = await fetch(`http://${server.address}/v2/${path}/blobs/uploads/`, { method: 'POST' });
  const url = new URL(begun.headers.get('location') ?? '', `http://${server.address}`);
  url.searchParams.set('digest', digest);
  const headers = { 'content-type': 'application/octet-stream' };
  expect((await fetch(url, { method: 'PUT', headers, body: bytes })).status).toBe(201);
  return { digest, size: bytes.length };
}

async function pushManifest(path: string, tag: string, type: string, manifest: object): Promise<string> {
  const body = JSON.stringify({ schemaVersion: 2, mediaType: type, ...manifest });
  const url = `http://${server.address}/v2/${path}/manifests/${tag}`;
  const answer = await fetch(url, { method: 'PUT', headers: { 'content-type': type }, body });
  expect(answer.status, await answer.text()).toBe(201);
  return digestOf(body);
}

/** Pushes as a client does: the layer, the configuration, the manifest. */
async function pushImage(path: string, tag: string, content: string, type = DOCKER): Promise<string> {
  const oci = type === OCI;
  const config = await pushBlob(path, Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', content })));
  const layer = await pushBlob(path, Buffer.from(`layer ${content}`));
  const base = oci ? 'application/vnd.oci.image' : 'application/vnd.docker';
  return pushManifest(path, tag, type, {
    config: { mediaType: oci ? `${base}.config.v1+json` : `${base}.container.image.v1+json`, ...config },
    layers: [{ mediaType: oci ? `${base}.layer.v1.tar+gzip` : `${base}.image.rootfs.diff.tar.gzip`, ...layer }],
  });
}

async function serving<T>(
  listener: Parameters<typeof createServer>[1],
  act: (address: string) => Promise<T>,
): Promise<T> {
  const http: Server = createServer(listener ?? (() => {}));
  await new Promise<void>((resolve) => void http.listen(0, '127.0.0.1', resolve));
  const address = http.address();
  try {
    return await act(`127.0.0.1:${typeof address === 'object' ? address?.port : 0}`);
  } finally {
    http.closeAllConnections();
    http.close();
  }
}

describe('an image', () => {
  it('is listed, looked up and removed, and removing it again does nothing', async () => {
    const digest = await pushImage('acme/shop/web', 'one', 'first');
    const second = await pushImage('acme/shop/web', 'two', 'second');
    expect([...(await registry.tags('acme/shop/web'))].sort()).toEqual(['one', 'two']);
    expect(await registry.digest('acme/shop/web', 'one')).toBe(digest);
    expect(await registry.paths()).toContain('acme/shop/web');
    await registry.remove('acme/shop/web', 'one');
    await registry.remove('acme/shop/web', 'one');
    expect(await registry.tags('acme/shop/web')).toEqual(['two']);
    expect(await registry.digest('acme/shop/web', 'one')).toBeUndefined();
    expect(await registry.digest('acme/shop/web', 'two')).toBe(second);
    await registry.remove('acme/shop/web', 'two');
    expect(await registry.tags('acme/shop/web')).toEqual([]);
    expect(await registry.paths()).not.toContain('acme/shop/web');
  });

  it.each([DOCKER, OCI])('tells its labels (%s)', async (type) => {
    const path = `acme/labels-${type === OCI ? 'oci' : 'docker'}`;
    const bytes = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', config: { Labels: { a: 'b' } } }));
    const config = { mediaType: 'application/vnd.oci.image.config.v1+json', ...(await pushBlob(path, bytes)) };
    await pushManifest(path, 'labelled', type, { config, layers: [] });
    await pushImage(path, 'bare', 'x', type);
    expect(await registry.labels(path, 'labelled')).toEqual({ a: 'b' });
    expect(await registry.labels(path, 'bare')).toEqual({});
    expect(await registry.labels(path, 'none')).toBeUndefined();
  });

  it.each([DOCKER, OCI])('stays for the other tags that name the same digest (%s)', async (type) => {
    const path = `acme/shared-${type === OCI ? 'oci' : 'docker'}`;
    const digest = await pushImage(path, 'mine', 'same', type);
    expect(await pushImage(path, 'theirs', 'same', type)).toBe(digest);
    await registry.remove(path, 'mine');
    expect(await registry.tags(path)).toEqual(['theirs']);
    expect(await registry.digest(path, 'theirs')).toBe(digest);
    await registry.remove(path, 'theirs');
    expect(await registry.tags(path)).toEqual([]);
  });

  it('may be an index', async () => {
    const child = await pushImage('acme/multi', 'child', 'child', OCI);
    const body = {
      manifests: [{ mediaType: OCI, digest: child, size: 1, platform: { architecture: 'amd64', os: 'linux' } }],
    };
    const digest = await pushManifest('acme/multi', 'all', INDEX, body);
    expect(await registry.digest('acme/multi', 'all')).toBe(digest);
    await registry.remove('acme/multi', 'all');
    expect(await registry.tags('acme/multi')).toEqual(['child']);
  });

  it('that was never there has no tags and no digest', async () => {
    expect(await registry.tags('acme/none')).toEqual([]);
    expect(await registry.digest('acme/none', 'x')).toBeUndefined();
    await registry.remove('acme/none', 'x');
  });

  it('comes from docker push as well', async () => {
    const env = { PATH: searchPath, HOME: home };
    const docker = async (args: string[], input?: string | Uint8Array) =>
      runProcess({
        command: 'docker',
        args,
        env,
        timeoutMs: 60_000,
        signal: new AbortController().signal,
        ...(input === undefined ? {} : { input }),
      });
    const image = `${server.address}/acme/pushed:${randomBytes(4).toString('hex')}`;
    // An empty tar is an image of one empty layer.
    await docker(['import', '-', image], Buffer.alloc(10_240));
    try {
      await docker(['push', '--quiet', image]);
      const tag = image.slice(image.lastIndexOf(':') + 1);
      expect(await registry.tags('acme/pushed')).toEqual([tag]);
      const told = await docker(['image', 'inspect', '--format', '{{index .RepoDigests 0}}', image]);
      expect(told.stdout.trim()).toBe(`${server.address}/acme/pushed@${await registry.digest('acme/pushed', tag)}`);
      await registry.remove('acme/pushed', tag);
      expect(await registry.tags('acme/pushed')).toEqual([]);
    } finally {
      await docker(['image', 'rm', '--force', image]);
    }
  });
});

describe('a registry', () => {
  it('is read page by page', async () => {
    await serving(
      (request, response) => {
        const last = new URL(request.url ?? '', 'http://x').searchParams.get('last');
        response.setHeader('content-type', 'application/json');
        if (last !== 'b')
          response.setHeader('link', `</v2/acme/x/tags/list?n=2&last=${last === null ? 'a' : 'b'}>; rel="next"`);
        response.end(JSON.stringify({ tags: [last === null ? '1' : last === 'a' ? '2' : '3'] }));
      },
      async (address) => {
        expect(await createRegistry({ address }).tags('acme/x')).toEqual(['1', '2', '3']);
      },
    );
  });

  it('pages through its own catalogue', async () => {
    for (let index = 0; index < 3; index++) await pushImage(`many/p${index}`, 'x', `${index}`);
    expect((await registry.paths()).filter((path) => path.startsWith('many/'))).toEqual([
      'many/p0',
      'many/p1',
      'many/p2',
    ]);
  });

  it('that is away, slow, broken or forbids deleting is named, transiently', async () => {
    const gone = await serving(undefined, async (address) => address);
    const away = await failureOf(createRegistry({ address: gone }).tags('acme/x'));
    expect(away).toMatchObject({ code: 'push-failed', kind: 'transient' });
    expect(away.message).toBe(`listing the tags of acme/x at the registry ${gone} failed: nothing listens there`);
    await serving(
      () => {},
      async (address) => {
        const slow = await failureOf(createRegistry({ address, timeoutMs: 200 }).digest('acme/x', 'y'));
        expect(slow.message).toContain(`${address} failed: no answer within 0.2 s`);
      },
    );
    await serving(
      (request, response) => {
        response.statusCode = request.method === 'DELETE' ? 405 : 200;
        response.setHeader('docker-content-digest', `sha256:${'0'.repeat(64)}`);
        response.end(request.method === 'HEAD' ? '' : '{"tags":["y"]}');
      },
      async (address) => {
        const refused = await failureOf(createRegistry({ address }).remove('acme/x', 'y'));
        expect(refused.message).toContain('it answered 405');
      },
    );
  });

  it('is never asked for anything outside /v2/', async () => {
    expect((await failureOf(registry.tags('../../x'))).message).toContain('is not a path of the registry');
    expect((await failureOf(registry.tags('http://127.0.0.1:9/v2/x'))).code).toBe('push-failed');
  });
});
