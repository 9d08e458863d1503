import { describe, expect, it } from 'vitest';
import {
  type ComposeFileInput,
  composeFile,
  configHash,
  labelsFor,
  projectName,
  seedMarkName,
  serviceKey,
  volumeName,
} from '../../src/domain/compose-file.ts';
import { type BuildId, branchName, commitId, previewId, repositoryName } from '../../src/domain/names.ts';
import type { StackService } from '../../src/domain/stack.ts';

const COMMIT = commitId('1'.repeat(40));
const BUILD = 'mwufyyiwva' as BuildId;
const branch = branchName('pay-$5');
const preview = { id: previewId('shop', branch), repository: repositoryName('acme/shop'), branch };

function service(name: string, more: Partial<Omit<StackService, 'name'>> = {}): StackService {
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

const web = service('web', {
  definition: {
    command: ['sh', '-c', 'echo $$HOME'],
    labels: { a: 'b', 'price.$$': '$$1' },
    healthcheck: { test: ['CMD', 'true'], interval: '2s', start_period: '9s' },
    init: false,
    restart: 'on-failure:10',
    cpus: 0.5,
  },
  environment: { PASSWORD: 'a$$b', NODE_ENV: 'production' },
  networks: { default: [], back: ['www', 'app'] },
  mounts: [
    { kind: 'volume', volume: 'logs', target: '/var/log', readOnly: false },
    { kind: 'bind', path: 'a$b', target: '/site' },
    { kind: 'tmpfs', target: '/t', sizeBytes: 1024 },
    { kind: 'tmpfs', target: '/u' },
  ],
  files: [{ kind: 'secret', path: 'key', target: '/run/secrets/key' }],
  ports: [8000],
});
const db = service('db', {
  definition: { healthcheck: { disable: true } },
  networks: { back: [] },
  mounts: [
    { kind: 'volume', volume: 'data', target: '/data', readOnly: false },
    { kind: 'volume', volume: 'logs', target: '/logs', readOnly: true },
  ],
});

const input: ComposeFileInput = {
  instance: 'th-1$',
  preview,
  build: BUILD,
  commit: COMMIT,
  role: 'app',
  checkout: '/srv/$home/checkout',
  networks: new Map([
    ['default', 'th-x-default'],
    ['back', 'th-x-back'],
  ]),
  volumeName: (key) => `th-x_${key}`,
  seccomp: '/srv/$home/seccomp.json',
  services: [
    {
      service: web,
      image: 'treehouse/acme/shop/web:x.1',
      config: 'c0ffee',
      virtual: { label: 'pay--shop', host: 'pay--shop.preview.localhost', port: 8000 },
      reserved: ['VIRTUAL_PATH', 'TREEHOUSE_X'],
    },
    { service: db, image: 'postgres:16', config: 'decaf', reserved: [] },
  ],
};

const OWN = {
  'treehouse.instance': 'th-1$$',
  'treehouse.preview': preview.id,
  'treehouse.repository': 'acme/shop',
  'treehouse.branch': 'pay-$$5',
};
const COMMON = {
  pull_policy: 'never',
  security_opt: ['no-new-privileges:true', 'seccomp:/srv/$$home/seccomp.json'],
  cap_drop: ['ALL'],
  cap_add: expect.arrayContaining(['CHOWN', 'SETUID']),
  logging: { driver: 'json-file', options: { 'max-size': '10m', 'max-file': '3' } },
};

describe('the compose file of a build', () => {
  it('says every container whole, with Treehouse’s own values literal and the repository’s as they came', () => {
    expect(composeFile(input)).toEqual({
      services: {
        'web-mwufyyiwva': {
          ...COMMON,
          init: false,
          command: ['sh', '-c', 'echo $$HOME'],
          restart: 'on-failure:10',
          cpus: 0.5,
          image: 'treehouse/acme/shop/web:x.1',
          environment: {
            VIRTUAL_PATH: '/',
            TREEHOUSE_X: '',
            PASSWORD: 'a$$b',
            NODE_ENV: 'production',
            VIRTUAL_HOST: 'pay--shop.preview.localhost',
            VIRTUAL_PORT: '8000',
          },
          labels: {
            a: 'b',
            'price.$$': '$$1',
            ...OWN,
            'treehouse.role': 'app',
            'treehouse.seed': '',
            'treehouse.commit': COMMIT,
            'treehouse.service': 'web',
            'treehouse.build': BUILD,
            'treehouse.config': 'c0ffee',
            'treehouse.after': '',
            'treehouse.cpus': '0.5',
            'treehouse.memory': '',
            'treehouse.host': 'pay--shop',
            'treehouse.port': '8000',
          },
          healthcheck: { test: ['CMD', 'true'], interval: '2s', start_period: '9s', start_interval: '100ms' },
          networks: { default: { aliases: ['web'] }, back: { aliases: ['web', 'www', 'app'] } },
          volumes: [
            { type: 'volume', source: 'logs', target: '/var/log', read_only: false },
            {
              type: 'bind',
              source: '/srv/$$home/checkout/a$$b',
              target: '/site',
              read_only: true,
              bind: { create_host_path: false },
            },
            { type: 'tmpfs', target: '/t', tmpfs: { size: 1024 } },
            { type: 'tmpfs', target: '/u' },
            {
              type: 'bind',
              source: '/srv/$$home/checkout/key',
              target: '/run/secrets/key',
              read_only: true,
              bind: { create_host_path: false },
            },
          ],
        },
        'db-mwufyyiwva': {
          ...COMMON,
          init: true,
          image: 'postgres:16',
          environment: {},
          labels: {
            ...OWN,
            'treehouse.role': 'app',
            'treehouse.seed': '',
            'treehouse.commit': COMMIT,
            'treehouse.service': 'db',
            'treehouse.build': BUILD,
            'treehouse.config': 'decaf',
            'treehouse.after': '',
            'treehouse.cpus': '',
            'treehouse.memory': '',
            'treehouse.host': '',
            'treehouse.port': '',
          },
          healthcheck: { disable: true },
          networks: { back: { aliases: ['db'] } },
          volumes: [
            { type: 'volume', source: 'data', target: '/data', read_only: false },
            { type: 'volume', source: 'logs', target: '/logs', read_only: true },
          ],
        },
      },
      networks: {
        default: { name: 'th-x-default', external: true },
        back: { name: 'th-x-back', external: true },
      },
      volumes: {
        logs: { name: 'th-x_logs', labels: { ...OWN, 'treehouse.role': 'volume' } },
        data: { name: 'th-x_data', labels: { ...OWN, 'treehouse.role': 'volume' } },
      },
    });
  });

  it('lets nothing of the repository stand for what Treehouse says', () => {
    const hostile = service('web', {
      definition: {
        image: 'evil',
        pull_policy: 'always',
        environment: { A: '1' },
        networks: { host: {} },
        volumes: ['/:/host'],
        logging: { driver: 'syslog' },
        security_opt: ['seccomp:unconfined'],
        labels: { 'treehouse.preview': 'main--shop' },
      },
      environment: { VIRTUAL_HOST: 'bank.example' },
    });
    const [web] = input.services;
    const model = composeFile({ ...input, services: web ? [{ ...web, service: hostile }] : [] });
    expect((model.services as Record<string, object>)['web-mwufyyiwva']).toMatchObject({
      ...COMMON,
      image: 'treehouse/acme/shop/web:x.1',
      networks: {},
      volumes: [],
      environment: { VIRTUAL_HOST: 'pay--shop.preview.localhost' },
      labels: { 'treehouse.preview': preview.id },
    });
  });

  it('slows an image down whose health checks come too often, unless the file says how often', () => {
    const checkOf = (healthcheck: object) => {
      const one = { service: service('db', { definition: { healthcheck } }), image: 'db:1', config: 'c', reserved: [] };
      const { services } = composeFile({ ...input, services: [{ ...one, hurries: true }] });
      return (services as Record<string, { healthcheck: object }>)['db-mwufyyiwva']?.healthcheck;
    };
    expect(checkOf({})).toEqual({ start_period: '60s', start_interval: '100ms', interval: '1s' });
    expect(checkOf({ interval: '9s' })).toMatchObject({ interval: '9s' });
    expect(checkOf({ disable: true })).toEqual({ disable: true });
  });

  it('names test and app apart, and every service by its build', () => {
    expect([projectName(preview, 'app'), projectName(preview, 'test'), serviceKey('web', BUILD)]).toEqual([
      `th-${preview.id}`,
      `th-${preview.id}_test`,
      'web-mwufyyiwva',
    ]);
    expect(labelsFor('th-1', preview, 'image', { x: 'y' })).toEqual({
      ...OWN,
      'treehouse.instance': 'th-1',
      'treehouse.branch': 'pay-$5',
      'treehouse.role': 'image',
      x: 'y',
    });
  });
});

describe('the hash of a configuration', () => {
  const virtual = { label: 'main--shop', host: 'main--shop.preview.localhost', port: 8000 };
  const hash = (
    more: Partial<StackService> = {},
    image = 'sha256:1',
    contents = ['blob'],
    at: typeof virtual | undefined = virtual,
  ) => configHash({ ...web, ...more }, image, contents, at);
  const same = hash();

  it('is of 32 digits', () => expect(same).toMatch(/^[0-9a-f]{32}$/));

  it.each<[string, string]>([
    ['asked again', hash()],
    ['keys in another order', hash({ environment: { NODE_ENV: 'production', PASSWORD: 'a$$b' } })],
    ['another order of networks', hash({ networks: { back: ['www', 'app'], default: [] } })],
    ['records without a prototype', hash({ environment: Object.assign(Object.create(null), web.environment) })],
    [
      'another build section, whose image is what counts',
      hash({ build: { context: 'x', args: {}, contexts: {}, noNetwork: false } }),
    ],
    [
      'other dependencies, which only order the start',
      hash({ dependsOn: [{ service: 'db', condition: 'service_healthy' }] }),
    ],
  ])('stays: %s', (_what, other) => expect(other).toBe(same));

  it.each<[string, string]>([
    ['another image', hash({}, 'sha256:2')],
    ['other contents of what is mounted', hash({}, 'sha256:1', ['other'])],
    ['another host', hash({}, 'sha256:1', ['blob'], { ...virtual, host: 'other' })],
    ['another port', hash({}, 'sha256:1', ['blob'], { ...virtual, port: 1 })],
    ['a variable', hash({ environment: { ...web.environment, A: '' } })],
    ['a variable less', hash({ environment: {} })],
    ['a value that moved to another key', hash({ environment: { PASSWORD: 'production', NODE_ENV: 'a$$b' } })],
    ['a definition', hash({ definition: { ...web.definition, user: '1' } })],
    ['words that are joined otherwise', hash({ definition: { ...web.definition, command: ['sh', '-c echo $$HOME'] } })],
    ['an order that counts', hash({ mounts: web.mounts.toReversed() })],
    ['an alias', hash({ networks: { default: ['x'], back: ['www', 'app'] } })],
    ['the text of a config', hash({ files: [{ kind: 'config', path: '.treehouse-1', content: 'a', target: '/a' }] })],
    ['a port', hash({ ports: [8001] })],
  ])('changes: %s', (_what, other) => expect(other).not.toBe(same));

  it('is none without a host, and another', () => {
    const none = configHash(web, 'sha256:1', ['blob'], undefined);
    expect(none).not.toBe(same);
    expect(none).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe('the name of a volume', () => {
  it('tells two Treehouses on one engine apart, and no key makes it a mark', () => {
    const names = ['i1', 'i2'].map((instance) => volumeName(preview, instance, 'data', []));
    expect(names).toEqual([`th-${preview.id}.i1_data`, `th-${preview.id}.i2_data`]);
    expect(seedMarkName(preview, 'i1', BUILD)).not.toBe(volumeName(preview, 'i1', `seeded-${BUILD}`, []));
  });

  it('is the old one where there is one of ours', () => {
    const had = [{ name: `th-${preview.id}_data` }];
    expect(volumeName(preview, 'i1', 'data', had)).toBe(`th-${preview.id}_data`);
    expect(volumeName(preview, 'i1', 'other', had)).toBe(`th-${preview.id}.i1_other`);
  });
});
