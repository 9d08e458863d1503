const http = require('node:http');
http.createServer((_, answer) => answer.end('api\n')).listen(3000);
process.on('SIGTERM', () => process.exit(0));
