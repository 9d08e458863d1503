/** The labels by which the engine remembers what Treehouse runs. All of them, and nowhere else. */
export const LABEL = {
  /** Which Treehouse made it, by a name that its home keeps: two on one engine leave each other's things alone. */
  instance: 'treehouse.instance',
  preview: 'treehouse.preview',
  repository: 'treehouse.repository',
  branch: 'treehouse.branch',
  commit: 'treehouse.commit',
  service: 'treehouse.service',
  /** What the thing is for: `app`, `test`, `network`, `volume`, `image`, `seeded` on a mark that seeds ended well, or `unserved` on one that nothing served yet. */
  role: 'treehouse.role',
  build: 'treehouse.build',
  /** Hash of all that makes a service's container what it is; equal means it may be left alone. */
  config: 'treehouse.config',
  /** Host label and container port by which the gateway reaches it; empty on containers that are not exposed. */
  host: 'treehouse.host',
  port: 'treehouse.port',
  /** How many CPUs a container may use, whatever it is given for the moment: see domain/neighbours.ts. */
  cpus: 'treehouse.cpus',
  /** Bytes of memory that a container may use, since a list of containers does not tell. */
  memory: 'treehouse.memory',
  /** What starts before it when all of it is started again: `db:service_healthy worker:service_started`. */
  after: 'treehouse.after',
  /** Which network of the model a network is. */
  network: 'treehouse.network',
  /** On networks: the services that the build runs, by spaces, so that one that was removed is missed. */
  services: 'treehouse.services',
  /** On networks of a build whose compose file says after how long it sleeps: milliseconds. */
  idle: 'treehouse.idle',
  /** On networks of a build whose compose file says how to sign in: its lines as JSON. */
  login: 'treehouse.login',
  /** On containers, volumes and marks of a build that runs seeds: its id. See domain/seed.ts. */
  seed: 'treehouse.seed',
} as const;

/** Prefix of every label above; a branch may set none with it. */
export const LABEL_PREFIX = 'treehouse.';

export type Role = 'app' | 'test' | 'network' | 'volume' | 'image' | 'seeded' | 'unserved';
