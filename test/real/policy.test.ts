// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are Compose's own variables.
/** What a repository may ask for, judged as the plan stage does: by the real compose. */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Court, type Layout, openCourt } from '../support/judge.ts';

let court: Court;
beforeAll(async () => {
  court = await openCourt();
});
afterAll(() => court?.close());

const NOT_PUBLISHED = 'not published on the host: the preview is reached by its own host name';
const READ_ONLY = 'made read-only: it is the checkout itself';
const SECRET = 'SECRET=of the host\n';
const base64 = (text: string) => Buffer.from(text).toString('base64');

/** A compose file of one service of busybox, with more keys of its own. */
function web(keys: string, more = ''): Layout {
  return { 'compose.yml': `services: {web: {image: busybox, ${keys}}}\n${more}` };
}

interface Accepted {
  readonly files: Layout;
  readonly changes?: readonly string[];
  readonly stack?: object;
}

/** What is accepted, with every change that is made, and the part of the stack that it is about. */
const accepted: Readonly<Record<string, Accepted>> = {
  'a service alone': {
    files: web('ports: ["8080"]'),
    changes: [`services.web.ports: ${NOT_PUBLISHED}`],
    stack: {
      services: [
        {
          name: 'web',
          image: 'busybox',
          definition: {},
          environment: {},
          dependsOn: [],
          networks: { default: [] },
          mounts: [],
          files: [],
          ports: [8080],
        },
      ],
      networks: { default: { internal: false } },
      volumes: [],
      exposed: [{ service: 'web', port: 8080 }],
    },
  },
  'ports of every form; udp is no way in': {
    files: web(
      'ports: ["5000:5000", "127.0.0.1:6000-6001:7000-7001", "53:53/udp", {target: 90}], expose: ["100", 101]',
    ),
    changes: [`services.web.ports: ${NOT_PUBLISHED}`],
    stack: { services: [{ ports: [5000, 7000, 7001, 90, 100, 101] }], exposed: [{ service: 'web', port: 5000 }] },
  },
  'the compose file of the talk': {
    files: {
      'docker-compose.yml':
        'version: \'3\'\nservices:\n  web:\n    build: .\n    ports:\n    - "5000:5000"\n    volumes:\n    - ./code\n    - logvolume01:/var/log\n    links:\n    - redis\n  redis:\n    image: redis\nvolumes:\n  logvolume01: {}\n',
      Dockerfile: 'FROM busybox\n',
    },
    changes: [
      "services.web.volumes[0]: dropped: 'code' is not an absolute path in the container",
      `services.web.ports: ${NOT_PUBLISHED}`,
    ],
    stack: {
      services: [
        { name: 'redis', image: 'redis' },
        {
          name: 'web',
          build: { context: '', dockerfile: 'Dockerfile', args: {}, contexts: {}, noNetwork: false },
          dependsOn: [{ service: 'redis', condition: 'service_started' }],
          mounts: [{ kind: 'volume', volume: 'logvolume01', target: '/var/log', readOnly: false }],
        },
      ],
      volumes: ['logvolume01'],
      exposed: [{ service: 'web', port: 5000 }],
    },
  },
  'a name and a fixed place, dropped': {
    files: web('container_name: shop, cpuset: "0", platform: linux/arm64, mac_address: "02:42:ac:11:00:03"'),
    changes: [
      'services.web.cpuset: dropped: the host decides on which cores a preview runs',
      'services.web.container_name: dropped: the container is named after the preview',
      'services.web.mac_address: dropped: the engine chooses it',
      'services.web.platform: dropped: images are built for this host',
    ],
    stack: { services: [{ definition: {} }] },
  },
  'a driver of logs, replaced': {
    files: web('logging: {driver: syslog, options: {syslog-address: "tcp://10.0.0.1:1"}}'),
    changes: ['services.web.logging: replaced: logs are kept by the engine, rotated'],
    stack: { services: [{ definition: {} }] },
  },
  'restart: always, which would wake what sleeps': {
    files: web('restart: always'),
    changes: ['services.web.restart: set to unless-stopped: a preview that sleeps stays asleep'],
    stack: { services: [{ definition: { restart: 'unless-stopped' } }] },
  },
  'restart: on-failure, bounded': {
    files: web('restart: "on-failure:1000"'),
    changes: ['services.web.restart: bounded to on-failure:10'],
    stack: { services: [{ definition: { restart: 'on-failure:10' } }] },
  },
  'restart: "no"': { files: web('restart: "no"'), stack: { services: [{ definition: {} }] } },
  'a bind of the checkout, read-only': {
    files: { ...web('volumes: ["./site:/www", "./site/a:/a:ro"]'), 'site/a': 'a' },
    changes: [`services.web.volumes[0]: ${READ_ONLY}`],
    stack: {
      services: [
        {
          mounts: [
            { kind: 'bind', path: 'site', target: '/www' },
            { kind: 'bind', path: 'site/a', target: '/a' },
          ],
        },
      ],
    },
  },
  'a link that stays inside, by the path that it leads to': {
    files: { ...web('volumes: ["./latest:/www:ro"]'), 'v1/a': 'a', latest: { link: 'v1' } },
    stack: { services: [{ mounts: [{ kind: 'bind', path: 'v1', target: '/www' }] }] },
  },
  'folders with a dollar in their names': {
    files: {
      'compose.yml': 'services: {web: {build: {context: "a$$b", dockerfile: "$$x"}, volumes: ["./a$$b:/www:ro"]}}',
      'a$b/$x': 'FROM busybox\n',
    },
    stack: {
      services: [
        {
          build: { context: 'a$b', dockerfile: 'a$b/$x', args: {}, contexts: {}, noNetwork: false },
          mounts: [{ kind: 'bind', path: 'a$b', target: '/www' }],
        },
      ],
    },
  },
  'volumes without a name, which get one': {
    files: {
      'compose.yml':
        'services: {a-b: {image: busybox, volumes: [/data]}, a_b: {image: busybox, volumes: [/data, {type: tmpfs, target: /t, tmpfs: {size: 1m}}]}}',
    },
    stack: {
      services: [
        {
          mounts: [
            { kind: 'volume', volume: 'services_a_b_volumes_data_84d2abbd949b', target: '/data', readOnly: false },
          ],
        },
        {
          mounts: [
            { kind: 'volume', volume: 'services_a_b_volumes_data_a6596957ce7d', target: '/data', readOnly: false },
            { kind: 'tmpfs', target: '/t', sizeBytes: 1048576 },
          ],
        },
      ],
    },
  },
  'services of a profile, left out with what waits for them': {
    files: {
      'compose.yml':
        'services: {web: {image: busybox, depends_on: [debug, db]}, db: {image: redis}, debug: {image: busybox, profiles: [dev]}}',
    },
    changes: [
      'services.debug.profiles: left out: it belongs to a profile',
      'services.web.depends_on.debug: left out: that service does not run here',
    ],
    stack: {
      services: [
        { name: 'db', image: 'redis' },
        { name: 'web', dependsOn: [{ service: 'db', condition: 'service_started' }] },
      ],
    },
  },
  'links and their aliases': {
    files: { 'compose.yml': 'services: {web: {image: busybox, links: ["redis:cache"]}, redis: {image: redis}}' },
    stack: {
      services: [
        { name: 'redis', networks: { default: ['cache'] } },
        { name: 'web', dependsOn: [{ service: 'redis', condition: 'service_started' }] },
      ],
    },
  },
  'networks of its own, inner ones too, without fixed addresses': {
    files: {
      'compose.yml':
        'services: {web: {image: busybox, networks: {front: {aliases: [www]}, back: {ipv4_address: 10.9.0.5}}}}\n' +
        'networks: {front: {name: prod, driver: bridge}, back: {internal: true, ipam: {config: [{subnet: 10.9.0.0/24}]}}}',
    },
    changes: [
      'networks.back.ipam: dropped: the engine chooses the addresses',
      'services.web.networks.back.ipv4_address: dropped: the engine chooses it',
    ],
    stack: {
      services: [{ networks: { front: ['www'], back: [] } }],
      networks: { front: { internal: false }, back: { internal: true } },
    },
  },
  'a health check': {
    files: web('healthcheck: {test: "wget -q $$HOST/", interval: 2s, timeout: 1s, retries: 3, start_period: 4s}'),
    stack: {
      services: [
        {
          definition: {
            healthcheck: {
              test: ['CMD-SHELL', 'wget -q $$HOST/'],
              interval: '2s',
              timeout: '1s',
              retries: 3,
              start_period: '4s',
            },
          },
        },
      ],
    },
  },
  'health checks in a hurry, slowed down': {
    files: {
      'compose.yml':
        'services: {a: {image: busybox, healthcheck: {test: "true", interval: 1ms, start_interval: 99ms}}, b: {image: busybox, healthcheck: {interval: 0.5s, start_interval: 100ms, start_period: 1m30s}}}',
    },
    changes: [
      'services.a.healthcheck.interval: raised to 1 s: each check is a process that the host starts',
      'services.a.healthcheck.start_interval: raised to 0.1 s: each check is a process that the host starts',
      'services.b.healthcheck.interval: raised to 1 s: each check is a process that the host starts',
    ],
    stack: {
      services: [
        { definition: { healthcheck: { interval: '1000ms', start_interval: '100ms' } } },
        { definition: { healthcheck: { interval: '1000ms', start_interval: '100ms', start_period: '1m30s' } } },
      ],
    },
  },
  'a health check that is off': {
    files: web('healthcheck: {disable: true}'),
    stack: { services: [{ definition: { healthcheck: { disable: true } } }] },
  },
  'what is emptied or switched off by hand stays so': {
    files: web('entrypoint: "", command: [], init: false'),
    stack: { services: [{ definition: { entrypoint: [], command: [], init: false } }] },
  },
  'capabilities of the harmless kind, and giving all up': {
    files: web('cap_add: [cap_chown, NET_BIND_SERVICE], cap_drop: [ALL], read_only: true, user: "1000"'),
    stack: {
      services: [
        { definition: { cap_add: ['CHOWN', 'NET_BIND_SERVICE'], cap_drop: ['ALL'], read_only: true, user: '1000' } },
      ],
    },
  },
  'limits, also in the words of deploy': {
    files: web('deploy: {replicas: 3, resources: {limits: {memory: 64M, cpus: "0.5", pids: 50}}}'),
    changes: ['services.web.deploy.replicas: set to 1: a preview runs one container of each service'],
    stack: {
      services: [{ definition: { mem_limit: '67108864', cpus: 0.5, pids_limit: 50 } }],
    },
  },
  'limits so small that the engine takes them for none': {
    files: web('cpus: 0.0000000001'),
    changes: ['services.web.cpus: raised to 0.01'],
    stack: { services: [{ definition: { cpus: 0.01 } }] },
  },
  'limits of processes, by names that JavaScript knows': {
    files: web('ulimits: {constructor: 1, nofile: 100}'),
    changes: ['services.web.ulimits.constructor: dropped: Treehouse sets the limits'],
    stack: { services: [{ definition: { ulimits: { core: 0, nofile: { soft: 100, hard: 100 } } } }] },
  },
  'a variable with a value in its name': {
    files: web('environment: {"CERT_NAME=x": y, "A=B": c}'),
    changes: ['services.web.environment.CERT_NAME=x: dropped: Treehouse sets it'],
    stack: { services: [{ environment: { 'A=B': 'c' } }] },
  },
  'labels and variables, without those that are reserved': {
    files: web(
      'labels: {a: "b", treehouse.preview: x, com.docker.compose.project: y}, ' +
        'environment: {A: "$$1", UNSET: , VIRTUAL_HOST: evil.example, treehouse_token: x}',
    ),
    changes: [
      'services.web.labels.com.docker.compose.project: dropped: Treehouse sets it',
      'services.web.labels.treehouse.preview: dropped: Treehouse sets it',
      'services.web.environment.VIRTUAL_HOST: dropped: Treehouse sets it',
      'services.web.environment.treehouse_token: dropped: Treehouse sets it',
    ],
    stack: { services: [{ definition: { labels: { a: 'b' } }, environment: { A: '$$1' } }] },
  },
  'extra hosts that are not the host': {
    files: web('extra_hosts: ["db.example:10.0.0.1"]'),
    stack: { services: [{ definition: { extra_hosts: ['db.example=10.0.0.1'] } }] },
  },
  'files of the repository as configs and secrets': {
    files: {
      ...web(
        'configs: [one, {source: one, target: /etc/two}], secrets: [key, {source: key, target: other}]',
        'configs: {one: {file: ./one.conf}}\nsecrets: {key: {file: ./key}}\n',
      ),
      'one.conf': '1',
      key: 'k',
    },
    stack: {
      services: [
        {
          files: [
            { kind: 'config', path: 'one.conf', target: '/one' },
            { kind: 'config', path: 'one.conf', target: '/etc/two' },
            { kind: 'secret', path: 'key', target: '/run/secrets/key' },
            { kind: 'secret', path: 'key', target: '/run/secrets/other' },
          ],
        },
      ],
    },
  },
  'a config that is written in the compose file': {
    files: web('configs: [{source: c, target: /etc/c}]', 'configs: {c: {content: "a $$b\\n"}}\n'),
    stack: {
      services: [{ files: [{ kind: 'config', path: '.treehouse-08d546039124', content: 'a $b\n', target: '/etc/c' }] }],
    },
  },
  'a .env that fills in the compose file': {
    files: {
      ...web('environment: {A: "${NAME}", B: "${OTHER:-or}", C: "${HOME}", D: "${PATH}${DOCKER_HOST}", HOME: }'),
      '.env': 'NAME="it is a name"\nDB_PASSWORD=x\nENV=dev\nPYTHON_VERSION=3\nGIT_SHA=1\nCOMPOSE_PROJECT_NAME=shop\n',
    },
    stack: {
      services: [{ environment: { A: 'it is a name', B: 'or', C: '/nonexistent', D: '', HOME: '/nonexistent' } }],
    },
  },
  'an env_file of the repository': {
    files: {
      ...web('env_file: [./conf/a.env, {path: missing.env, required: false}]'),
      'conf/a.env': 'A=1\nVIRTUAL_PORT=2\n',
    },
    changes: ['services.web.environment.VIRTUAL_PORT: dropped: Treehouse sets it'],
    stack: { services: [{ environment: { A: '1' } }] },
  },
  'includes and extends inside, each with paths of its own': {
    files: {
      'compose.yml':
        'include: [{path: db/compose.yml, project_directory: shared}]\nservices: {web: {extends: {file: base/web.yml, service: base}}}',
      'db/compose.yml': 'services: {db: {image: redis, env_file: x.env}}',
      'base/web.yml': 'services: {base: {image: busybox, env_file: ../base/x.env}}',
      'base/x.env': 'FROM=base',
      'shared/x.env': 'FROM=shared',
    },
    stack: {
      services: [
        { name: 'db', environment: { FROM: 'shared' } },
        { name: 'web', environment: { FROM: 'base' } },
      ],
    },
  },
  'an override file, and the tags of Compose': {
    files: {
      ...web('ports: ["80"], environment: {A: "1"}'),
      'compose.override.yml': 'services: {web: {image: redis, ports: !override ["81"], environment: !reset {}}}',
    },
    changes: [`services.web.ports: ${NOT_PUBLISHED}`],
    stack: { services: [{ image: 'redis', ports: [81], environment: {} }] },
  },
  'the first of several files, as Compose chooses': {
    files: {
      'docker-compose.yaml': 'services: {web: {image: wrong}}',
      'docker-compose.yml': 'services: {web: {image: right}}',
      'docker-compose.override.yaml': 'services: {web: {hostname: wrong}}',
      'docker-compose.override.yml': 'services: {web: {hostname: right}}',
    },
    stack: { services: [{ image: 'right', definition: { hostname: 'right' } }] },
  },
  'anchors, merges and a key by its alias': {
    files: {
      'compose.yml':
        'x-base: &base {image: busybox, tty: true}\nx-k: &k env_file\nservices: {web: {<<: *base, *k : a.env}, two: {<<: *base}}',
      'a.env': 'A=1',
    },
    stack: {
      services: [
        { name: 'two', image: 'busybox', definition: { tty: true } },
        { name: 'web', image: 'busybox', definition: { tty: true }, environment: { A: '1' } },
      ],
    },
  },
  'a build of every form': {
    files: {
      'compose.yml': [
        'services:',
        '  web:',
        '    build:',
        '      context: ./app',
        '      dockerfile: web.Dockerfile',
        '      args: {A: "$$x", B: }',
        '      target: final',
        '      network: none',
        '      additional_contexts: {lib: ./lib}',
        '      tags: [shop:latest]',
        '      platforms: [linux/arm64]',
        '      cache_from: [shop:cache]',
        '  inline: {build: {dockerfile_inline: "FROM busybox\\nRUN echo $$HOME"}}',
      ].join('\n'),
      'app/web.Dockerfile': 'FROM busybox AS final\n',
      'lib/a': 'a',
      Dockerfile: 'FROM wrong\n',
    },
    changes: ['services.web.build.platforms: dropped: images are built for this host'],
    stack: {
      services: [
        {
          build: {
            context: '',
            dockerfileInline: 'FROM busybox\nRUN echo $HOME',
            args: {},
            contexts: {},
            noNetwork: false,
          },
        },
        {
          build: {
            context: 'app',
            dockerfile: 'app/web.Dockerfile',
            args: { A: '$x' },
            target: 'final',
            contexts: { lib: 'lib' },
            noNetwork: true,
          },
        },
      ],
    },
  },
  'x-treehouse as a list, a test by name that only reports': {
    files: {
      'compose.yml':
        'services: {api: {image: busybox, expose: ["1"]}, ui: {image: busybox, ports: ["2"]}, check: {image: busybox, depends_on: [api]}}\n' +
        'x-treehouse: {expose: ["ui:3000", api], test: check, tests: report}',
    },
    changes: [`services.ui.ports: ${NOT_PUBLISHED}`],
    stack: {
      services: [{ name: 'api' }, { name: 'ui' }],
      exposed: [
        { service: 'ui', port: 3000 },
        { service: 'api', port: 1 },
      ],
      test: { service: { name: 'check', dependsOn: [{ service: 'api', condition: 'service_started' }] }, gate: false },
    },
  },
  'x-treehouse as a table': {
    files: web('expose: ["1"]', 'x-treehouse: {expose: {web: 8080}}'),
    stack: { exposed: [{ service: 'web', port: 8080 }] },
  },
  'x-treehouse as one word': {
    files: web('expose: ["1"]', 'x-treehouse: {expose: web}'),
    stack: { exposed: [{ service: 'web', port: 1 }] },
  },
  'a test by its name, or of the profile': {
    files: {
      'compose.yml':
        'services: {web: {image: busybox}, other: {image: busybox, profiles: [test]}, test: {image: busybox, profiles: [test]}}',
    },
    changes: ['services.other: left out: test is the test'],
    stack: { services: [{ name: 'web' }], test: { service: { name: 'test' }, gate: true } },
  },
  'web before what else has ports, what is built before what is not': {
    files: {
      'compose.yml':
        'services: {db: {image: postgres, ports: ["5432"]}, app: {build: {dockerfile_inline: FROM busybox}, expose: ["1"]}}',
    },
    changes: [`services.db.ports: ${NOT_PUBLISHED}`],
    stack: { exposed: [{ service: 'app', port: 1 }] },
  },
  'names that JavaScript knows': {
    files: {
      'compose.yml':
        'services: {constructor: {image: busybox, networks: [constructor], volumes: ["constructor:/x"]}, toString: {image: busybox, depends_on: [constructor]}}\n' +
        'networks: {constructor: {}}\nvolumes: {constructor: {}}',
    },
    stack: {
      services: [
        {
          name: 'constructor',
          networks: { constructor: [] },
          mounts: [{ kind: 'volume', volume: 'constructor', target: '/x', readOnly: false }],
        },
        { name: 'toString', dependsOn: [{ service: 'constructor', condition: 'service_started' }] },
      ],
      volumes: ['constructor'],
    },
  },
  'keys that are false where true is refused': { files: web('privileged: false, oom_kill_disable: false, tty: false') },
};

/** What is refused: every refusal as `path [rule]`, in order. */
const refused: Readonly<Record<string, { readonly files: Layout; readonly at: readonly string[] }>> = {
  privileged: { files: web('privileged: true'), at: ['services.web.privileged [privileged]'] },
  "the host's processes": { files: web('pid: host'), at: ['services.web.pid [pid]'] },
  "the host's memory": { files: web('ipc: host'), at: ['services.web.ipc [ipc]'] },
  "the host's network": { files: web('network_mode: host'), at: ['services.web.network_mode [network_mode]'] },
  "a neighbour's network": {
    files: web('network_mode: "th-main--shop-mwufyyiwva-default"'),
    at: ['services.web.network_mode [network_mode]'],
  },
  "the host's users": { files: web('userns_mode: host'), at: ['services.web.userns_mode [userns_mode]'] },
  "the host's name": { files: web('uts: host'), at: ['services.web.uts [uts]'] },
  'a control group': {
    files: web('cgroup: host, cgroup_parent: /x'),
    at: ['services.web.cgroup_parent [cgroup_parent]', 'services.web.cgroup [cgroup]'],
  },
  devices: {
    files: web('devices: ["/dev/kmsg:/dev/kmsg"], device_cgroup_rules: ["a *:* rwm"]'),
    at: ['services.web.device_cgroup_rules [device_cgroup_rules]', 'services.web.devices [devices]'],
  },
  'devices by way of deploy': {
    files: web('deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}'),
    at: ['services.web.deploy.resources.reservations.devices [devices]'],
  },
  capabilities: {
    files: web('cap_add: [CHOWN, SYS_ADMIN, all, cap_net_admin]'),
    at: ['services.web.cap_add [cap_add]', 'services.web.cap_add [cap_add]', 'services.web.cap_add [cap_add]'],
  },
  'less security': {
    files: web('security_opt: ["seccomp:unconfined"]'),
    at: ['services.web.security_opt [security_opt]'],
  },
  'settings of the kernel': { files: web('sysctls: {net.core.somaxconn: 1}'), at: ['services.web.sysctls [sysctls]'] },
  'another runtime': { files: web('runtime: runc'), at: ['services.web.runtime [runtime]'] },
  'volumes of a container': {
    files: web('volumes_from: ["container:x"]'),
    at: ['services.web.volumes_from [volumes_from]'],
  },
  'links out': { files: web('external_links: [prod_db]'), at: ['services.web.external_links [external_links]'] },
  'a driver of volumes': {
    files: web('volumes: ["vol:/v"]', 'volumes: {vol: {driver: sshfs, driver_opts: {device: "x:/"}}}'),
    at: ['volumes.vol.driver_opts [driver_opts]', 'volumes.vol.driver [driver]'],
  },
  'never killed for memory': {
    files: web('oom_kill_disable: true, oom_score_adj: -1000'),
    at: ['services.web.oom_kill_disable [oom_kill_disable]', 'services.web.oom_score_adj [oom_score_adj]'],
  },
  'the root of the host': { files: web('volumes: ["/:/host"]'), at: ['services.web.volumes[0] [bind]'] },
  'the folder above': {
    files: web('volumes: ["..:/x", "../x:/y"]'),
    at: ['services.web.volumes[0] [bind]', 'services.web.volumes[1] [bind]'],
  },
  'a home': { files: web('volumes: ["~/.ssh:/x"]'), at: ['services.web.volumes[0] [bind]'] },
  'a folder by a link that leads out': {
    files: { ...web('volumes: ["./etc:/x", "./etc/ssl:/y"]'), etc: { link: '/etc' } },
    at: ['services.web.volumes[0] [bind]', 'services.web.volumes[1] [bind]'],
  },
  "the engine's socket": {
    files: web('volumes: ["/var/run/docker.sock:/var/run/docker.sock"]'),
    at: ['services.web.volumes[0] [bind]'],
  },
  'a pipe as a volume': { files: { ...web('volumes: ["./p:/p"]'), p: 'fifo' }, at: ['services.web.volumes[0] [bind]'] },
  'a volume that Compose takes for a drive': {
    files: web('volumes: ["v:/v"]', 'volumes: {v: {}}'),
    at: ['services.web.volumes[0] [mount]'],
  },
  'a mount of another kind': {
    files: web('volumes: [{type: cluster, source: x, target: /x}]'),
    at: ['services.web.volumes[0] [mount]'],
  },
  'a network of others': {
    files: web('networks: [n]', 'networks: {n: {external: true, name: th-main--shop}}'),
    at: ['networks.n.external [external]'],
  },
  'a network of another kind': {
    files: web('networks: [n]', 'networks: {n: {driver: macvlan, driver_opts: {parent: eth0}}}'),
    at: ['networks.n.driver_opts [driver_opts]', 'networks.n.driver [driver]'],
  },
  'a volume of others': {
    files: web('volumes: ["vol:/v"]', 'volumes: {vol: {external: true, name: th-main--shop_db}}'),
    at: ['volumes.vol.external [external]'],
  },
  "a volume that is the host's folder": {
    files: web('volumes: ["vol:/v"]', 'volumes: {vol: {driver_opts: {type: none, o: bind, device: /}}}'),
    at: ['volumes.vol.driver_opts [driver_opts]'],
  },
  'a build of the folder above': {
    files: { 'compose.yml': 'services: {web: {build: ..}}' },
    at: ['services.web.build.context [inside]'],
  },
  'a build of a link that leads out': {
    files: {
      'compose.yml': 'services: {web: {build: ./x}}',
      x: { link: '../other' },
      '../other/Dockerfile': 'FROM busybox',
    },
    at: ['services.web.build.context [inside]'],
  },
  'a build of a repository elsewhere': {
    files: { 'compose.yml': 'services: {web: {build: "https://github.com/evil/x.git"}}' },
    at: ['services.web.build.context [inside]'],
  },
  'a Dockerfile outside': {
    files: {
      'compose.yml':
        'services: {a: {build: {dockerfile: ../Dockerfile}}, b: {build: {dockerfile: /etc/passwd}}, c: {build: {dockerfile: x}}}',
      x: { link: '/etc/passwd' },
      '../Dockerfile': 'FROM busybox',
    },
    at: [
      'services.a.build.dockerfile [inside]',
      'services.b.build.dockerfile [inside]',
      'services.c.build.dockerfile [inside]',
    ],
  },
  'a Dockerfile that is missing': {
    files: { 'compose.yml': 'services: {web: {build: .}}' },
    at: ['services.web.build.dockerfile [inside]'],
  },
  'further contexts from elsewhere': {
    files: {
      'compose.yml':
        'services: {web: {build: {dockerfile_inline: FROM busybox, additional_contexts: {a: "https://x.example/a.git", b: "docker-image://x", c: /etc}}}}',
    },
    at: ['a', 'b', 'c'].map((name) => `services.web.build.additional_contexts.${name} [inside]`),
  },
  "a build with the host's network, agent, secrets and rights": {
    files: {
      'compose.yml':
        'services: {web: {build: {dockerfile_inline: FROM busybox, network: host, ssh: [default], secrets: [s], privileged: true, extra_hosts: ["a:10.0.0.1"]}}}\nsecrets: {s: {file: ./s}}',
      s: 's',
    },
    at: [
      'services.web.build.ssh [ssh]',
      'services.web.build.extra_hosts [extra_hosts]',
      'services.web.build.secrets [secrets]',
      'services.web.build.privileged [privileged]',
      'services.web.build.network [network]',
    ],
  },
  "the environment of the host's processes": {
    files: web('env_file: /proc/self/environ'),
    at: ['services.web.env_file [inside]'],
  },
  'an env_file by a link that leads out': {
    files: { ...web('env_file: a.env'), 'a.env': { link: '../secret' }, '../secret': SECRET },
    at: ['services.web.env_file [inside]'],
  },
  'an env_file that never ends': {
    files: { ...web('env_file: [a.env, b.env]'), 'a.env': 'fifo', 'b.env': { link: '/dev/zero' } },
    at: ['services.web.env_file [inside]', 'services.web.env_file [inside]'],
  },
  'an env_file by a variable': {
    files: { ...web('env_file: "${X}"'), '.env': 'X=/etc/passwd' },
    at: ['services.web.env_file [inside]'],
  },
  'an env_file of a home': { files: web('env_file: ~/../admin-token'), at: ['services.web.env_file [inside]'] },
  'an env_file in base64': { files: web(`env_file: !!binary ${base64('/etc/passwd')}`), at: ['compose.yml [yaml]'] },
  'an env_file in base64, by a directive': {
    files: {
      'compose.yml': `%TAG !y! tag:yaml.org,2002:\n---\nservices: {web: {image: busybox, env_file: !y!binary ${base64('/etc/passwd')}}}`,
    },
    at: ['compose.yml [yaml]'],
  },
  'an env_file by a key in base64': {
    files: web(`!!binary ${base64('env_file')}: /etc/passwd`),
    at: ['compose.yml [yaml]'],
  },
  'an env_file whose name is a number': { files: web('env_file: 1e3'), at: ['services.web.env_file [inside]'] },
  ...Object.fromEntries(
    [
      ['next line', '\u0085'],
      ['line separator', '\u2028'],
      ['paragraph separator', '\u2029'],
      ['carriage return', '\r'],
    ].map(([name, mark]) => [
      `an env_file in a comment that a ${name} ends`,
      {
        files: { 'compose.yml': `services:\n  web:\n    image: busybox # x${mark}    env_file: /etc/passwd\n` },
        at: ['compose.yml [yaml]'],
      },
    ]),
  ),
  'a key behind a byte order mark': {
    files: { 'compose.yml': 'services: {web: {image: busybox}}\n\ufeffinclude: [/etc/passwd]\n' },
    at: ['compose.yml [yaml]'],
  },
  'an include over ssh': { files: web('', 'include: ["ssh://git@x.example/y.git"]'), at: ['include [inside]'] },
  'an include by git': {
    files: web(
      '',
      'include: ["https://github.com/x/y.git", "git@github.com:x/y.git", "github.com/x/y", "git://x/y", {path: ["oci://x/y"]}]',
    ),
    at: Array(5).fill('include [inside]'),
  },
  'an include of a file outside': {
    files: {
      ...web('', 'include: [../x.yml, /etc/passwd, in.yml]'),
      '../x.yml': 'services: {}',
      'in.yml': { link: '../x.yml' },
    },
    at: ['include [inside]', 'include [inside]', 'include [inside]'],
  },
  'an include whose paths are of another folder': {
    files: {
      ...web('', 'include: [{path: a/compose.yml, project_directory: b}]'),
      'a/compose.yml': 'services: {db: {image: redis, env_file: x.env}}',
      'a/x.env': 'A=1',
      'b/x.env': { link: '../../secret' },
      '../secret': SECRET,
    },
    at: ['services.db.env_file [inside]'],
  },
  'an include whose second file has paths of the first': {
    files: {
      ...web('', 'include: [{path: [a/compose.yml, b/more.yml]}]'),
      'a/compose.yml': 'services: {db: {image: redis}}',
      'b/more.yml': 'services: {db: {env_file: x.env}}',
      'b/x.env': 'A=1',
      'a/x.env': { link: '../../secret' },
      '../secret': SECRET,
    },
    at: ['services.db.env_file [inside]'],
  },
  'an include whose own .env leads out': {
    files: {
      ...web('', 'include: [a/compose.yml]'),
      'a/compose.yml': 'services: {db: {image: redis, hostname: "${SECRET}"}}',
      'a/.env': { link: '../../secret' },
      '../secret': SECRET,
    },
    at: ['include [inside]'],
  },
  'an include in a file that is included': {
    files: {
      ...web('', 'include: [a/compose.yml]'),
      'a/compose.yml': 'include: [n.yml]',
      'a/n.yml': 'services: {db: {image: redis, env_file: /etc/passwd}}',
    },
    at: ['services.db.env_file [inside]'],
  },
  'an include of a folder outside': {
    files: { ...web('', 'include: [{path: a.yml, project_directory: ..}]'), 'a.yml': 'services: {}' },
    at: ['include.project_directory [inside]'],
  },
  'extends outside': {
    files: {
      'compose.yml': 'services: {web: {extends: {file: ../x.yml, service: y}}}',
      '../x.yml': 'services: {y: {image: busybox}}',
    },
    at: ['services.web.extends [inside]'],
  },
  'extends over git': {
    files: { 'compose.yml': 'services: {web: {extends: {file: "ssh://x/y.git", service: y}}}' },
    at: ['services.web.extends [inside]'],
  },
  'an env_file of what is extended': {
    files: {
      'compose.yml': 'services: {web: {extends: {file: a/b.yml, service: y}}}',
      'a/b.yml': 'services: {y: {image: busybox, env_file: ../../secret}}',
      '../secret': SECRET,
    },
    at: ['services.y.env_file [inside]'],
  },
  'variables that steer compose, git, docker and the loader': {
    files: {
      ...web(''),
      '.env': [
        'COMPOSE_FILE=x.yml',
        'export COMPOSE_EXPERIMENTAL_GIT_REMOTE=1',
        'OK="1" GIT_SSH_COMMAND=touch\\ x',
        "A='b'DOCKER_HOST: tcp://evil.example:2375",
        'docker_config',
        '\ufeffLD_PRELOAD=/x.so',
        'B="two',
        'PATH=lines"',
        '# HOME=/is/a/comment',
      ].join('\n'),
    },
    at: [
      'COMPOSE_FILE',
      'COMPOSE_EXPERIMENTAL_GIT_REMOTE',
      'GIT_SSH_COMMAND',
      'DOCKER_HOST',
      'docker_config',
      'LD_PRELOAD',
      'PATH',
    ].map((key) => `.env: ${key} [env]`),
  },
  'a .env outside': {
    files: { ...web(''), '.env': { link: '../secret' }, '../secret': SECRET },
    at: ['.env [inside]'],
  },
  'a .env that never ends': { files: { ...web(''), '.env': 'fifo' }, at: ['.env [inside]'] },
  'secrets and configs from outside': {
    files: {
      ...web(
        'secrets: [a, b, c, d, e], configs: [f, g, h]',
        'secrets: {a: {file: ../s}, b: {environment: HOME}, c: {external: true, name: ../../key}, d: {file: ./folder}, e: {file: ./link}}\n' +
          'configs: {f: {file: /etc/passwd}, g: {environment: HOME}, h: {external: true}}',
      ),
      '../s': SECRET,
      folder: 'folder',
      link: { link: '../s' },
    },
    at: [
      'configs.f.file [inside]',
      'configs.g.environment [environment]',
      'configs.h.external [external]',
      'secrets.a.file [inside]',
      'secrets.b.environment [environment]',
      'secrets.d.file [inside]',
      'secrets.e.file [inside]',
      'secrets.c [names]',
    ],
  },
  'a secret elsewhere in the container': {
    files: {
      ...web(
        'secrets: [{source: a, target: ../../x}, {source: a, target: /etc/x}], configs: [{source: b, target: /a/../b}]',
        'secrets: {a: {file: ./a}}\nconfigs: {b: {file: ./a}}',
      ),
      a: 'a',
    },
    at: ['services.web.configs [target]', 'services.web.secrets [target]', 'services.web.secrets [target]'],
  },
  'a bomb of aliases': {
    files: {
      'compose.yml': `a: &a [x, x]\n${[...'bcdefghijklmnopqrstuvwxyz'].map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefghijklmnopqrstuvwxyz'[i]}`)}]`).join('\n')}`,
    },
    at: ['compose.yml [yaml]'],
  },
  'a file nested without end': {
    files: { 'compose.yml': `services: ${'['.repeat(200_000)}` },
    at: ['compose.yml [yaml]'],
  },
  'two documents': {
    files: { 'compose.yml': 'services: {web: {image: a}}\n---\nservices: {web: {image: b}}' },
    at: ['compose.yml [files]'],
  },
  'UTF-16': {
    files: { 'compose.yml': Buffer.from('\ufeffservices: {web: {image: a}}', 'utf16le') },
    at: ['compose.yml [files]'],
  },
  'a file of two megabytes': {
    files: { 'compose.yml': `# ${'x'.repeat(2 * 1024 * 1024)}\nservices: {web: {image: a}}` },
    at: ['compose.yml [files]'],
  },
  'a pipe for a compose file': { files: { 'compose.yml': 'fifo' }, at: ['compose.yml [inside]'] },
  'a compose file outside': {
    files: { 'compose.yml': { link: '../c.yml' }, '../c.yml': 'services: {web: {image: a}}' },
    at: ['compose.yml [inside]'],
  },
  'includes without end': {
    files: {
      ...web('', `include: [${Array.from({ length: 60 }, (_, index) => `${index}.yml`)}]`),
      ...Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`${index}.yml`, 'services: {}'])),
    },
    at: ['49.yml [files]'],
  },
  'names that are paths or prototypes': {
    files: { 'compose.yml': 'services: {"..": {image: a}, "__proto__": {image: a}, ".x": {image: a}}' },
    at: ['services... [names]', 'services..x [names]', 'services.__proto__ [names]'],
  },
  'a port range of ten thousand': {
    files: web('ports: ["20000-29999:30000-39999"]'),
    at: ['services.web.ports [limits]'],
  },
  'a hundred services': {
    files: { 'compose.yml': `services: {${Array.from({ length: 100 }, (_, index) => `s${index}: {image: a}`)}}` },
    at: ['services [limits]'],
  },
  'thirty networks': {
    files: web(
      `networks: [${Array.from({ length: 30 }, (_, index) => `n${index}`)}]`,
      `networks: {${Array.from({ length: 30 }, (_, index) => `n${index}: {}`)}}`,
    ),
    at: ['networks [limits]'],
  },
  'a hundred volumes': {
    files: web(
      `volumes: [${Array.from({ length: 100 }, (_, index) => `"v${index}:/v/${index}"`)}]`,
      `volumes: {${Array.from({ length: 100 }, (_, index) => `v${index}: {}`)}}`,
    ),
    at: ['volumes [limits]'],
  },
  'the host by its own name': {
    files: web('extra_hosts: ["host.docker.internal:host-gateway"]'),
    at: ['services.web.extra_hosts [extra_hosts]'],
  },
  'a restart policy that is none': { files: web('restart: sometimes'), at: ['services.web.restart [restart]'] },
  'nothing but profiles': { files: web('profiles: [dev]'), at: ['services [empty]'] },
  'x-treehouse that nobody understands': {
    files: web(
      '',
      'x-treehouse: {expose: ["web:0", "nope", "web:1", "web:2", "a b"], test: tset, tests: maybe, exspose: web}',
    ),
    at: [
      'x-treehouse.exspose [unknown]',
      'x-treehouse.tests [value]',
      'x-treehouse.expose [value]',
      'x-treehouse.expose [value]',
      'x-treehouse.expose [value]',
      'x-treehouse.test [value]',
      'x-treehouse.expose [value]',
    ],
  },
  'x-treehouse that is a word': { files: web('', 'x-treehouse: web'), at: ['x-treehouse [value]'] },
};

/** What Compose itself does not take, in words that are fit for the developer. */
const unreadable: Readonly<Record<string, { readonly files: Layout; readonly says: string | RegExp }>> = {
  'an unknown key': {
    files: web('colour: red'),
    says: 'the compose file cannot be read: validating compose.yml: services.web Additional property colour is not allowed',
  },
  'a service that depends on none': {
    files: web('depends_on: [db]'),
    says: 'the compose file cannot be read: service "web" depends on undefined service "db": invalid compose project',
  },
  'a variable that is required': {
    files: web('environment: {A: "${B:?give me B}"}'),
    says: 'the compose file cannot be read: error while interpolating services.web.environment.A: required variable B is missing a value: give me B',
  },
  'a file that is missing': {
    files: web('env_file: missing.env'),
    says: 'the compose file cannot be read: env file missing.env not found: stat missing.env: no such file or directory',
  },
  'neither image nor build': {
    files: { 'compose.yml': 'services: {web: {ports: ["80"]}}' },
    says: 'the compose file cannot be read: service "web" has neither an image nor a build context specified: invalid compose project',
  },
  'a bomb of variables': {
    files: {
      'compose.yml': `services: {web: {image: busybox, labels: {${Array.from({ length: 4000 }, (_, index) => `l${index}: "\${A}"`)}}}}`,
      '.env': `A=${'x'.repeat(900_000)}\n`,
    },
    says: 'the compose file cannot be read: with its variables filled in it grows too large',
  },
};

describe('accepted', () => {
  it.each(Object.keys(accepted))('%s', async (name) => {
    const { files, changes = [], stack = {} } = accepted[name] as Accepted;
    const verdict = await court.judge(files);
    expect(verdict.lines).toEqual(changes);
    expect(verdict.verdict).toBe('accepted');
    expect(verdict.stack).toMatchObject(stack);
  });
});

describe('refused', () => {
  it.each(Object.keys(refused))('%s', async (name) => {
    const row = refused[name] ?? { files: {}, at: [] };
    const verdict = await court.judge(row.files);
    expect(verdict.lines.map((line) => line.replace(/\]: .*$/s, ']'))).toEqual(row.at);
    expect(verdict.verdict).toBe('refused');
    for (const line of verdict.lines) {
      expect(line).toMatch(/\]: .{10,}/s);
      expect(line).not.toContain(court.folder);
    }
  });
});

describe('unreadable', () => {
  it.each(Object.keys(unreadable))('%s', async (name) => {
    const row = unreadable[name] ?? { files: {}, says: '' };
    const verdict = await court.judge(row.files);
    expect(verdict.lines).toEqual([row.says]);
    expect(verdict.verdict).toBe('unreadable');
  });
});

describe('should something slip past the look at the sources', () => {
  /** What compose itself is asked to read, without anything that looks at the files before. */
  async function readDirectly(files: Layout): Promise<unknown> {
    const root = await court.layOut(files);
    const env = typeof files['.env'] === 'string' ? files['.env'] : undefined;
    const { signal } = new AbortController();
    return court.commands.read({ root, files: [path.join(root, 'compose.yml')], env, signal }).then(
      (model) => JSON.stringify(model),
      (error: Error) => error.message,
    );
  }

  it.each([
    ['an include', 'include: ["ssh://git@127.0.0.1:9/x.git"]\nservices: {web: {image: busybox}}'],
    ['extends', 'services: {web: {extends: {file: "ssh://git@127.0.0.1:9/x.git", service: y}}}'],
    ['a build', 'services: {web: {build: "ssh://git@127.0.0.1:9/x.git"}}'],
  ])('no command is run for %s over git', async (_what, compose) => {
    const marker = path.join(court.folder, 'marker');
    const command = `touch ${marker}`;
    const said = await readDirectly({
      'compose.yml': compose,
      '.env': `COMPOSE_EXPERIMENTAL_GIT_REMOTE=1\nGIT_SSH_COMMAND=${command}\nGIT_SSH=${command}\nCOMPOSE_FILE=other.yml\nDOCKER_HOST=ssh://127.0.0.1:9\n`,
      'other.yml': 'services: {other: {image: busybox}}',
    });
    expect(said).not.toContain('other');
    await expect(access(marker)).rejects.toThrow('ENOENT');
  });

  it.each([
    ['an include of text', 'include: [../host]'],
    ['an include of YAML', 'include: [../host.yml]'],
    ['an include of a project', 'include: [../project.yml]'],
    ['an env_file', 'services: {web: {image: busybox, env_file: ../host}}'],
    ['extends', 'services: {web: {extends: {file: ../host, service: web}}}'],
    ['extends of YAML', 'services: {web: {extends: {file: ../host.yml, service: web}}}'],
  ])("no line of the host's files is said of %s", async (_what, compose) => {
    const said = await readDirectly({
      'compose.yml': `${compose}\n`,
      '../host': 'hunter2 / is = the: password\n',
      '../host.yml': 'hunter2: hunter2\nservices: {web: [hunter2]}\n',
      '../project.yml': 'services: {db: {image: "x:${hunter2"}}\n',
    });
    expect(said).toContain('the compose file cannot be read: ');
    expect(said).not.toContain('hunter2');
  });
});
