/** The world beside the model: what is wrong, in words. Pure. */
import type { Expected } from './model.ts';

/** A branch's preview, as a visitor names it. */
export interface Place {
  readonly branch: string;
  /** The first label of its host. */
  readonly id: string;
  /** Containers that its stack runs. */
  readonly services: number;
  readonly expected: Expected;
}

/** What its host answers. */
export interface Page {
  readonly status: number;
  readonly text: string;
}

/** Something that is there for a preview. */
export interface Thing {
  readonly what: 'container' | 'network' | 'volume' | 'route' | 'tag' | 'image' | 'checkout';
  /** The preview's id that it carries. */
  readonly id: string;
  readonly name: string;
}

export interface Seen {
  /** By the id of the place. */
  readonly pages: ReadonlyMap<string, Page>;
  readonly things: readonly Thing[];
}

/** @returns none where the world is as it should be. */
export function differencesOf(places: readonly Place[], seen: Seen): readonly string[] {
  const serving = new Map(places.filter((one) => servedBy(one, seen) !== undefined).map((one) => [one.id, one]));
  return [
    ...places.flatMap((place) => wrongPage(place, seen) ?? []),
    ...seen.things
      .filter((one) => !serving.has(one.id))
      .map(({ what, name, id }) => `${what} ${name} is there, and ${id} serves nothing`),
    ...[...serving.values()].flatMap((place) => wrongCount(place, seen) ?? []),
  ];
}

/** The page of a place, where it serves one. */
export function servedBy({ id }: Pick<Place, 'id'>, { pages }: Seen): string | undefined {
  const page = pages.get(id);
  return page?.status === 200 ? page.text : undefined;
}

function wrongPage(place: Place, seen: Seen): string | undefined {
  const { id, expected } = place;
  const text = servedBy(place, seen);
  const status = seen.pages.get(id)?.status ?? 0;
  const found = text === undefined ? `answers ${status}` : `serves ${JSON.stringify(text)}`;
  switch (expected.kind) {
    case 'gone':
      return status === 404 ? undefined : `${id} is to be gone, and ${found}`;
    case 'serves': {
      const wanted = expected.commit.text;
      return text === wanted ? undefined : `${id} is to serve ${JSON.stringify(wanted)}, and ${found}`;
    }
    case 'before': {
      const words = [...expected.texts].map((one) => (one === undefined ? 'nothing' : JSON.stringify(one)));
      if (expected.texts.has(text)) return undefined;
      return `${id} has a bad head and is to serve ${words.join(' or ')}, and ${found}`;
    }
    default:
      return expected satisfies never;
  }
}

function wrongCount({ id, services }: Place, { things }: Seen): string | undefined {
  const count = things.filter((one) => one.what === 'container' && one.id === id).length;
  return count === services ? undefined : `${id} has ${count} containers, and is to have ${services}`;
}
