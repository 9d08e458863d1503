/** What an audit looks at. Values of secrets are in none of it: what reads them keeps the names alone. */

/** What could not be looked at, and why. */
export interface Unseen {
  readonly unseen: string;
}
export type Seen<T> = T | Unseen;

export function isUnseen(value: unknown): value is Unseen {
  return typeof value === 'object' && value !== null && 'unseen' in value;
}

export interface Facts {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly host: HostFacts;
  readonly home: HomeFacts;
  readonly settings: Settings;
  readonly engine: Seen<EngineFacts>;
}

export interface HostFacts {
  /** Undefined where the engine is reached by TCP. */
  readonly socket: Seen<SocketFacts> | undefined;
  readonly listeners: Seen<readonly Listener[]>;
  /** Where the engine's API answers without TLS. */
  readonly plainApi: Seen<readonly Listener[]>;
  readonly kernel: KernelFacts;
  /** Whether the host is a virtual machine itself. */
  readonly virtual: Seen<boolean>;
  readonly disks: readonly DiskFacts[];
  /** Whether the rules of the firewall that keep previews from the host are there. */
  readonly walls: Seen<boolean>;
}

export interface SocketFacts {
  readonly path: string;
  readonly uid: number;
  readonly mode: number;
  readonly group: string;
  /** Users who may use it by that group, root aside. */
  readonly members: readonly string[];
}

export interface Listener {
  readonly address: string;
  readonly port: number;
}

export interface KernelFacts {
  readonly release: string;
  /** Undefined where it does not say when it was built. */
  readonly built: number | undefined;
  /** Whether a newer one is installed and waits for a restart. */
  readonly restartWaits: boolean;
}

export interface DiskFacts {
  readonly what: string;
  readonly path: string;
  /** Shares that are free, of 1. */
  readonly space: number;
  readonly inodes: number;
  /** Whether it is the file system of the root directory. */
  readonly isRoot: boolean;
}

export interface HomeFacts {
  readonly path: string;
  /** Undefined where there is no such folder yet. */
  readonly folder: Seen<FileMode> | undefined;
  /** Keys, passwords and what is sealed with them, by their path in the home. */
  readonly keys: readonly (FileMode & { readonly name: string })[];
  /** Of the gateway's certificate; undefined where there is none. */
  readonly tlsKey: Seen<FileMode> | undefined;
  /** The configuration's file. */
  readonly config: (FileMode & { readonly path: string }) | undefined;
  readonly redisPort: number | undefined;
  readonly registryPort: number | undefined;
  readonly dockerfiles: readonly DockerfileFacts[];
}

export interface FileMode {
  readonly mode: number;
  readonly uid: number;
}

/** A Dockerfile of a checkout that a build of Treehouse was made from. */
export interface DockerfileFacts {
  readonly preview: string;
  readonly path: string;
  /** Images of FROM that are no stages of it. */
  readonly bases: readonly string[];
}

/** Of Treehouse's configuration, what an audit asks of. */
export interface Settings {
  readonly home: string;
  readonly host: string;
  readonly port: number;
  readonly gatewayHost: string;
  readonly gatewayPort: number;
  readonly tls: { readonly key: string } | undefined;
  readonly trustedProxies: readonly string[];
  /** Is in the networks of previews, if it is a container. */
  readonly gatewayContainer?: string | undefined;
  readonly firewall: 'auto' | 'on' | 'off';
  readonly egress: 'internet' | 'all' | 'none';
  readonly redisUrl: string | undefined;
  readonly registry: string | undefined;
  readonly dockerHost: string | undefined;
  readonly engineHere?: boolean;
  readonly repositories: readonly {
    readonly name: string;
    readonly scan?: unknown;
    readonly images?: unknown;
  }[];
}

export interface EngineFacts {
  readonly version: string;
  readonly built: number | undefined;
  /** As `docker info` has them: `name=seccomp,profile=builtin`. */
  readonly securityOptions: readonly string[];
  readonly liveRestore: boolean;
  readonly rootDir: string;
  readonly loggingDriver: string;
  readonly cgroupVersion: string;
  readonly limits: { readonly memory: boolean; readonly swap: boolean; readonly cpu: boolean; readonly pids: boolean };
  /** Registries that are spoken to without TLS: networks and names. */
  readonly insecureRegistries: readonly string[];
  /** Running containers of previews. */
  readonly containers: readonly ContainerFacts[];
  /** All other running containers. */
  readonly others: readonly OtherContainer[];
}

/** A container that says it is a part of an installation of Treehouse. */
export interface PartFacts {
  readonly name: string;
  /** Of which home. */
  readonly home: string;
  readonly container: ContainerFacts;
}

export interface OtherContainer {
  readonly part?: PartFacts | undefined;
  readonly name: string;
  readonly privileged: boolean;
  readonly mounts: readonly MountFacts[];
}

export interface ContainerFacts {
  readonly id: string;
  /** Which Treehouse made it. */
  readonly instance: string;
  readonly preview: string;
  readonly service: string;
  readonly role: string;
  readonly privileged: boolean;
  readonly user: string;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly securityOpt: readonly string[];
  readonly appArmorProfile: string;
  readonly readOnlyRoot: boolean;
  readonly memory: number;
  readonly memorySwap: number;
  readonly cpu: boolean;
  readonly pids: number;
  readonly oomKillDisabled: boolean;
  readonly devices: number;
  readonly networkMode: string;
  readonly pidMode: string;
  readonly ipcMode: string;
  readonly utsMode: string;
  readonly usernsMode: string;
  readonly cgroupnsMode: string;
  readonly networks: readonly NetworkFacts[];
  readonly mounts: readonly MountFacts[];
  readonly ports: readonly { readonly port: string; readonly address: string }[];
  readonly hasHealthCheck: boolean;
  readonly restart: string;
  readonly logDriver: string;
  readonly logOptions: Readonly<Record<string, string>>;
  /** Names of variables that look like secrets. */
  readonly secretVariables: readonly SecretName[];
  /** Names of options of its command that look so. */
  readonly secretArguments: readonly string[];
  /** The number of its first process on the host. */
  readonly pid: number;
  readonly processes: Seen<readonly ProcessFacts[]>;
  /** As it was asked for. */
  readonly imageName: string;
  readonly image: Seen<ImageFacts>;
}

export interface SecretName {
  readonly name: string;
  readonly why: string;
}

export interface NetworkFacts {
  readonly name: string;
  /** Who else is in it: other previews by id, other containers by name. */
  readonly previews: readonly string[];
  readonly strangers: readonly string[];
}

export interface MountFacts {
  readonly type: string;
  /** Path on the host; of a volume that is a folder of the host, too. */
  readonly source: string;
  readonly target: string;
  readonly writable: boolean;
}

export interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  readonly program: string;
}

export interface ImageFacts {
  readonly user: string;
  readonly created: number | undefined;
  readonly size: number;
  /** Whether it came from a registry, so that a digest names it. */
  readonly hasDigest: boolean;
  /** Whether a Treehouse built it. */
  readonly isBuilt: boolean;
  /** Names that look like secrets, of its variables and its history. */
  readonly secrets: readonly SecretName[];
}
