/** What policy says of each key of a compose file. A key that is not here is refused by name. See docs/policy.md. */

export type Verdict =
  /** Kept as the file says it. */
  | { readonly verdict: 'allow' }
  /** Read by a function of harden.ts, which keeps, changes or refuses parts of it. */
  | { readonly verdict: 'read' }
  /** Left out; `message` is listed as a change. */
  | { readonly verdict: 'drop'; readonly message: string }
  /** Left out without a word: it says nothing about what runs. */
  | { readonly verdict: 'skip' }
  | { readonly verdict: 'refuse'; readonly message: string };

const allow: Verdict = { verdict: 'allow' };
const read: Verdict = { verdict: 'read' };
const skip: Verdict = { verdict: 'skip' };
const drop = (message: string): Verdict => ({ verdict: 'drop', message });
const refuse = (message: string): Verdict => ({ verdict: 'refuse', message });

export type Table = ReadonlyMap<string, Verdict>;
const table = (rows: Record<string, Verdict>): Table => new Map(Object.entries(rows));

const HOST = 'it reaches into the host; remove it';
const KERNEL = 'it loosens what keeps a container apart from the host; remove it';
const BOUNDS = 'dropped: `cpus` and `mem_limit` are what counts';
const LIMITS = 'Treehouse sets the limits of a preview itself; remove it';

export const SERVICE_KEYS: Table = table({
  annotations: skip,
  attach: skip,
  build: read,
  cap_add: read,
  cap_drop: allow,
  command: allow,
  configs: read,
  container_name: drop('dropped: the container is named after the preview'),
  cpu_count: drop(BOUNDS),
  cpu_percent: drop(BOUNDS),
  cpu_quota: drop(BOUNDS),
  cpu_period: drop(BOUNDS),
  cpu_shares: drop(BOUNDS),
  cpus: allow,
  cpuset: drop('dropped: the host decides on which cores a preview runs'),
  depends_on: read,
  deploy: read,
  develop: skip,
  dns: allow,
  dns_opt: allow,
  dns_search: allow,
  domainname: allow,
  entrypoint: allow,
  environment: read,
  expose: read,
  extra_hosts: read,
  group_add: allow,
  healthcheck: read,
  hostname: allow,
  image: read,
  init: allow,
  labels: read,
  links: read,
  logging: drop('replaced: logs are kept by the engine, rotated'),
  mac_address: drop('dropped: the engine chooses it'),
  mem_limit: allow,
  mem_reservation: drop(BOUNDS),
  mem_swappiness: drop(BOUNDS),
  memswap_limit: drop(BOUNDS),
  networks: read,
  pids_limit: allow,
  platform: drop('dropped: images are built for this host'),
  ports: read,
  profiles: read,
  pull_policy: skip,
  read_only: allow,
  restart: read,
  scale: drop('dropped: one container of each service'),
  secrets: read,
  shm_size: allow,
  stdin_open: allow,
  stop_grace_period: allow,
  stop_signal: allow,
  tmpfs: allow,
  tty: allow,
  ulimits: allow,
  user: allow,
  volumes: read,
  working_dir: allow,

  blkio_config: refuse(LIMITS),
  cgroup: refuse(KERNEL),
  cgroup_parent: refuse(LIMITS),
  cpu_rt_period: refuse(LIMITS),
  cpu_rt_runtime: refuse(LIMITS),
  credential_spec: refuse(HOST),
  device_cgroup_rules: refuse(HOST),
  devices: refuse(HOST),
  external_links: refuse('it reaches a container that is not of this preview; remove it'),
  gpus: refuse(HOST),
  ipc: refuse(KERNEL),
  isolation: refuse(KERNEL),
  network_mode: refuse('a preview has networks of its own; use `networks:` instead'),
  oom_kill_disable: refuse(LIMITS),
  oom_score_adj: refuse(LIMITS),
  pid: refuse(KERNEL),
  post_start: refuse('hooks may run privileged; use the image or an own service instead'),
  pre_stop: refuse('hooks may run privileged; use the image instead'),
  privileged: refuse(KERNEL),
  provider: refuse('it runs a program on the host; remove it'),
  runtime: refuse(KERNEL),
  security_opt: refuse(KERNEL),
  storage_opt: refuse(LIMITS),
  sysctls: refuse(KERNEL),
  use_api_socket: refuse('it hands the engine to the container; remove it'),
  userns_mode: refuse(KERNEL),
  uts: refuse(KERNEL),
  volume_driver: refuse('volumes are local; remove it'),
  volumes_from: refuse("it mounts another container's volumes; name the volume instead"),
});

export const BUILD_KEYS: Table = table({
  additional_contexts: read,
  args: read,
  cache_from: skip,
  cache_to: skip,
  context: read,
  dockerfile: read,
  dockerfile_inline: read,
  extra_hosts: refuse('a build needs no hosts of its own; remove it'),
  isolation: refuse(KERNEL),
  labels: skip,
  network: read,
  no_cache: skip,
  platforms: drop('dropped: images are built for this host'),
  pull: skip,
  shm_size: skip,
  tags: skip,
  target: read,
  ulimits: skip,
  entitlements: refuse(KERNEL),
  privileged: refuse(KERNEL),
  secrets: refuse('build secrets read files and variables of the host; remove it'),
  ssh: refuse("it hands the host's SSH agent to the build; remove it"),
});

export const HEALTH_KEYS: Table = table({
  disable: allow,
  interval: read,
  retries: allow,
  start_interval: read,
  start_period: allow,
  test: allow,
  timeout: allow,
});

export const NETWORK_KEYS: Table = table({
  attachable: skip,
  driver: read,
  driver_opts: refuse('options of a network driver reach into the host; remove it'),
  enable_ipv6: skip,
  external: read,
  internal: read,
  ipam: read,
  labels: skip,
  name: skip,
});

export const VOLUME_KEYS: Table = table({
  driver: read,
  driver_opts: refuse("options of a volume driver can mount the host's folders; remove it"),
  external: read,
  labels: skip,
  name: skip,
});

export const FILE_KEYS: Table = table({
  content: read,
  environment: refuse('it reads the environment of the host; use a file of the repository'),
  external: read,
  file: read,
  labels: skip,
  name: skip,
  template_driver: refuse('it is a swarm feature; remove it'),
});

export const TOP_KEYS: Table = table({
  configs: read,
  name: skip,
  networks: read,
  secrets: read,
  services: read,
  version: skip,
  volumes: read,
});

export const TABLES = {
  file: TOP_KEYS,
  service: SERVICE_KEYS,
  build: BUILD_KEYS,
  healthcheck: HEALTH_KEYS,
  network: NETWORK_KEYS,
  volume: VOLUME_KEYS,
  config: FILE_KEYS,
} as const;
/** Which table a key is looked up in; `config` is for secrets too. */
export type Section = keyof typeof TABLES;

/**
 * Variables that a preview may not set: Treehouse, nginx-proxy and acme-companion read them of every container. Some become words
 * of nginx's configuration as they are, and two of ACME's are run as commands.
 */
export const RESERVED_VARIABLES =
  /^(?:VIRTUAL_|TREEHOUSE_|LETSENCRYPT_|ACMESH_|ZEROSSL_|(?:NETWORK_ACCESS|CERT_NAME|HTTPS_METHOD|HSTS|SSL_POLICY|SERVER_TOKENS|ENABLE_HTTP_ON_MISSING_CERT|ACME_(?:CA_URI|CERT_PROFILE|CHALLENGE|EAB_HMAC_KEY|EAB_KID|EMAIL|HOST|HTTP_CHALLENGE_LOCATION|KEYSIZE|OCSP|POST_HOOK|PRE_HOOK|PREFERRED_CHAIN|RENEW_AFTER|RENEW_PRIVATE_KEYS|RESTART_CONTAINER|SINGLE_DOMAIN_CERTS))$)/i;

/** Labels that a preview may not set. */
export const RESERVED_LABELS = /^(?:treehouse|com\.docker|com\.github\.nginx-proxy|com\.github\.jrcs)\b/i;

/**
 * Keys of a `.env` that steer compose, docker, git, buildx, the loader or the shell rather than fill in `${…}`. Compose makes
 * a `.env` its own process environment, where GIT_SSH_COMMAND once was a program that a git remote ran.
 */
const STEERING_KEYS =
  /^(?:COMPOSE_|DOCKER_|BUILDX_|BUILDKIT_|GIT_|SSH_|LD_|DYLD_|GO(?:DEBUG|TRACEBACK|MAXPROCS|GC|MEMLIMIT|ROOT|PATH)$|PATH$|HOME$|IFS$|BASH_ENV$|SHELL$|TMPDIR$|XDG_|OTEL_|HTTPS?_PROXY$|NO_PROXY$|ALL_PROXY$|CDPATH$|PYTHON(?:PATH|HOME|STARTUP)$|NODE_OPTIONS$|PERL5|RUBYOPT$|EDITOR$|PAGER$)/i;

/** Of these some are in many a `.env` and steer nothing here: Treehouse sets them itself, or no program reads them. */
const HARMLESS_KEYS =
  /^(?:COMPOSE_(?:PROJECT_NAME|PROFILES|HTTP_TIMEOUT|DOCKER_CLI_BUILD|BAKE)|DOCKER_(?:BUILDKIT|REGISTRY|IMAGE|TAG|USER|USERNAME|ORG)|GIT_(?:SHA|COMMIT|BRANCH|TAG|HASH|REVISION))$/;

export function isSteering(key: string): boolean {
  return STEERING_KEYS.test(key) && !HARMLESS_KEYS.test(key);
}
