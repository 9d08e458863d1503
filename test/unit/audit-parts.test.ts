import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ContainerFacts, Facts, MountFacts } from '../../src/audit/facts.ts';
import { dangerousNeighbours, engineReached, neighboursOfPreviews } from '../../src/audit/host-judges.ts';
import { EXCEPTIONS, ownParts } from '../../src/audit/part-judges.ts';
import { GOOD, GOOD_CONTAINER, withEngine } from '../support/audit.ts';

const { home } = GOOD.settings;
const bind = (source: string, writable = true): MountFacts => ({ type: 'bind', source, target: '/x', writable });
const SOCKET = bind('/var/run/docker.sock');

/** A host on which one part of this installation runs. */
function running(name: string, change: Partial<ContainerFacts> = {}, of = home): Facts {
  const container = { ...GOOD_CONTAINER, capAdd: [], mounts: [], ...change };
  const others = [
    { name: `treehouse-${name}-1`, privileged: false, mounts: container.mounts, part: { name, home: of, container } },
  ];
  return withEngine({ others });
}

describe('the parts of an installation', () => {
  it.each([
    [
      'walls',
      {
        user: '0:0',
        networkMode: 'host',
        capAdd: ['NET_ADMIN', 'DAC_OVERRIDE'],
        mounts: [bind(home), bind('/run/treehouse-10001')],
      },
    ],
    ['docker-socket-proxy', { mounts: [SOCKET] }],
    ['gateway', { mounts: [bind(`${home}/nginx`)] }],
    ['entrance', { ports: [{ port: '8080/tcp', address: '0.0.0.0' }] }],
    [
      'worker',
      {
        mounts: [
          bind(home),
          bind('/run/treehouse-10001'),
          bind('/sys/fs/cgroup', false),
          bind('/etc/treehouse', false),
        ],
      },
    ],
    ['registry', { ports: [{ port: '5000/tcp', address: '127.0.0.1' }], mounts: [bind(`${home}/parts/registry`)] }],
  ] as [string, Partial<ContainerFacts>][])('may be what docker-compose.yml makes of them: %s', (name, change) => {
    expect(ownParts(running(name, change))).toBeUndefined();
  });

  it.each([
    ['serve', { networkMode: 'host' }, "it is in the host's network namespace (namespaces)"],
    ['serve', { user: '' }, 'it runs as root'],
    ['worker', { mounts: [SOCKET] }, '(socket-mount)'],
    ['gateway', { mounts: [bind(home)] }, `it has ${home} of the host`],
    ['gateway', { capAdd: ['NET_ADMIN'] }, 'it has NET_ADMIN (caps-added)'],
    ['redis', { readOnlyRoot: false }, '(read-only-root)'],
    ['redis', { ports: [{ port: '6379/tcp', address: '0.0.0.0' }] }, '(published-ports)'],
    ['registry', { mounts: [bind('/etc', false)] }, 'it has /etc of the host'],
    ['walls', { privileged: true }, '(privileged)'],
    ['walls', { mounts: [SOCKET] }, '(socket-mount)'],
    ['docker-socket-proxy', { memory: 0 }, 'it may use all memory of the host (memory)'],
    ['docker-socket-proxy', { logOptions: {} }, '(log-bounded)'],
  ] as [string, Partial<ContainerFacts>, string][])(
    'asks of each part what it asks of a preview, but for what it cannot do without: %s %o',
    (name, change, said) => {
      expect(ownParts(running(name, change))).toMatchObject({ found: expect.stringContaining(said) });
    },
  );

  it('are no strangers beside previews; those of another home are', () => {
    const own = running('docker-socket-proxy', { mounts: [SOCKET] });
    expect([neighboursOfPreviews(own), dangerousNeighbours(own)]).toEqual([undefined, undefined]);
    const other = running('docker-socket-proxy', { mounts: [SOCKET] }, '/elsewhere');
    expect(neighboursOfPreviews(other)).toMatchObject({ found: expect.stringContaining('1 other containers') });
    expect(dangerousNeighbours(other)).toMatchObject({ found: expect.stringContaining('docker-socket-proxy') });
    expect(ownParts(other)).toBeUndefined();
  });

  it('reach the engine by the door, or say that they do without', () => {
    const settings = { ...GOOD.settings, dockerHost: 'tcp://engine-works:2375', engineHere: true };
    expect(engineReached({ ...running('docker-socket-proxy', { mounts: [SOCKET] }), settings })).toBeUndefined();
    expect(engineReached({ ...GOOD, settings })).toMatchObject({ found: expect.stringContaining('without TLS') });
  });

  it('have their exceptions in docs/security.md', () => {
    const page = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8');
    const rows = page
      .split("## Treehouse's own containers")[1]
      ?.split('\n### ')[0]
      ?.match(/^\| `.*$/gm);
    expect(rows).toEqual(EXCEPTIONS.map(({ part, rule, why }) => `| \`${part}\` | \`${rule}\` | ${why} |`));
  });
});
