import { describe, expect, it } from 'vitest';
import { type BuildId, commitId } from '../../src/domain/names.ts';
import type { ObservedContainer } from '../../src/domain/observed.ts';
import { type StackService, withDependencies } from '../../src/domain/stack.ts';
import { isUsable, planStart, startPlanText, type WantedService } from '../../src/domain/start-plan.ts';

type ServiceParts = Partial<Omit<StackService, 'name'>>;

function service(name: string, more: ServiceParts = {}): StackService {
  return {
    name,
    definition: {},
    environment: {},
    dependsOn: [],
    networks: {},
    mounts: [],
    files: [],
    ports: [],
    ...more,
  };
}
const wanted = (name: string, config: string, more?: ServiceParts): WantedService => ({
  service: service(name, more),
  config,
});
const after = (name: string) => ({
  dependsOn: [{ service: name, condition: 'service_completed_successfully' as const }],
});
const DATA: ServiceParts = { mounts: [{ kind: 'volume', volume: 'data', target: '/data', readOnly: false }] };
const READS_DATA: ServiceParts = { mounts: [{ kind: 'volume', volume: 'data', target: '/data', readOnly: true }] };

function runs(name: string, config: string, more: Partial<ObservedContainer> = {}): ObservedContainer {
  return {
    id: `${name}-${config}`,
    name: `th-${name}`,
    service: name,
    role: 'app',
    build: 'b1' as BuildId,
    commit: commitId('1'.repeat(40)),
    config,
    running: true,
    restarting: false,
    exitCode: 0,
    health: 'none',
    restarts: 0,
    networks: new Map(),
    image: 'x',
    imageId: 'sha256:x',
    after: [],
    exposed: undefined,
    ...more,
  };
}

interface Case {
  readonly wanted: readonly WantedService[];
  readonly live?: readonly ObservedContainer[];
  readonly exposed?: readonly string[];
  readonly anew?: true;
  readonly plan: string;
}

const cases: Readonly<Record<string, Case>> = {
  'a first build starts everything': {
    wanted: [wanted('web', '1'), wanted('db', '1', DATA)],
    exposed: ['web'],
    plan: 'start web: it does not run yet\nstart db: it does not run yet',
  },
  'what did not change is kept': {
    wanted: [wanted('web', '2'), wanted('db', '1', DATA), wanted('cache', '1')],
    live: [runs('web', '1'), runs('db', '1', { health: 'healthy' }), runs('cache', '1', { health: 'starting' })],
    exposed: ['web'],
    plan: [
      'start web: its image or configuration changed',
      'keep db: its image and configuration did not change',
      'keep cache: its image and configuration did not change',
      'retire web: after the switch',
    ].join('\n'),
  },
  'who owns a volume is replaced, since two may not write to it': {
    wanted: [wanted('web', '1'), wanted('db', '2', DATA)],
    live: [runs('web', '1'), runs('db', '1')],
    exposed: ['web'],
    plan: [
      'keep web: its image and configuration did not change',
      'replace db: its image or configuration changed; it owns a volume, so the old one stops first',
      'retire db: after the switch',
    ].join('\n'),
  },
  'an owner of a volume that is exposed starts beside the old one': {
    wanted: [wanted('web', '2', DATA)],
    live: [runs('web', '1')],
    exposed: ['web'],
    plan: 'start web: its image or configuration changed\nretire web: after the switch',
  },
  'who only reads a volume starts beside the old one': {
    wanted: [wanted('backup', '2', READS_DATA)],
    live: [runs('backup', '1')],
    plan: 'start backup: its image or configuration changed\nretire backup: after the switch',
  },
  'a one-shot that ended well is kept, one that failed is started': {
    wanted: [
      wanted('web', '1', after('migrate')),
      wanted('migrate', '1'),
      wanted('seed', '1'),
      wanted('last', '1', after('seed')),
    ],
    live: [
      runs('web', '1'),
      runs('migrate', '1', { running: false }),
      runs('seed', '1', { running: false, exitCode: 1 }),
      runs('last', '1'),
    ],
    exposed: ['web'],
    plan: [
      'keep web: its image and configuration did not change',
      'keep migrate: its image and configuration did not change',
      'start seed: the one that runs is not healthy',
      'keep last: its image and configuration did not change',
      'retire seed: after the switch',
    ].join('\n'),
  },
  'what ended well and is no one-shot is started': {
    wanted: [wanted('web', '1')],
    live: [runs('web', '1', { running: false })],
    plan: 'start web: the one that runs is not healthy\nretire web: after the switch',
  },
  'a redeploy starts all anew, but for those who own a volume': {
    wanted: [wanted('web', '1'), wanted('db', '1', DATA), wanted('cache', '1')],
    live: [runs('web', '1'), runs('db', '1'), runs('cache', '1')],
    exposed: ['web'],
    anew: true,
    plan: [
      'start web: a redeploy was asked for',
      'keep db: its image and configuration did not change',
      'start cache: a redeploy was asked for',
      'retire web, cache: after the switch',
    ].join('\n'),
  },
  'a redeploy replaces an owner of a volume that is not well': {
    wanted: [wanted('db', '1', DATA)],
    live: [runs('db', '1', { health: 'unhealthy' })],
    anew: true,
    plan: 'replace db: a redeploy was asked for; it owns a volume, so the old one stops first\nretire db: after the switch',
  },
  'what is unhealthy, restarting or crashed is started again': {
    wanted: [wanted('web', '1'), wanted('api', '1'), wanted('db', '1', DATA)],
    live: [
      runs('web', '1', { health: 'unhealthy' }),
      runs('api', '1', { running: false, restarting: true }),
      runs('db', '1', { running: false, exitCode: 137 }),
    ],
    plan: [
      'start web: the one that runs is not healthy',
      'start api: the one that runs is not healthy',
      'replace db: the one that runs is not healthy; it owns a volume, so the old one stops first',
      'retire web, api, db: after the switch',
    ].join('\n'),
  },
  'what the file does not name any more retires': {
    wanted: [wanted('web', '1')],
    live: [runs('web', '1'), runs('old', '1'), runs('older', '1')],
    plan: 'keep web: its image and configuration did not change\nretire old, older: after the switch',
  },
  'of two of one service the one that is wanted is kept': {
    wanted: [wanted('db', '2', DATA)],
    live: [runs('db', '1'), runs('db', '2')],
    plan: 'keep db: its image and configuration did not change\nretire db: after the switch',
  },
  'of two owners of a volume both stop first': {
    wanted: [wanted('db', '3', DATA)],
    live: [runs('db', '1'), runs('db', '2')],
    plan: 'replace db: its image or configuration changed; it owns a volume, so the old one stops first\nretire db: after the switch',
  },
};

describe('which containers a build starts', () => {
  it.each(Object.keys(cases))('%s', (name) => {
    const { wanted, live = [], exposed = [], anew, plan } = cases[name] as Case;
    const made = planStart({ wanted, live, exposed: new Set(exposed), anew: anew === true });
    expect(startPlanText(made)).toBe(plan);
    // Nothing that is kept retires, and all that is not kept does.
    const kept = made.steps.flatMap((step) => (step.op === 'keep' ? [step.container.id] : []));
    expect(made.retire.map((one) => one.id).sort()).toEqual(
      live
        .map((one) => one.id)
        .filter((id) => !kept.includes(id))
        .sort(),
    );
    for (const step of made.steps)
      if (step.op === 'replace') expect(step.old.every((one) => one.service === step.service)).toBe(true);
  });

  it.each([
    [{}, true, true],
    [{ health: 'healthy' }, true, true],
    [{ health: 'starting' }, true, true],
    [{ health: 'unhealthy' }, false, false],
    [{ restarting: true }, false, false],
    [{ running: false, exitCode: 0 }, false, true],
    [{ running: false, exitCode: 1 }, false, false],
  ] as const)('%j is usable: %s, as a one-shot: %s', (state, usable, asOneShot) => {
    expect(isUsable(runs('web', '1', state), false)).toBe(usable);
    expect(isUsable(runs('web', '1', state), true)).toBe(asOneShot);
  });
});

describe('services with all that they depend on', () => {
  const on = (...names: string[]) => ({
    dependsOn: names.map((name) => ({ service: name, condition: 'service_started' as const })),
  });
  const all = [service('a', on('b')), service('b', on('c', 'gone')), service('c', on('a')), service('d')];

  it.each([
    [['a'], ['a', 'b', 'c']],
    [['d'], ['d']],
    [
      ['d', 'c'],
      ['a', 'b', 'c', 'd'],
    ],
    [['gone'], []],
    [[], []],
  ])('%j: %j', (names, expected) => {
    expect(withDependencies(names, all).map((one) => one.name)).toEqual(expected);
  });
});
