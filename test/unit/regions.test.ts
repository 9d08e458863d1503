import { describe, expect, it } from 'vitest';
import type { StreamEvent } from '../../src/api/stream.ts';
import { createHub } from '../../src/dashboard/hub.ts';
import { h } from '../../src/dashboard/markup.ts';
import { merged } from '../../src/dashboard/merge.ts';
import { changes, keyOf, type Region } from '../../src/dashboard/regions.ts';
import type { PreviewId } from '../../src/domain/names.ts';
import { TreehouseError } from '../../src/errors.ts';

const ID = 'main--shop' as PreviewId;
const region = (id: string, key: string, within?: string): Region => ({
  ...{ id, key, ...(within === undefined ? {} : { within }) },
  draw: (alone) => h('p', { id, 'data-alone': alone }, key),
});

async function next(frames: AsyncGenerator<StreamEvent>): Promise<string> {
  return (await frames.next()).value?.text ?? 'ended';
}

describe('an open page', () => {
  it('is sent what is another than it was drawn with, and then what changes', async () => {
    const over = new AbortController();
    const hub = createHub(1);
    let now = [region('a', '1'), region('list', '1'), region('row', '1', 'list')];
    const frames = changes(hub, over.signal, 'drawn before', async () => now);
    expect(await next(frames)).toBe('<p id="a" data-alone>1</p><p id="list" data-alone>1</p>');
    now = [region('a', '1'), region('list', '1'), region('row', '2', 'list')];
    hub.touch(ID);
    expect(await next(frames)).toBe('<p id="row" data-alone>2</p>');
    // What holds it is sent whole, so it is not sent beside it.
    now = [region('a', '2'), region('list', '2'), region('row', '3', 'list')];
    hub.touch(ID);
    expect(await next(frames)).toBe('<p id="a" data-alone>2</p><p id="list" data-alone>2</p>');
    over.abort();
    expect(await next(frames)).toBe('ended');
    expect(hub.listeners()).toBe(0);
  });

  it('is sent nothing where nothing is another, and misses nothing meanwhile', async () => {
    const over = new AbortController();
    const hub = createHub(1);
    let now = [region('a', '1')];
    const looks: number[] = [];
    const frames = changes(hub, over.signal, keyOf(now), async (changed) => {
      looks.push(changed.size);
      // Something happens while it is looked at.
      if (looks.length === 1) {
        now = [region('a', '2')];
        hub.touch(ID);
        return [region('a', '1')];
      }
      return now;
    });
    expect(await next(frames)).toBe('<p id="a" data-alone>2</p>');
    expect(looks).toEqual([0, 1]);
    over.abort();
  });

  it('hears of many changes at once, however many there were', async () => {
    const over = new AbortController();
    const hub = createHub(1);
    const listening = hub.listen(over.signal);
    for (let count = 0; count < 10_000; count += 1) hub.touch(`b${count % 3}--shop` as PreviewId);
    expect((await listening.next()).value?.size).toBe(3);
    hub.touch(ID);
    expect(await listening.next()).toEqual({ done: false, value: new Set([ID]) });
    over.abort();
  });

  it('outlasts an outage, and not what nobody foresaw', async () => {
    const over = new AbortController();
    const hub = createHub(1);
    let fails = 1;
    const away = new TreehouseError('queue-away', 'Redis is away', { kind: 'transient' });
    const frames = changes(hub, over.signal, undefined, async () => {
      if (fails-- > 0) throw away;
      return [region('a', '1')];
    });
    expect(await next(frames)).toContain('id="a"');
    over.abort();
    const broken = changes(hub, new AbortController().signal, undefined, async () => {
      throw new Error('a fault');
    });
    await expect(broken.next()).rejects.toThrow('a fault');
  });
});

it('several streams are one, each in its own order', async () => {
  async function* count(from: number): AsyncGenerator<number> {
    for (let one = from; one < from + 3; one += 1) yield one;
  }
  const all: number[] = [];
  for await (const one of merged(count(0), count(10))) all.push(one);
  expect(all.filter((one) => one < 10)).toEqual([0, 1, 2]);
  expect(all.filter((one) => one >= 10)).toEqual([10, 11, 12]);
});
