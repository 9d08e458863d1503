/** What every container of a preview is held to, whatever its compose file says. */

/** Bounds of one container; bytes, cores and counts. */
export interface Limits {
  /** Given where the file asks for nothing, and the most that it gets. Swap is none. */
  readonly memory: { readonly usual: number; readonly most: number };
  readonly cpus: { readonly usual: number; readonly most: number };
  readonly pids: { readonly usual: number; readonly most: number };
  /** Open files. */
  readonly files: number;
  /** The largest file that it may write. */
  readonly fileSize: number;
  readonly shm: number;
  /** Of each tmpfs. */
  readonly tmpfs: number;
  /** Whether every root file system is read-only, asked for or not. */
  readonly readOnly: boolean;
}

/** Bounds of all build steps of the engine together. */
export interface BuildLimits {
  /** Bytes, swap included. */
  readonly memory: number;
  readonly cpus: number;
  readonly pids: number;
}

const MIB = 1024 * 1024;

/** Seconds between two health checks, at least: once a container is healthy, and while it starts. */
export const SHORTEST_CHECK = { interval: 1, start_interval: 0.1 } as const;

export const DEFAULT_LIMITS: Limits = {
  memory: { usual: 1024 * MIB, most: 2048 * MIB },
  cpus: { usual: 1, most: 2 },
  pids: { usual: 256, most: 1024 },
  files: 16_384,
  fileSize: 4096 * MIB,
  shm: 128 * MIB,
  tmpfs: 128 * MIB,
  readOnly: false,
};

/**
 * Capabilities that ordinary images need to start as root and become someone else. Of Docker's own set NET_RAW, MKNOD,
 * SYS_CHROOT, SETPCAP, AUDIT_WRITE, SETFCAP and FSETID are gone.
 */
export const CAPABILITIES: readonly string[] = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'KILL',
  'NET_BIND_SERVICE',
  'SETGID',
  'SETUID',
];

/** What a service may ask for: the usual ones, and FSETID, which reaches no further. */
export const GRANTABLE_CAPABILITIES: ReadonlySet<string> = new Set([...CAPABILITIES, 'FSETID']);

/** What an admin changes of policy for one repository. */
export interface PolicyRules {
  /** `service.tty` → what becomes of the key there, whatever the table says. */
  readonly keys: Readonly<Record<string, 'allow' | 'drop' | 'refuse'>>;
  /** Capabilities, without CAP_, that services may ask for beside the usual ones. */
  readonly capabilities: readonly string[];
  readonly limits: Limits;
}

/** What the engine says of a container's walls; see `differences`. */
export interface ContainerFacts {
  readonly privileged: boolean;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly securityOpt: readonly string[];
  readonly networkMode: string;
  readonly pidMode: string;
  readonly ipcMode: string;
  readonly utsMode: string;
  readonly usernsMode: string;
  readonly cgroupParent: string;
  readonly runtime: string;
  /** Paths on the host; requests for devices and rules for them by their words. */
  readonly devices: readonly string[];
  readonly sysctls: readonly string[];
  readonly volumesFrom: readonly string[];
  readonly publishedPorts: readonly string[];
  readonly memory: number;
  readonly memorySwap: number;
  readonly cpus: number;
  readonly pids: number;
  readonly networks: readonly string[];
  readonly mounts: readonly MountFacts[];
  readonly virtualHost: string | undefined;
  /** Names of its labels, its image's among them. */
  readonly labels: readonly string[];
}

/**
 * Labels by which nginx-proxy and acme-companion take a container for one of their own, or write words of it into nginx's
 * configuration. An image can bring them, and the engine takes no label away.
 */
const PROXY_LABELS = /^com\.github\.(?:nginx-proxy|jrcs)\b/i;

export interface MountFacts {
  readonly type: string;
  /** Path on the host, or a volume's name. */
  readonly source: string;
  readonly target: string;
  readonly writable: boolean;
}

/** What of it was planned. */
export interface PlannedFacts {
  readonly capAdd: readonly string[];
  readonly networks: readonly string[];
  readonly mounts: readonly MountFacts[];
  readonly virtualHost: string | undefined;
  /** Paths on the host, where an admin allows devices. */
  readonly devices: readonly string[];
  /** Names, where an admin allows them. */
  readonly sysctls: readonly string[];
}

/**
 * Where a container is not what was planned, one sentence each; empty where it is. Compose, a newer engine or an image may
 * have added what no table foresaw.
 */
export function differences(facts: ContainerFacts, planned: PlannedFacts): readonly string[] {
  const found: string[] = [];
  const expect = (right: boolean, text: string): void => {
    if (!right) found.push(text);
  };
  const set = (list: readonly string[]): string =>
    [...new Set(list.map((one) => one.replace(/^CAP_/, '')))].sort().join(' ');
  expect(!facts.privileged, 'it is privileged');
  expect(set(facts.capDrop) === 'ALL', 'it does not drop all capabilities');
  expect(set(facts.capAdd) === set(planned.capAdd), `it has the capabilities ${set(facts.capAdd) || 'none'}`);
  expect(
    facts.securityOpt.some((one) => /^no-new-privileges(?:[:=]true)?$/.test(one)),
    'it may gain privileges',
  );
  expect(
    facts.securityOpt.some((one) => /^seccomp[:=]\s*\{/.test(one)),
    "it does not run under Treehouse's seccomp profile",
  );
  const extra = facts.securityOpt.filter((one) => !/^(?:no-new-privileges|seccomp)\b/.test(one));
  expect(extra.length === 0, `it has the security options ${extra.map((one) => one.slice(0, 40)).join(', ')}`);
  // A name or an id; which networks it is in is compared below.
  expect(
    !/^(?:host|none|bridge|default|container:|ns:)/.test(facts.networkMode),
    `it runs in the network '${facts.networkMode}'`,
  );
  const foreign = facts.networks.filter((one) => !planned.networks.includes(one));
  expect(foreign.length === 0, `it is in the networks ${foreign.join(', ')}`);
  expect(['', 'private'].includes(facts.pidMode), `its pid namespace is ${facts.pidMode}`);
  expect(['', 'private'].includes(facts.ipcMode), `its ipc namespace is ${facts.ipcMode}`);
  expect(facts.utsMode === '', `its uts namespace is ${facts.utsMode}`);
  expect(facts.usernsMode === '', `its user namespace is ${facts.usernsMode}`);
  expect(facts.cgroupParent === '', `its cgroup parent is ${facts.cgroupParent}`);
  expect(['', 'runc'].includes(facts.runtime), `its runtime is ${facts.runtime}`);
  const devices = facts.devices.filter((one) => !planned.devices.includes(one));
  expect(devices.length === 0, `it has devices: ${devices.join(', ')}`);
  const sysctls = facts.sysctls.filter((one) => !planned.sysctls.includes(one));
  expect(sysctls.length === 0, `it sets ${sysctls.join(', ')}`);
  const steering = facts.labels.filter((one) => PROXY_LABELS.test(one));
  expect(steering.length === 0, `its image has the label ${steering.join(', ')}, by which it would steer a proxy`);
  expect(facts.volumesFrom.length === 0, "it has another container's volumes");
  expect(facts.publishedPorts.length === 0, `it publishes ${facts.publishedPorts.join(', ')}`);
  expect(facts.memory > 0 && facts.memorySwap === facts.memory, 'its memory is not limited');
  expect(facts.cpus > 0, 'its CPU time is not limited');
  expect(facts.pids > 0, 'its processes are not limited');
  for (const mount of facts.mounts) {
    const same = planned.mounts.some(
      (one) =>
        one.type === mount.type &&
        one.target === mount.target &&
        (one.type === 'tmpfs' || one.source === mount.source) &&
        (one.writable || !mount.writable),
    );
    expect(same, `it has ${mount.writable ? 'writable ' : ''}${mount.source || mount.type} at ${mount.target}`);
  }
  expect((facts.virtualHost ?? '') === (planned.virtualHost ?? ''), `it claims the host ${facts.virtualHost}`);
  return found;
}
