import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectEngine } from '../../src/adapters/engine.ts';
import { type EngineProxy, startEngineProxy } from '../support/engine-proxy.ts';

let home: string;
let proxy: EngineProxy;
beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'treehouse-proxy-'));
  proxy = await startEngineProxy(home);
});
afterAll(async () => {
  await proxy?.stop();
  await rm(home, { recursive: true, force: true });
});

/** A container and an image that no engine has: what is let through is told so by the engine itself. */
const C = 'treehouse-none';

interface Asked {
  readonly status: number;
  readonly body: string;
}

function ask(to: string, method: string, target: string, body?: string, headers: Record<string, string> = {}) {
  return new Promise<Asked>((done, failed) => {
    const [host, port] = to.split(':');
    const said =
      body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const asked = request(
      { host, port, method, path: target, headers: { ...said, ...headers }, agent: false },
      (response) => {
        response.setEncoding('utf8');
        let text = '';
        // Events have no end.
        if (target.startsWith('/events')) asked.destroy();
        response.on('data', (piece: string) => {
          text += piece;
        });
        response.once('close', () => done({ status: response.statusCode ?? 0, body: text }));
      },
    );
    asked.once('error', failed);
    asked.end(body);
  });
}

/** The engine says its version in every answer of its own. */
const refuses = ({ status, body }: Asked) => status === 403 && body.includes('docker-socket-proxy');

const READS = [
  'GET /_ping',
  'HEAD /_ping',
  'GET /version',
  'GET /v1.45/info',
  'GET /events?until=1',
  'GET /containers/json?all=true',
  `GET /containers/${C}/json`,
  `GET /v1.45/containers/${C}/json?size=true`,
  `GET /containers/${C}/logs?stdout=true&follow=true`,
  `GET /containers/${C}/stats?stream=false`,
  `GET /containers/${C}/top?ps_args=-eo%20pid,ppid,comm`,
  'GET /images/json',
  `GET /images/127.0.0.1:5000/acme/shop/${C}:1/json`,
  `GET /images/${C}/history`,
  'GET /networks?filters=%7B%7D',
  `GET /networks/${C}`,
  'GET /volumes',
  `GET /volumes/${C}`,
];

const WORKS = [
  'GET /system/df?type=build-cache',
  'GET /exec/0a/json',
  `GET /images/${C}/get`,
  'POST /containers/create?name=x {"Image":"treehouse-none","HostConfig":{"Memory":9000000}}',
  `POST /containers/${C}/start`,
  `POST /containers/${C}/stop?t=1`,
  `POST /containers/${C}/pause`,
  `POST /containers/${C}/unpause`,
  `POST /containers/${C}/wait`,
  `POST /containers/${C}/update {"CpuShares":2}`,
  `POST /containers/${C}/exec {"Cmd":["true"]}`,
  `DELETE /containers/${C}?force=true&v=true`,
  'POST /exec/0a/start {"Detach":true}',
  'POST /exec/0a/resize?w=80&h=24',
  `POST /networks/${C}/connect {"Container":"x","EndpointConfig":{"Aliases":["a"]}}`,
  `POST /networks/${C}/disconnect {"Container":"x","Force":true}`,
  `DELETE /networks/${C}`,
  'POST /volumes/create {"Name":"/"}',
  `DELETE /volumes/${C}`,
  `POST /images/${C}/tag?repo=a&tag=b`,
  `POST /images/${C}/push?tag=b`,
  `DELETE /images/${C}`,
];

const NOBODY = [
  'POST /auth {}',
  'POST /commit?container=x',
  'GET /distribution/x/json',
  `GET /containers/${C}/archive?path=/etc`,
  `PUT /containers/${C}/archive?path=/`,
  `HEAD /containers/${C}/archive?path=/`,
  `GET /containers/${C}/export`,
  `GET /containers/${C}/changes`,
  `GET /containers/${C}/attach/ws`,
  `POST /containers/${C}/attach?stream=1`,
  `POST /containers/${C}/rename?name=x`,
  `POST /containers/${C}/kill`,
  `POST /containers/${C}/restart`,
  `GET /containers/${C}/top?ps_args=axe`,
  `GET /containers/${C}/top`,
  'POST /containers/prune',
  'POST /images/prune',
  'POST /images/load',
  'GET /images/get?names=x',
  'POST /images/create?fromSrc=http://a/b.tar',
  'POST /build?remote=http://a/b.tar',
  'POST /build?%72emote=http://a/b.tar',
  'POST /build?networkmode=host',
  'POST /build/cancel?id=x',
  'GET /swarm',
  'POST /swarm/init {}',
  'GET /secrets',
  'GET /configs',
  'GET /services',
  'GET /plugins',
  'POST /plugins/pull?remote=x',
  'GET /debug/pprof/',
  'GET /containers/x/../json',
  'GET /containers//json',
  'GET /images/..%2f..%2fswarm/json',
  'OPTIONS /containers/json',
];

const SAYS = (more: string) => `POST /containers/create {"Image":"treehouse-none",${more}}`;
const BODIES = [
  SAYS('"HostConfig":{"Privileged":true}'),
  SAYS('"HostConfig":{"privileged" : true}'),
  SAYS('"HostConfig":{"\\u0050rivileged":true}'),
  SAYS('"HostConfig":{"Bindſ":["/:/host"]}'),
  SAYS('"HostConfig":{"Binds":["/:/host"]}'),
  SAYS('"HostConfig":{"Mounts":[{"Type":"bind","Source":"/","Target":"/host"}]}'),
  SAYS('"HostConfig":{"Mounts":[{"Type":"bind","Source":"/var/run/docker.sock","Target":"/s"}]}'),
  SAYS('"HostConfig":{"Mounts":[{"Type":"bind","Source":"HOME/../..","Target":"/s"}]}'),
  SAYS('"HostConfig":{"Mounts":[{"Type":"bind","Source":"HOMEelse/x","Target":"/s"}]}'),
  SAYS('"HostConfig":{"NetworkMode":"host"}'),
  SAYS('"HostConfig":{"NetworkMode":"container:x"}'),
  SAYS('"HostConfig":{"PidMode":"host"}'),
  SAYS('"HostConfig":{"CgroupParent":"/"}'),
  SAYS('"HostConfig":{"SecurityOpt":["seccomp=unconfined"]}'),
  SAYS('"HostConfig":{"PortBindings":{"80/tcp":[{}]}}'),
  SAYS('"HostConfig":{"VolumesFrom":["x"]}'),
  SAYS(`"Env":["A=${'a'.repeat(300_000)}"]`),
  `POST /containers/${C}/exec {"Cmd":["true"],"Privileged":true}`,
  'POST /volumes/create {"Name":"x","DriverOpts":{"type":"none","o":"bind","device":"/"}}',
  'POST /networks/create {"Name":"x","Driver":"macvlan"}',
];

const LET_THROUGH = [
  SAYS('"HostConfig":{"Mounts":[{"Type":"bind","Source":"HOME/builds/x","Target":"/s","ReadOnly":true}]}'),
  SAYS('"HostConfig":{"Mounts":[{"Type":"bind","Source":"/run/treehouse-0/abc/x","Target":"/s","ReadOnly":true}]}'),
  SAYS('"HostConfig":{"Mounts":[{"Type":"volume","Source":"th-x","Target":"/s"}]}'),
  SAYS('"Env":["A=\\"Privileged\\": true","B=\\\\u0050","C=straße ſ","D=/../"]'),
];

function asked(line: string, to: string): Promise<Asked> {
  const [, method = '', target = '', body] = /^(\S+) (\S+)(?: (.*))?$/.exec(line.replaceAll('HOME', home)) ?? [];
  return ask(to, method, target, body);
}

const titled = (line: string): [string, string] => [line.slice(0, 100), line];

describe('the door to the engine', () => {
  it.each(READS)('lets serve and worker ask: %s', async (line) => {
    for (const to of [proxy.reads, proxy.works]) expect(await asked(line, to)).not.toSatisfy(refuses);
  });

  it.each(WORKS)('lets the worker alone: %s', async (line) => {
    expect(await asked(line, proxy.works)).not.toSatisfy(refuses);
    expect(await asked(line, proxy.reads)).toSatisfy(refuses);
  });

  it.each(NOBODY)('lets nobody: %s', async (line) => {
    for (const to of [proxy.reads, proxy.works]) {
      const answer = await asked(line, to);
      if (!line.startsWith('HEAD')) expect(answer).toSatisfy(refuses);
      expect(answer.status).toBe(403);
    }
  });

  it.each(BODIES.map(titled))('lets nobody make what reaches out to the host: %s', async (_, line) => {
    expect(await asked(line, proxy.works)).toSatisfy(refuses);
  });

  it.each(LET_THROUGH.map(titled))('lets the worker make what a preview is: %s', async (_, line) => {
    // It looks for what is mounted first, and then for the image.
    const answer = await asked(line, proxy.works);
    expect(answer.body).toMatch(/No such image|bind source path does not exist/);
  });

  it('refuses a body in pieces, and a form', async () => {
    const body = '{"Image":"treehouse-none"}';
    const pieces = { 'transfer-encoding': 'chunked', 'content-type': 'application/json' };
    expect(await ask(proxy.works, 'POST', '/containers/create', undefined, pieces)).toSatisfy(refuses);
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    expect(await ask(proxy.works, 'POST', '/images/create', 'fromSrc=http://a/b.tar', form)).toSatisfy(refuses);
    expect(await ask(proxy.works, 'POST', '/containers/create', body)).not.toSatisfy(refuses);
  });

  it('lets go of what nobody reads any more', async () => {
    const own = await startEngineProxy(home);
    try {
      const before = await own.open();
      const events = (await connectEngine(`tcp://${own.reads}`).getEvents({})) as unknown as Readable;
      await expect.poll(() => own.open()).toBeGreaterThan(before);
      events.destroy();
      await expect.poll(() => own.open(), { timeout: 10_000 }).toBeLessThanOrEqual(before);
    } finally {
      await own.stop();
    }
  });

  it('says in the engine’s own form what it refused, and keeps it in its log', async () => {
    const answer = await asked('POST /swarm/init?x=1 {}', proxy.works);
    expect(JSON.parse(answer.body)).toEqual({
      message: expect.stringMatching(/^docker-socket-proxy: works may not POST \/swarm\/init: .*engine-proxy\.cfg/),
    });
    await expect.poll(() => proxy.refused).toContain('works refused: POST /swarm/init?x=1');
    expect(proxy.refused.some((line) => line.includes('/_ping'))).toBe(false);
  });
});
