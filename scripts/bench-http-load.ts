/**
 * Asks for one URL over and over on so many connections for so long, and prints `{"requests","bytes","seconds","errors"}`.
 * Used where there is no wrk. node scripts/bench-http-load.ts URL CONNECTIONS SECONDS [HEADER...]
 */
import { connect, type Socket } from 'node:net';

const [address = '', connections = '1', seconds = '1', ...headers] = process.argv.slice(2);
const { hostname, port, host, pathname } = new URL(address);
const request = [
  'GET ',
  pathname,
  ' HTTP/1.1\r\nHost: ',
  host,
  '\r\n',
  ...headers.map((line) => `${line}\r\n`),
  '\r\n',
].join('');
let requests = 0;
let bytes = 0;
let errors = 0;
const sockets: Socket[] = [];

function drive(socket: Socket): void {
  let left = 0;
  let head = '';
  socket.on('connect', () => socket.write(request));
  socket.on('error', () => errors++);
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    let at = 0;
    if (left === 0) {
      head += chunk.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end === -1) return;
      left = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (!head.startsWith('HTTP/1.1 200')) errors++;
      at = chunk.length - (head.length - end - 4);
      head = '';
    }
    left -= chunk.length - at;
    if (left > 0) return;
    requests++;
    left = 0;
    socket.write(request);
  });
}

const began = performance.now();
for (let n = 0; n < Number(connections); n++) {
  const socket = connect(Number(port), hostname);
  sockets.push(socket);
  drive(socket);
}
setTimeout(
  () => {
    const elapsed = (performance.now() - began) / 1000;
    for (const socket of sockets) socket.destroy();
    process.stdout.write(`${JSON.stringify({ requests, bytes, seconds: elapsed, errors })}\n`);
  },
  Number(seconds) * 1000,
);
