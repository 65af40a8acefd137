import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConfigurationError } from '../../src/core/errors.ts';
import { createHostCheck } from '../../src/gateway/host-check.ts';
import { RequestError } from '../../src/gateway/http-errors.ts';
import { parseRequestPath } from '../../src/gateway/request-path.ts';
import { makePage } from './mirror-double.ts';
import { startGateway, type TestGateway } from './test-gateway.ts';

/** The status line and all of the answer to one request on its own connection. */
async function rawAsk(node: TestGateway, head: string): Promise<string> {
  const { closed, received } = node.raw(`${head}\r\nConnection: close\r\n\r\n`);
  await closed;
  return received();
}

const host = 'Host: localhost';

test('a Host that is not ours gets 421 and nothing else, on every route', async () => {
  await using node = await startGateway({ allowHosts: ['mirror.lan'] });
  node.mirror.putPage(makePage('flask', [{}]));
  for (const path of ['/', '/simple/flask/', '/-/status', '/-/events', '/metrics', '/nothing', '/%zz']) {
    const answer = await rawAsk(node, `GET ${path} HTTP/1.1\r\nHost: evil.example:${node.port}`);
    assert.match(answer, path === '/%zz' ? /^HTTP\/1.1 400 / : /^HTTP\/1.1 421 /, path);
    assert.doesNotMatch(answer, /evil\.example/);
  }
  assert.deepEqual(node.mirror.asked, []);
  for (const name of [
    'localhost',
    `127.0.0.1:${node.port}`,
    '[::1]:80',
    'LocalHost.',
    'mirror.lan:1',
    'a.localhost',
  ])
    assert.match(await rawAsk(node, `GET /-/health HTTP/1.1\r\nHost: ${name}`), /^HTTP\/1.1 200 /, name);
});

test('the host of a URL in absolute form counts, not the Host header beside it', async () => {
  await using node = await startGateway();
  assert.match(await rawAsk(node, `GET http://evil.example/-/health HTTP/1.1\r\n${host}`), /^HTTP\/1.1 421 /);
  assert.match(await rawAsk(node, 'GET http://localhost/-/health HTTP/1.1\r\nHost: x'), /^HTTP\/1.1 200 /);
});

test('a page of another site gets nothing and makes nothing be fetched; a client, our own page and a link do', async () => {
  await using node = await startGateway();
  node.mirror.putPage(makePage('flask', [{}]));
  const paths = [
    '/',
    '/simple/flask/',
    '/simple/',
    '/-/status',
    '/-/events',
    '/metrics',
    `/files/${'a'.repeat(64)}/f-1.tar.gz`,
  ];
  for (const path of paths) {
    for (const site of ['cross-site', 'same-site']) {
      for (const mode of ['no-cors', 'cors', 'navigate\r\nSec-Fetch-Dest: iframe']) {
        const headers = `Sec-Fetch-Site: ${site}\r\nSec-Fetch-Mode: ${mode}\r\nOrigin: https://evil.example`;
        const answer = await rawAsk(node, `GET ${path} HTTP/1.1\r\n${host}\r\n${headers}`);
        assert.match(answer, /^HTTP\/1.1 403 /, path);
        assert.doesNotMatch(answer, /access-control-allow-origin/i);
      }
    }
  }
  assert.deepEqual(node.mirror.asked, []);
  for (const headers of [
    'Origin: https://evil.example',
    'Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors',
    'Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document',
    'Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document',
  ]) {
    for (const path of ['/', '/simple/flask/', '/-/status', '/-/health', '/metrics']) {
      // Twice: the second may come from what was prepared.
      for (let i = 0; i < 2; i++) {
        const answer = await rawAsk(node, `GET ${path} HTTP/1.1\r\n${host}\r\n${headers}`);
        assert.match(answer, /^HTTP\/1.1 200 /, `${path} ${headers}`);
        assert.doesNotMatch(answer, /access-control-allow-origin/i);
      }
    }
    const options = await rawAsk(node, `OPTIONS /-/status HTTP/1.1\r\n${host}\r\n${headers}`);
    assert.doesNotMatch(options, /access-control-allow/i);
  }
});

test('a Host is judged by what it names', () => {
  const check = createHostCheck('0.0.0.0', ['Cache.Example:8381', '192.0.2.7']);
  for (const [name, local, allowed] of [
    ['192.168.1.5:8381', '192.168.1.5', true],
    ['192.168.1.5', '::ffff:192.168.1.5', true],
    ['192.168.1.5', '192.168.1.6', false],
    ['[fd00::1]:8381', 'fd00:0:0::1', true],
    ['[fd00::2]', 'fd00::1', false],
    ['cache.example', '192.168.1.5', true],
    ['cache.example.evil.example', '127.0.0.1', false],
    ['192.0.2.7:1', '10.0.0.1', true],
    ['127.9.9.9', '127.0.0.1', true],
    ['127.0.0.1.evil.example', '127.0.0.1', false],
    ['localhost.evil.example', '127.0.0.1', false],
    ['evil-localhost', '127.0.0.1', false],
    ['user@localhost', '127.0.0.1', false],
    ['localhost:80:80', '127.0.0.1', false],
    ['', '127.0.0.1', false],
    [undefined, '127.0.0.1', false],
  ] as const)
    assert.equal(check(name, local), allowed, String(name));
});

test('no text but a loopback, bound or allowed host is let in', () => {
  const check = createHostCheck('192.0.2.1', []);
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.domain(), fc.ipV4(), fc.webAuthority()), (name) => {
      const fine = /^(localhost|[a-z0-9_.-]+\.localhost)\.?(:\d{1,5})?$|^127\.|^192\.0\.2\.1(:|$)/i.test(
        name,
      );
      assert.ok(fine || !check(name, '192.0.2.1'), name);
    }),
    { numRuns: 500 },
  );
});

test('paths that could lead elsewhere are 400, however they are written', async () => {
  await using node = await startGateway();
  for (const path of [
    '/../etc/passwd',
    '/simple/../flask/',
    '/simple/./flask/',
    '/simple/%2e%2e/flask/',
    '/simple/.%2E/flask/',
    '/files/..%2f..%2fetc/x',
    '/simple/a%2Fb/',
    '/simple/a%5cb/',
    '/simple/a\\b/',
    '/simple/flask%00/',
    '/simple/a%0d%0aSet-Cookie:x/',
    '/simple/%zz/',
    '/simple/%ff/',
    '/packages/aa/../../x.whl',
    '/%2e%2e/',
  ]) {
    const answer = await rawAsk(node, `GET ${path} HTTP/1.1\r\n${host}`);
    assert.match(answer, /^HTTP\/1.1 400 /, path);
    assert.match(answer, /\r\nX-Content-Type-Options: nosniff\r\n/i);
    assert.doesNotMatch(answer, /Set-Cookie:x|\{/, path);
  }
  assert.deepEqual(node.mirror.asked, []);
});

test('what comes through the door has no dots, slashes or control characters in its segments', () => {
  const piece = fc.constantFrom(
    '.',
    '..',
    '%2e',
    '%2F',
    '%5C',
    '%00',
    '/',
    '\\',
    'a',
    '%41',
    '%c3%a9',
    '?',
    '#',
    '%',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      try {
        const { segments } = parseRequestPath(`/${pieces.join('')}`, 8192);
        for (const segment of segments) {
          assert.notEqual(segment, '.');
          assert.notEqual(segment, '..');
          // eslint-disable-next-line no-control-regex -- what must not be there
          assert.doesNotMatch(segment, /[/\\\u0000-\u001f\u007f]/);
        }
      } catch (error) {
        assert.ok(error instanceof RequestError);
      }
    }),
    { numRuns: 2000 },
  );
});

test('other methods are 405 with Allow, also with a body and on paths that are not there', async () => {
  await using node = await startGateway();
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'PROPFIND', 'PURGE', 'QUERY']) {
    for (const path of ['/simple/flask/', '/-/status', '/nowhere']) {
      const body = 'Content-Type: x/y/z\r\nContent-Length: 3\r\n\r\nabc';
      const { received, closed } = node.raw(`${method} ${path} HTTP/1.1\r\n${host}\r\n${body}`);
      await closed;
      assert.match(received(), /^HTTP\/1.1 405 /, `${method} ${path}`);
      assert.match(received(), /\r\nAllow: GET, HEAD\r\n/);
      assert.doesNotMatch(received(), /access-control/i);
    }
  }
  assert.deepEqual(node.mirror.asked, []);
});

test('too long a URL is 414 and too large a head 431', async () => {
  await using node = await startGateway();
  const long = await rawAsk(node, `GET /simple/${'a'.repeat(8192)}/ HTTP/1.1\r\n${host}`);
  assert.match(long, /^HTTP\/1.1 414 /);
  assert.match(await rawAsk(node, `GET /${'a'.repeat(40_000)} HTTP/1.1\r\n${host}`), /^HTTP\/1.1 414 /);
  const large = await rawAsk(node, `GET /-/health HTTP/1.1\r\n${host}\r\nX-A: ${'a'.repeat(17_000)}`);
  assert.match(large, /^HTTP\/1.1 431 /);
  assert.match(large, /more than 16384 bytes/);
  const fits = await rawAsk(node, `GET /-/health HTTP/1.1\r\n${host}\r\nX-A: ${'a'.repeat(15_000)}`);
  assert.match(fits, /^HTTP\/1.1 200 /);
});

test('what is no HTTP is told so', async () => {
  await using node = await startGateway();
  for (const bytes of ['\x16\x03\x01\x02\x00\x01\x00', 'hello\r\n\r\n', `GET / HTTP/1.1\r\n\r\n`]) {
    const { received, closed } = node.raw(bytes);
    await closed;
    assert.match(received(), /^HTTP\/1.1 400 /);
  }
});

test('a half-sent request, or none, is closed after the header time and costs others nothing', async () => {
  await using node = await startGateway({ limits: { headerTime: 200 } });
  const half = node.raw(`GET /simple/flask/ HTTP/1.1\r\nHost: lo`);
  const drip = node.raw('GET /-/health HTTP/1.1\r\nX-A: ');
  const dripping = (async () => {
    while (!drip.socket.destroyed) {
      drip.socket.write('a');
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  const silent = node.raw('');
  assert.equal((await node.ask('/-/health')).status, 200);
  await Promise.all([half.closed, drip.closed, silent.closed, dripping]);
  assert.match(half.received(), /^HTTP\/1.1 408 /);
});

test('idle connections beyond the limit push out the longest idle one; who asks is served', async () => {
  await using node = await startGateway({ limits: { connections: 50 } });
  const first = node.raw('');
  await new Promise((resolve) => first.socket.once('connect', resolve));
  const others = Array.from({ length: 300 }, () => node.raw(''));
  await first.closed;
  assert.equal((await node.ask('/-/health')).status, 200);
  await Promise.all(others.slice(0, 200).map(({ closed }) => closed));
  const count = await new Promise<number>((resolve, reject) =>
    node.gateway.server.getConnections((error, number) => (error === null ? resolve(number) : reject(error))),
  );
  assert.ok(count <= 50, `${count} connections`);
});

test('3,000 idle connections hold 1,024 places and a request comes through at once', async () => {
  await using node = await startGateway();
  let closed = 0;
  const batch = (size: number): Promise<unknown> =>
    Promise.all(
      Array.from({ length: size }, async () => {
        const socket = connect(node.port, '127.0.0.1');
        socket.on('error', () => {});
        socket.once('close', () => closed++);
        await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
        opened.push(socket);
      }),
    );
  const opened: ReturnType<typeof connect>[] = [];
  for (let i = 0; i < 6; i++) await batch(500);
  const began = performance.now();
  assert.equal((await node.ask('/-/health')).status, 200);
  assert.ok(performance.now() - began < 1000);
  const count = await new Promise<number>((resolve) =>
    node.gateway.server.getConnections((_e, n) => resolve(n)),
  );
  assert.ok(count <= 1024, `${count} connections`);
  for (const socket of opened) socket.destroy();
});

test('with all connections at work the next one is told 503, and the others go on', async () => {
  await using node = await startGateway({ limits: { connections: 3 } });
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  node.mirror.putAnswer('slow', async () => {
    await gate;
    return { kind: 'absent', ageSeconds: 0, freshSeconds: 0 };
  });
  const { promise: atWork, resolve: full } = Promise.withResolvers<void>();
  const project = node.mirror.project.bind(node.mirror);
  node.mirror.override({
    project: (...given) => {
      const answer = project(...given);
      if (node.mirror.asked.length === 3) full();
      return answer;
    },
  });
  const busy = [1, 2, 3].map(() => node.ask('/simple/slow/'));
  await atWork;
  const { closed, received } = node.raw(`GET /simple/other/ HTTP/1.1\r\n${host}\r\n\r\n`);
  await closed;
  assert.match(received(), /^HTTP\/1.1 503 /);
  assert.match(received(), /\r\nRetry-After: \d+\r\n[^]*all 3 connections of this gateway are at work/);
  assert.equal(received().split('HTTP/1.1').length, 2, 'one answer');
  assert.equal(node.mirror.asked.length, 3, 'who is turned away has nothing looked up');
  open();
  for (const answer of busy) assert.equal((await answer).status, 404);
  assert.equal((await node.ask('/-/health')).status, 200);
});

test('a connection that pipelines without end is closed', async () => {
  await using node = await startGateway({ limits: { pipelined: 4 } });
  node.mirror.putAnswer('slow', () => new Promise(() => {}));
  const one = `GET /simple/slow/ HTTP/1.1\r\n${host}\r\n\r\n`;
  await node.raw(one.repeat(100)).closed;
  assert.equal(node.mirror.asked.length, 4);
});

test('a few pipelined requests are answered in order', async () => {
  await using node = await startGateway();
  const paths = ['/-/health', '/simple/nothing/', '/-/status'];
  const requests = paths.map((path) => `GET ${path} HTTP/1.1\r\n${host}\r\n\r\n`);
  const { until, socket } = node.raw(requests.join(''));
  const all = await until(/peerId/);
  assert.deepEqual(
    [...all.matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => status),
    ['200', '404', '200'],
  );
  socket.destroy();
});

test('a connection is used again for many requests', async () => {
  await using node = await startGateway();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let i = 0; i < 20; i++) assert.equal((await node.ask('/-/health', { agent })).status, 200);
  const count = await new Promise<number>((resolve) =>
    node.gateway.server.getConnections((_e, n) => resolve(n)),
  );
  assert.equal(count, 1);
  agent.destroy();
});

test('a taken port is a ConfigurationError that names it and the cure', async () => {
  await using node = await startGateway();
  await assert.rejects(startGateway({ port: node.port }), (error) => {
    assert.ok(error instanceof ConfigurationError);
    assert.equal(error.fault, 'environment');
    assert.match(error.message, new RegExp(`port ${node.port} .*taken`));
    assert.match(error.fix, /--gateway/);
    return true;
  });
  await assert.rejects(
    startGateway({ host: '203.0.113.77' }),
    /203\.0\.113\.77 is not an address of this machine/,
  );
});

test('closing lets an answer end, ends the event streams, and closing again is fine', async () => {
  const node = await startGateway();
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const { promise: started, resolve: asked } = Promise.withResolvers<void>();
  node.mirror.putAnswer('slow', async () => {
    asked();
    await gate;
    return { kind: 'absent', ageSeconds: 0, freshSeconds: 0 };
  });
  const events = node.raw(`GET /-/events HTTP/1.1\r\n${host}\r\n\r\n`);
  const idle = node.raw('');
  await events.until(/retry/);
  const answer = node.ask('/simple/slow/');
  await started;
  const closing = Promise.all([node.gateway.close(), node.gateway.close()]);
  await Promise.all([events.closed, idle.closed]);
  open();
  assert.equal((await answer).status, 404);
  await closing;
  assert.equal((await node.ask('/-/health')).status, 0, 'nobody listens any more');
});

test('closing does not wait for ever for an answer that does not end', async () => {
  const node = await startGateway({ limits: { closeTime: 50 } });
  node.mirror.putAnswer('never', () => new Promise(() => {}));
  const { closed, socket } = node.raw(`GET /simple/never/ HTTP/1.1\r\n${host}\r\n\r\n`);
  await new Promise((resolve) => socket.once('connect', resolve));
  await node.gateway.close();
  await closed;
});

test('the URL of a gateway on all addresses, or on IPv6, is one that can be opened', async (t) => {
  await using all = await startGateway({ host: '0.0.0.0' });
  assert.match(all.gateway.url, /^http:\/\/127\.0\.0\.1:\d+$/);
  try {
    await using six = await startGateway({ host: '::1' });
    assert.match(six.gateway.url, /^http:\/\/\[::1\]:\d+$/);
    const answer = await rawAsk(six, `GET /-/health HTTP/1.1\r\nHost: [::1]:${six.port}`);
    assert.match(answer, /^HTTP\/1.1 200 /);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    t.skip('this machine has no IPv6');
  }
});
