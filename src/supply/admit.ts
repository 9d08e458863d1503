/** What is said of images once the engine has them: whose they are, what their triggers draw in, and which ones they were; and where names lead. */
import { LABEL } from '../domain/labels.ts';
import type { PreviewId } from '../domain/names.ts';
import type { OnLine } from '../domain/ports.ts';
import type { Refusal } from '../domain/stack.ts';
import type { ImageFacts, ImageStore } from '../domain/supply.ts';
import { judgeFetched, type LookOn } from './adds.ts';
import { readTriggers } from './dockerfile.ts';
import { type Drawn, type DrawnIn, drawnByTriggers } from './drawn.ts';
import { type JudgeOn, judgeImages } from './judge.ts';
import { fullName, parseImageName } from './reference.ts';

export interface AdmitOn extends JudgeOn, LookOn {
  readonly preview: PreviewId;
  readonly store: ImageStore;
  /** Fetches what the engine has not. @throws `image-missing`. */
  pull(reference: string): Promise<void>;
  readonly say: OnLine;
  /** Fetch again what is built from: it may have moved. */
  readonly refresh: boolean;
}

export interface Admitted {
  readonly refusals: readonly Refusal[];
  /** All that the build may draw in, with what the triggers of its bases add. */
  readonly images: readonly Drawn[];
}

/** Fetches what is needed and absent, so that it is looked at before anything of it runs; says which image each was. */
export async function admitImages(drawn: DrawnIn, on: AdmitOn): Promise<Admitted> {
  const looks = new Map<string, Promise<ImageFacts | undefined>>();
  const look = (one: Drawn, reference: string) => {
    const key = `${reference} ${one.needed}`;
    const facts = looks.get(key) ?? lookAt(one, reference, on);
    looks.set(key, facts);
    return facts;
  };
  const first = await Promise.all(drawn.images.map((one) => admit(one, on, look)));
  const more = first.flatMap((one) => one.more.images);
  const byTriggers = judgeImages({ images: more, faults: first.flatMap((one) => one.more.faults) }, on);
  // What triggers copy from has no triggers that run.
  const second = byTriggers.length > 0 ? [] : await Promise.all(more.map((one) => admit(one, on, look)));
  const near = await judgeFetched([...drawn.fetched, ...first.flatMap((one) => one.more.fetched)], on);
  return {
    refusals: [...[...first, ...second].flatMap((one) => one.refusal ?? []), ...byTriggers, ...near],
    images: [...drawn.images, ...more],
  };
}

interface One {
  readonly refusal?: Refusal;
  readonly more: DrawnIn;
}
const NOTHING: DrawnIn = { images: [], faults: [], fetched: [] };

async function admit(
  one: Drawn,
  on: AdmitOn,
  look: (one: Drawn, reference: string) => Promise<ImageFacts | undefined>,
): Promise<One> {
  if (one.reference === undefined || one.how === '# syntax') return { more: NOTHING };
  const facts = await look(one, one.reference);
  if (!facts) return { more: NOTHING };
  const refuse = (rule: string, message: string): One => ({
    refusal: { path: one.where, rule, message: `${one.how} ${one.written}: ${message}` },
    more: NOTHING,
  });
  const owner = facts.labels[LABEL.preview];
  if (owner !== undefined && owner !== on.preview) {
    return refuse('neighbour', "a neighbour's image: those of previews are not built from or run by others");
  }
  if (!isNamed(one.reference, facts)) {
    return refuse('image-id', 'the engine finds it by its id, which may be any image of this host; name the image');
  }
  if (one.needed) on.say(`${one.where}: ${one.how} ${one.written} is ${facts.id}${digestOf(one.reference, facts)}`);
  if (one.how !== 'FROM') return { more: NOTHING };
  return { more: drawnByTriggers(readTriggers(facts.onBuild), `${one.where}, ${one.written}`, one.stages) };
}

async function lookAt(one: Drawn, reference: string, on: AdmitOn): Promise<ImageFacts | undefined> {
  const there = await on.store.look(reference);
  const isStale = on.refresh && one.how === 'FROM' && !reference.includes('@');
  if (!one.needed || (there && !isStale)) return there;
  try {
    await on.pull(reference);
  } catch (error) {
    if (there) {
      on.say(`${one.where}: ${one.how} ${one.written} could not be fetched again, so it is taken as it is here`);
      return there;
    }
    // The builder can fetch what is for another platform, the engine cannot; a preview's own image is for every platform.
    if (!one.platform) throw error;
    on.say(`${one.where}: ${one.how} ${one.written} could not be looked at beforehand`);
  }
  return on.store.look(reference);
}

/** Whether one of the image's names is the one that was asked for, rather than the beginning of its id. */
function isNamed(reference: string, facts: ImageFacts): boolean {
  const asked = parseImageName(reference);
  if (!asked) return false;
  const full = fullName({ ...asked, ...(asked.digest === undefined ? {} : { tag: undefined }) });
  return facts.names.some((name) => {
    const known = parseImageName(name);
    return known !== undefined && fullName(known) === full;
  });
}

/** By which it can be pinned and found again, where it came from a registry. */
function digestOf(reference: string, facts: ImageFacts): string {
  const asked = parseImageName(reference);
  const digest = facts.names.map(parseImageName).find((name) => {
    return name?.digest !== undefined && name.path === asked?.path && name.registry === asked.registry;
  })?.digest;
  return digest === undefined ? '' : ` (${digest})`;
}
