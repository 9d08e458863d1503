/** The two stacks that are redeployed, and what a push changes in them. Both ways of running them can: `web` listens on 80. */
import type { Files } from '../test/support/repo.ts';

/** `web`: the page alone, the usual push. `every`: each service that is built. */
export type Change = 'web' | 'every';

export interface BenchStack {
  readonly name: 'one' | 'four';
  readonly services: string;
  readonly changes: readonly Change[];
  /** The whole stack, its page saying `text`. */
  files(text: string): Files;
  /** What a push changes so that the page says `text`. */
  change(kind: Change, text: string): Files;
}

/** It ends on SIGTERM, so that nobody waits ten seconds for it to be killed. */
const WEB = `const http = require('http'), fs = require('fs');
const page = fs.readFileSync('/app/index.html');
http.createServer((q, r) => r.end(page)).listen(80);
process.on('SIGTERM', () => process.exit(0));
`;

const NODE = `FROM node:20-slim
COPY . /app/
CMD ["node", "/app/server.js"]
`;

const HEALTH_TIMES = `interval: 5s
      start_period: 60s
      start_interval: 250ms`;

const one: BenchStack = {
  name: 'one',
  services: 'web',
  changes: ['web'],
  files: (text) => ({
    'docker-compose.yml': `services:
  web:
    build: ./web
    expose: ["80"]
`,
    ...webService(text),
  }),
  change: (_kind, text) => page(text),
};

const four: BenchStack = {
  name: 'four',
  services: 'web, api, worker, postgres',
  changes: ['web', 'every'],
  files: (text) => ({
    'docker-compose.yml': `services:
  web:
    build: ./web
    expose: ["80"]
    depends_on:
      api: {condition: service_healthy}
  api:
    build: ./api
    environment: {DATABASE_HOST: db}
    depends_on:
      db: {condition: service_healthy}
      worker: {condition: service_started}
    healthcheck:
      test: ["CMD", "node", "/app/healthy.js"]
      ${HEALTH_TIMES}
  worker:
    build: ./worker
    depends_on:
      db: {condition: service_healthy}
  db:
    image: postgres:16-alpine
    environment: {POSTGRES_PASSWORD: secret}
    volumes: ["data:/var/lib/postgresql/data"]
    healthcheck:
      test: ["CMD-SHELL", "pg_isready -U postgres"]
      ${HEALTH_TIMES}
volumes:
  data: {}
`,
    ...webService(text),
    'api/Dockerfile': NODE,
    'api/server.js': `const http = require('http'), net = require('net');
http.createServer((q, r) => {
  const s = net.connect(5432, process.env.DATABASE_HOST, () => { s.end(); r.end('the database answers'); });
  s.once('error', (e) => { r.statusCode = 503; r.end(e.code); });
}).listen(4000);
process.on('SIGTERM', () => process.exit(0));
`,
    'api/healthy.js': `require('http').get('http://127.0.0.1:4000/', (r) => process.exit(r.statusCode === 200 ? 0 : 1))
  .on('error', () => process.exit(1));
`,
    'worker/Dockerfile': NODE,
    'worker/server.js': `setInterval(() => {}, 1000);
process.on('SIGTERM', () => process.exit(0));
`,
    ...versions(text),
  }),
  change: (kind, text) => (kind === 'web' ? page(text) : { ...page(text), ...versions(text) }),
};

export const STACKS: readonly BenchStack[] = [one, four];

function webService(text: string): Files {
  return { 'web/Dockerfile': NODE, 'web/server.js': WEB, ...page(text) };
}

function page(text: string): Files {
  return { 'web/index.html': `<!doctype html><title>bench</title><p>${text}</p>\n` };
}

function versions(text: string): Files {
  return { 'api/version.txt': text, 'worker/version.txt': text };
}
