/** Repositories as people have them; their base images come from test/images. */
import type { Files } from './repo.ts';

/**
 * The compose file of the talk (../shared/deck.txt, "Docker-compose") to the letter, with a service around it that
 * counts in redis, and a test service whose verdict is in test.sh.
 */
export function talk(text: string): Files {
  return {
    'docker-compose.yml': `version: '3'
services:
  web:
    build: .
    ports:
      - "5000:5000"
    volumes:
      - ./code
      - logvolume01:/var/log
    links:
      - redis
  redis:
    image: redis
  test:
    build: .
    profiles: [test]
    links:
      - redis
    command: ["sh", "/app/test.sh"]
volumes:
  logvolume01: {}
`,
    Dockerfile: `FROM node:20-slim
COPY server.js text.txt test.sh /app/
EXPOSE 5000
CMD ["node", "/app/server.js"]
`,
    'server.js': `const http = require('http'), net = require('net'), fs = require('fs');
const text = fs.readFileSync('/app/text.txt', 'utf8');
function incr(done) {
  const s = net.connect(6379, 'redis', () => s.write('INCR hits\\r\\n'));
  s.once('data', (d) => { done(String(d).trim()); s.end(); });
  s.once('error', (e) => done(e.code));
}
http.createServer((q, r) => incr((n) => { fs.appendFileSync('/var/log/hits', 'x'); r.end(text + ' hit ' + n + '\\n'); }))
  .listen(5000);
process.on('SIGTERM', () => process.exit(0));
`,
    'text.txt': text,
    'test.sh': 'echo all is well\n',
  };
}

/** web → api → worker and postgres, each waiting for what it needs to be healthy. */
export function fourServices(text: string): Files {
  const node = (name: string, more = '') => `FROM node:20-slim
COPY ${name} /app/
${more}CMD ["node", "/app/server.js"]
`;
  return {
    'compose.yaml': `services:
  web:
    build: {context: ., dockerfile: web.Dockerfile}
    ports: ["8080:3000"]
    depends_on:
      api: {condition: service_healthy}
  api:
    build: {context: ./api}
    environment:
      DATABASE_HOST: db
    depends_on:
      db: {condition: service_healthy}
      worker: {condition: service_started}
    healthcheck:
      test: ["CMD", "node", "-e", "require('http').get('http://127.0.0.1:4000/', (r) => process.exit(r.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
      interval: 2s
  worker:
    build: {context: ./worker}
    restart: always
  db:
    image: postgres:16-alpine
    environment: {POSTGRES_PASSWORD: secret}
    volumes: ["data:/var/lib/postgresql/data"]
    healthcheck:
      test: ["CMD-SHELL", "pg_isready -U postgres"]
      interval: 5s
volumes:
  data:
`,
    'web.Dockerfile': node('web'),
    'web/server.js': `const http = require('http'), fs = require('fs');
const page = fs.readFileSync('/app/index.html', 'utf8');
http.createServer((q, r) => http.get('http://api:4000/', (a) => { let b = ''; a.on('data', (d) => b += d); a.on('end', () => r.end(page + b)); })
  .on('error', (e) => { r.statusCode = 502; r.end(e.code); })).listen(3000);
process.on('SIGTERM', () => process.exit(0));
`,
    'web/index.html': text,
    'api/Dockerfile': node('.'),
    'api/server.js': `const http = require('http'), net = require('net');
http.createServer((q, r) => { const s = net.connect(5432, process.env.DATABASE_HOST, () => { s.end(); r.end(' the database answers\\n'); });
  s.once('error', (e) => { r.statusCode = 503; r.end(e.code); }); }).listen(4000);
process.on('SIGTERM', () => process.exit(0));
`,
    'worker/Dockerfile': node('.'),
    'worker/server.js': `setInterval(() => {}, 1000); process.on('SIGTERM', () => process.exit(0));
`,
  };
}

export function plainDockerfile(text: string): Files {
  return {
    Dockerfile: `FROM busybox
COPY index.html /www/index.html
EXPOSE 8000
CMD ["httpd", "-f", "-p", "8000", "-h", "/www"]
`,
    'index.html': text,
  };
}

export function staticFolder(text: string): Files {
  return { 'public/index.html': `<h1>${text}</h1>`, 'public/style.css': 'h1 { color: green }' };
}

export function withText(file: string, text: string): Files {
  return { [file]: text };
}
