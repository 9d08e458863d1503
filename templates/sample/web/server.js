// Serves the page, with the visits that the counter counts.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { countVisit } from './counter.js';
import { page } from './page.js';

const greeting = readFileSync(new URL('greeting.txt', import.meta.url), 'utf8').trim();

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://sample');
  if (pathname === '/healthz') return response.end('ok\n');
  if (pathname !== '/')
    return response.writeHead(404, { 'content-type': 'text/plain' }).end('There is only one page here: /\n');

  const visits = await countVisit();
  const host = request.headers['x-forwarded-host'] ?? request.headers.host ?? '';
  const headers = { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' };
  response.writeHead(200, headers).end(page({ greeting, host, visits }));
});

server.listen(3000, () => console.log('The sample listens on port 3000.'));
process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
