const http = require('node:http');
const net = require('node:net');
function count(done) {
  const redis = net.connect(6379, process.env.REDIS_HOST, () => redis.write('INCR visits\r\n'));
  redis.once('data', (text) => redis.end(done(String(text).trim())));
  redis.once('error', (error) => done(error.code));
}
http.createServer((_, answer) => count((visits) => answer.end(`node-and-redis ${visits}\n`))).listen(3000);
process.on('SIGTERM', () => process.exit(0));
