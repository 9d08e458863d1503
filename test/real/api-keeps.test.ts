/** What the API keeps: tokens and the audit trail in the home, answers by Idempotency-Key in a real Redis. */
import { appendFile, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { issueToken, tokenKnower } from '../../src/access/issue.ts';
import { redisReplays } from '../../src/adapters/redis-replays.ts';
import { tokenFiles } from '../../src/adapters/token-files.ts';
import { trailFiles } from '../../src/adapters/trail-files.ts';
import { repositoryName } from '../../src/domain/names.ts';
import { redisConnections } from '../../src/queue/redis.ts';
import { failureOf } from '../support/failure.ts';
import { keptLog } from '../support/log.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let home: string;
let redis: TestRedis;
beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'treehouse-api-'));
  redis = await startRedis();
});
afterAll(async () => {
  await redis.close();
  await rm(home, { recursive: true, force: true });
});

it('keeps tokens by their hash alone, for their owner alone', async () => {
  const tokens = tokenFiles(home);
  const clock = { now: () => 1_000 };
  expect(await tokens.all()).toEqual([]);
  const wanted = { name: 'CI', role: 'reader' as const, repositories: [repositoryName('acme/shop')], expiresAt: 2_000 };
  const { token, record } = await issueToken({ tokens, clock }, wanted);
  const file = path.join(home, 'tokens', `${record.id}.json`);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(path.dirname(file))).mode & 0o777).toBe(0o700);
  expect(await readFile(file, 'utf8')).not.toContain(token.slice(-43));
  // Another process finds it.
  const others = tokenFiles(home);
  expect(await others.all()).toEqual([record]);
  const whose = (now: number) => tokenKnower({ tokens: others, clock: { now: () => now }, adminToken: 'own' });
  expect(await whose(1_999)(token)).toMatchObject({ name: 'CI', role: 'reader' });
  expect(await whose(2_000)(token)).toBeUndefined();
  expect(await whose(1_999)(`${token.slice(0, -1)}x`)).toBeUndefined();
  expect(await others.find('../../x')).toBeUndefined();
  expect([await others.remove(record.id), await others.remove(record.id)]).toEqual([true, false]);
  expect(await readdir(path.dirname(file))).toEqual([]);
});

it('says which token cannot be read', async () => {
  const tokens = tokenFiles(home);
  await appendFile(path.join(home, 'tokens', 'brokenid.json'), '{"id":');
  expect((await failureOf(tokens.all())).message).toContain('reading the token brokenid failed');
});

it('adds to the audit trail, and reads it newest first, over months and past half a line', async () => {
  const trail = trailFiles(home);
  expect(await trail.read({ count: 10 })).toEqual([]);
  const entry = (at: string) => ({
    at: Date.parse(at),
    who: 'ada',
    token: 'a1b2c3d4',
    act: 'pin',
    to: 'main--shop',
    status: 202,
  });
  const entries = ['2026-10-31T23:00:00Z', '2026-11-01T00:00:00Z', '2026-11-02T00:00:00Z'].map(entry);
  await Promise.all(entries.map((one) => trail.note(one)));
  await appendFile(path.join(home, 'trail', '2026-11.jsonl'), '{"at":17');
  expect(await trail.read({ count: 2 })).toEqual([entries[2], entries[1]]);
  expect(await trail.read({ count: 2, before: Date.parse('2026-11-01T00:00:00Z') })).toEqual([entries[0]]);
  expect((await stat(path.join(home, 'trail', '2026-11.jsonl'))).mode & 0o777).toBe(0o600);
});

it('does a request once by its key', async () => {
  const replays = redisReplays({ redis: redisConnections(redis.url, keptLog().log), prefix: 'replays' });
  expect(await replays.claim('a', 'f')).toBe('mine');
  expect(await replays.claim('a', 'f')).toBe('busy');
  expect(await replays.claim('a', 'other')).toBe('other');
  await replays.keep('a', { status: 202, body: { hinted: 'x' } });
  expect(await replays.claim('a', 'f')).toEqual({ status: 202, body: { hinted: 'x' } });
  expect(await replays.claim('b', 'f')).toBe('mine');
  await replays.release('b');
  expect(await replays.claim('b', 'f')).toBe('mine');
  replays.close();
});
