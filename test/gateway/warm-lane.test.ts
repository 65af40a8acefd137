import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { createFactEmitter, type Facts } from '../../src/core/facts.ts';
import { createConnectionGuard } from '../../src/gateway/connection-guard.ts';
import { listen } from '../../src/gateway/http-server.ts';
import { createWarmLane } from '../../src/gateway/warm-lane.ts';
import { systemClock } from '../../src/system-clock.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { makePage } from './mirror-double.ts';
import { startGateway, type TestGateway } from './test-gateway.ts';

const flask = makePage('flask', [{}, { filename: 'flask-1.0.tar.gz' }]);
const PIP = [
  'Host: localhost:8381',
  'User-Agent: pip/26.3',
  'Accept-Encoding: gzip, deflate',
  'Accept: application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01',
  'Connection: keep-alive',
  'Cache-Control: max-age=0',
];
const PLAIN = ['Host: localhost'];

function head(path: string, headers: readonly string[] = PLAIN, first = `GET ${path} HTTP/1.1`): string {
  return [first, ...headers, '', ''].join('\r\n');
}

/** Asks on one new connection, each when the answer before is there; resolves to the answers' bytes. */
async function exchange(
  node: TestGateway,
  requests: readonly string[],
  answers = requests.length,
): Promise<string[]> {
  const { socket, received, until, closed } = node.raw('');
  const got: string[] = [];
  let from = 0;
  while (got.length < answers) {
    const at = from;
    socket.write(requests[got.length] ?? '', 'latin1');
    const whole = (): number => {
      const text = received().slice(at);
      const end = text.indexOf('\r\n\r\n');
      if (end === -1) return -1;
      const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, end))?.[1];
      const total = end + 4 + (/^HTTP\/1.1 304/.test(text) ? 0 : Number(length ?? 0));
      return text.length >= total ? total : -1;
    };
    await until({ test: () => whole() !== -1 } as unknown as RegExp);
    const total = whole();
    got.push(received().slice(from, from + total));
    from += total;
  }
  socket.destroy();
  await closed;
  return got;
}

const undated = (answer: string | undefined): string =>
  (answer ?? '').replace(/\r\nDate: [^\r]*GMT\r\n/, '\r\nDate: then\r\n');

const askedFor = (node: TestGateway, what: string): number =>
  node.mirror.asked.filter((call) => call.what === what).length;

test('a warm page comes with the bytes and headers that it had the long way, for each form and coding', async () => {
  await using node = await startGateway();
  node.mirror.putPage(flask, { ageSeconds: 12, freshSeconds: 34 });
  node.mirror.putPage(
    makePage(
      'big',
      Array.from({ length: 900 }, (_, n) => ({ filename: `big-${n}.tar.gz` })),
    ),
  );
  for (const project of ['flask', 'big']) {
    for (const accept of [
      'application/vnd.pypi.simple.v1+json',
      'application/vnd.pypi.simple.v1+html',
      '*/*',
    ]) {
      for (const coding of ['gzip', 'identity', 'zstd', 'br']) {
        const request = head(`/simple/${project}/`, [
          ...PLAIN,
          `Accept: ${accept}`,
          `Accept-Encoding: ${coding}`,
        ]);
        const [long] = await exchange(node, [request]);
        const before = askedFor(node, 'project');
        const [first, second] = await exchange(node, [request, request]);
        assert.equal(askedFor(node, 'project'), before, 'it did not come the short way');
        assert.match(long ?? '', /^HTTP\/1.1 200 OK\r\n[^]*\r\nDate: [^\r]*GMT\r\n/);
        assert.equal(undated(first), undated(long));
        assert.equal(undated(second), undated(long));
      }
    }
  }
});

test('a small warm file comes with the bytes and headers that it had the long way', async () => {
  await using node = await startGateway();
  const bytes = Buffer.alloc(100_000, 'x');
  const { ref } = node.mirror.putFile({ filename: 'flask-1.0.tar.gz', bytes });
  const request = head(`/files/${ref.digest}/flask-1.0.tar.gz`, PIP);
  const [long] = await exchange(node, [request]);
  const [again] = await exchange(node, [head(`/files/${ref.digest}/flask-1.0.tar.gz`, [...PIP, 'X-Odd: 1'])]);
  const opened = askedFor(node, 'findFile');
  const answers = await exchange(node, [request, request, request]);
  assert.equal(askedFor(node, 'findFile'), opened);
  assert.match(long ?? '', /\r\nETag: "[0-9a-f]{64}"\r\n[^]*immutable/);
  for (const answer of [again, ...answers]) assert.equal(undated(answer), undated(long));
});

/** Whatever differs from what was let in before, by one thing each. */
const unusual: readonly [what: string, request: string | string[]][] = [
  ['a head in two packets', ['GET /simple/flask/ HT', `TP/1.1\r\n${PIP.join('\r\n')}\r\n\r\n`]],
  ['a head by bytes', head('/simple/flask/', PIP).split('')],
  ['two requests in one packet', head('/simple/flask/', PIP).repeat(2)],
  ['HEAD', head('', PIP, 'HEAD /simple/flask/ HTTP/1.1')],
  ['POST', head('', PIP, 'POST /simple/flask/ HTTP/1.1')],
  ['HTTP/1.0', head('', PIP, 'GET /simple/flask/ HTTP/1.0')],
  ['a method in lower case', head('', PIP, 'get /simple/flask/ HTTP/1.1')],
  ['bare line feeds', head('/simple/flask/', PIP).replaceAll('\r\n', '\n')],
  ['two spaces', head('', PIP, 'GET  /simple/flask/ HTTP/1.1')],
  ['a strange Host', head('/simple/flask/', ['Host: evil.example', ...PIP.slice(1)])],
  ['two Hosts', head('/simple/flask/', ['Host: evil.example', ...PIP])],
  ['no Host', head('/simple/flask/', PIP.slice(1))],
  ['another host in the URL', head('http://evil.example/simple/flask/', PIP)],
  ['this host in the URL', head('http://localhost/simple/flask/', PIP)],
  ['dots', head('/simple/../simple/flask/', PIP)],
  ['an encoded slash', head('/simple/flask%2f/', PIP)],
  ['NUL', head('/simple/flask\0/', PIP)],
  ['a name that is not normal', head('/simple/Flask/', PIP)],
  ['no slash at the end', head('/simple/flask', PIP)],
  ['more below the page', head('/simple/flask/x', PIP)],
  ['a query', head('/simple/flask/?x=1', PIP)],
  ['a name too long', head(`/simple/${'a'.repeat(201)}/`, PIP)],
  ['a URL too long', head(`/simple/${'a'.repeat(9000)}/`, PIP)],
  ['headers too large', head('/simple/flask/', [...PIP, `X: ${'a'.repeat(20_000)}`])],
  ['an etag that it has', head('/simple/flask/', [...PIP, 'If-None-Match: *'])],
  ['a range', head('/simple/flask/', [...PIP, 'Range: bytes=0-1'])],
  ['no-cache', head('/simple/flask/', [...PIP.slice(0, -1), 'Cache-Control: no-cache'])],
  ['nothing acceptable', head('/simple/flask/', [...PIP.slice(0, 3), 'Accept: image/png'])],
  ["another site's page", head('/simple/flask/', [...PIP, 'Sec-Fetch-Site: cross-site'])],
  ['a connection to close', head('/simple/flask/', [...PIP.slice(0, 4), 'Connection: close'])],
  ['a body', `${head('/simple/flask/', [...PIP, 'Content-Length: 3'])}abc`],
  ['a body in chunks', `${head('/simple/flask/', [...PIP, 'Transfer-Encoding: chunked'])}0\r\n\r\n`],
  ['an expectation', head('/simple/flask/', [...PIP, 'Expect: 100-continue'])],
  ['an upgrade', head('/simple/flask/', [...PIP, 'Upgrade: h2c'])],
  ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ['a page that is not there', head('/simple/nothing/', PIP)],
  ['a file that is not there', head(`/files/${'0'.repeat(64)}/a-1.0.tar.gz`, PIP)],
  ['a digest that is none', head('/files/123/a-1.0.tar.gz', PIP)],
  ['the health', head('/-/health', PIP)],
];

for (const warmed of [false, true]) {
  test(`what is unusual is answered as without the short way, ${warmed ? 'also behind' : 'and not only behind'} a warm answer`, async () => {
    const limits = { headerTime: 2000, idleTime: 200 };
    await using long = await startGateway({ limits });
    await using short = await startGateway({ limits });
    for (const node of [long, short]) node.mirror.putPage(flask);
    // Without pages that are known to be fresh there is no short way.
    long.mirror.override({ freshProject: () => undefined });
    const warm = head('/simple/flask/', PIP);
    await exchange(short, [warm]);
    /** What comes after the warm answer until the gateway closes. */
    const all = async (node: TestGateway, pieces: readonly string[]): Promise<string> => {
      const { socket, until, received, closed } = node.raw(warmed ? warm : '');
      socket.setNoDelay(true);
      if (warmed) await until(/\r\n\r\n[^]/);
      const seen = received().length;
      for (const piece of pieces) {
        socket.write(piece, 'latin1');
        await new Promise((resolve) => setImmediate(resolve));
      }
      await closed;
      return received()
        .slice(seen)
        .replaceAll(/Date: [^\r]*GMT/g, 'Date: then');
    };
    const compare = async (what: string, request: string | string[]): Promise<void> => {
      const [expected, got] = await Promise.all([long, short].map((node) => all(node, [request].flat())));
      assert.equal(got, expected, what);
      assert.match(expected ?? '', /^HTTP\/1.1 \d{3} /, what);
    };
    // Twice: what was let in the first time must not have been learned.
    for (let round = 0; round < 2; round++)
      await Promise.all(unusual.map(([what, request]) => compare(what, request)));
  });
}

test('what is learned can never be used to pass another Host, target or method off as let in', async () => {
  await using node = await startGateway({ limits: { headerTime: 300, idleTime: 300 } });
  node.mirror.putPage(flask);
  const warm = head('/simple/flask/', PIP);
  const [usual] = await exchange(node, [warm]);
  const edit = fc.record({ at: fc.nat(warm.length - 1), char: fc.integer({ min: 0, max: 255 }) });
  await fc.assert(
    fc.asyncProperty(edit, async ({ at, char }) => {
      const changed = warm.slice(0, at) + String.fromCharCode(char) + warm.slice(at + 1);
      const connection = node.raw(changed);
      await Promise.race([connection.closed, connection.until(/\r\n\r\n[^]|^HTTP\/1.1 30[^]*\r\n\r\n/)]);
      connection.socket.destroy();
      const answer = connection.received().replace(/Date: [^\r]*GMT/, 'Date: then');
      if (answer !== usual?.replace(/Date: [^\r]*GMT/, 'Date: then')) return;
      // The same answer only for what leaves Host and target alone, whatever the case of a header's name.
      const [line, ...headers] = changed.split('\r\n');
      assert.equal(line, 'GET /simple/flask/ HTTP/1.1');
      assert.ok(
        headers.some((text) => /^host:\s*(localhost|localhos\.)/i.test(text)) || changed === warm,
        changed,
      );
    }),
    { numRuns: 60 },
  );
});

test('a Host is judged for each connection: a head learned on one address may be foreign on another', async () => {
  const asked: (string | undefined)[][] = [];
  let allowed = true;
  const answer = {
    route: 'page',
    source: 'disk',
    head: Buffer.from('warm'),
    body: undefined,
    bodyBytes: 4,
  } as const;
  const server = createServer(
    createWarmLane({
      plain: { find: (text) => ({ target: text, host: 'here.lan', form: undefined, coding: 'identity' }) },
      answers: { find: () => answer },
      guard: createConnectionGuard({ connections: 10, pipelined: 2 }),
      hostAllowed: (...given) => (asked.push(given), allowed),
      clock: systemClock,
      facts: createFactEmitter(),
      limits: { headerTime: 1000, idleTime: 1000 },
      toHttp: (socket) => void socket.end('http'),
      refuseSilent: (socket) => void socket.destroy(),
    }),
  );
  const port = await listen(server as Server, '127.0.0.1', 0);
  const client = connect(port, '127.0.0.1').setEncoding('latin1');
  const next = async (): Promise<unknown> => (await once(client, 'data'))[0];
  client.write('x');
  assert.equal(await next(), 'warm');
  allowed = false;
  client.write('x');
  assert.equal(await next(), 'http');
  assert.deepEqual(asked, [
    ['here.lan', '127.0.0.1'],
    ['here.lan', '127.0.0.1'],
  ]);
  server.close();
});

test('age, what is left of the time to live, and Date go on from second to second', async () => {
  const clock = createFakeClock();
  await using node = await startGateway({ clock });
  const served = node.mirror.putPage(flask);
  const told = (answer: string | undefined): (string | undefined)[] =>
    [/\r\nAge: (\d+)/, /max-age=(\d+)/, /\r\nDate: ([^\r]*)/].map(
      (pattern) => pattern.exec(answer ?? '')?.[1],
    );
  const request = head('/simple/flask/', PIP);
  await exchange(node, [request]);
  const tell = (ageSeconds: number, freshSeconds: number): void =>
    node.mirror.override({
      freshProject: () => ({ kind: 'page', served, ageSeconds, freshSeconds, stale: false, source: 'disk' }),
    });
  tell(7, 593);
  assert.deepEqual(told((await exchange(node, [request]))[0]), ['7', '593', 'Sun, 22 Nov 2026 00:00:00 GMT']);
  tell(8, 593);
  assert.deepEqual(told((await exchange(node, [request]))[0]), ['8', '593', 'Sun, 22 Nov 2026 00:00:00 GMT']);
  await clock.advance(1000);
  assert.deepEqual(told((await exchange(node, [request]))[0]), ['8', '593', 'Sun, 22 Nov 2026 00:00:01 GMT']);
  tell(8, 592);
  assert.deepEqual(told((await exchange(node, [request]))[0]), ['8', '592', 'Sun, 22 Nov 2026 00:00:01 GMT']);
});

test('a page that changed, went stale or went away is not given from memory', async () => {
  await using node = await startGateway();
  const request = head('/simple/flask/', PIP.slice(0, 1));
  node.mirror.putPage(flask);
  for (let round = 0; round < 3; round++) await exchange(node, [request]);
  node.mirror.putPage(makePage('flask', [{ filename: 'flask-2.0.tar.gz' }]));
  for (let round = 0; round < 3; round++)
    assert.match((await exchange(node, [request]))[0] ?? '', /flask-2\.0\.tar\.gz/);
  node.mirror.putPage(flask, { stale: true, freshSeconds: 0 });
  assert.match((await exchange(node, [request]))[0] ?? '', /no-store/);
  node.mirror.putAnswer('flask', { kind: 'absent', ageSeconds: 1, freshSeconds: 1 });
  assert.match((await exchange(node, [request]))[0] ?? '', /^HTTP\/1.1 404 /);
});

test('the metadata of a file is not taken for a file of such a name', async () => {
  await using node = await startGateway();
  const filename = 'flask-1.0-py3-none-any.whl.metadata';
  const { ref } = node.mirror.putFile({ filename, bytes: Buffer.from('a file') });
  const path = `/files/${ref.digest}/${filename}`;
  for (let round = 0; round < 2; round++) {
    const [answer] = await exchange(node, [head(path)]);
    assert.match(answer ?? '', /^HTTP\/1.1 404 /);
    await exchange(node, [head(`${path}.metadata`)]);
    await node.ask(path.replace('.metadata', ''));
  }
});

test('a file that was evicted is not given from memory', async () => {
  await using node = await startGateway();
  const { ref } = node.mirror.putFile({ filename: 'flask-1.0.tar.gz', bytes: Buffer.alloc(1000) });
  const request = head(`/files/${ref.digest}/flask-1.0.tar.gz`);
  for (let round = 0; round < 2; round++) await exchange(node, [request]);
  const before = askedFor(node, 'findFile');
  assert.ok(ref.digest !== undefined);
  node.facts.emit('blob:evicted', { digest: ref.digest, size: 1000, reason: 'quota' });
  await exchange(node, [request]);
  assert.equal(askedFor(node, 'findFile'), before + 1);
});

test('warm answers are counted as all others are', async () => {
  await using node = await startGateway();
  node.mirror.putPage(flask);
  const requests: Facts['served:request'][] = [];
  let bytes = 0;
  node.facts.on('served:request', (fact) => requests.push(fact));
  node.facts.on('served:bytes', (fact) => (bytes += fact.bytes));
  const request = head('/simple/flask/');
  const [long] = await exchange(node, [request]);
  const [, short] = await exchange(node, [request, request]);
  assert.deepEqual(
    requests.map(({ route, status }) => `${route} ${status}`),
    ['page 200', 'page 200', 'page 200'],
  );
  assert.ok(requests.every(({ ms }) => ms >= 0 && ms < 10_000));
  const body = (short ?? '').length - (short ?? '').indexOf('\r\n\r\n') - 4;
  assert.equal(bytes, 3 * body);
  assert.equal(undated(short), undated(long));
});

test('a connection is closed when it is silent: with 408 before its first request, without a word after', async () => {
  await using node = await startGateway({ limits: { headerTime: 150, idleTime: 300 } });
  node.mirror.putPage(flask);
  const request = head('/simple/flask/');
  await exchange(node, [request]);
  const silent = node.raw('');
  await silent.closed;
  assert.match(silent.received(), /^HTTP\/1.1 408 /);
  const warm = node.raw(request);
  await warm.closed;
  assert.match(warm.received(), /^HTTP\/1.1 200 [^]*<\/html>\n$/);
  const half = node.raw(request.slice(0, -2));
  await half.closed;
  assert.match(half.received(), /^HTTP\/1.1 408 /);
  const later = node.raw(request);
  await later.until(/<\/html>/);
  later.socket.write('GET /sim');
  await later.closed;
  assert.match(later.received(), /HTTP\/1.1 408 /);
});

test('a client that takes nothing is let go', async () => {
  const node = await startGateway({ limits: { idleTime: 200 } });
  const files = Array.from({ length: 60_000 }, (_, n) => ({ filename: `big-${n}.tar.gz` }));
  node.mirror.putPage(makePage('big', files));
  const request = head('/simple/big/');
  // Makes it and lets the head be known; this client leaves early.
  const maker = node.raw(request);
  await maker.until(/^HTTP/);
  maker.socket.destroy();
  const stuck = connect(node.port, '127.0.0.1');
  const gone = new Promise((resolve) => stuck.once('close', resolve));
  stuck.on('error', () => {});
  stuck.pause();
  stuck.write(request);
  // A paused socket learns of its end only when it reads again.
  const served = new Promise((resolve) => node.facts.on('served:request', resolve));
  await served;
  stuck.resume();
  await gone;
  await node[Symbol.asyncDispose]();
});

test('closing waits a little for a client that takes nothing, and then no more', async () => {
  const node = await startGateway({ limits: { closeTime: 200 } });
  const files = Array.from({ length: 60_000 }, (_, n) => ({ filename: `big-${n}.tar.gz` }));
  node.mirror.putPage(makePage('big', files));
  const request = head('/simple/big/');
  await exchange(node, [request]);
  const begun = new Promise((resolve) => node.facts.on('served:bytes', resolve));
  const held = connect(node.port, '127.0.0.1');
  held.on('error', () => {});
  held.pause();
  held.write(request);
  await begun;
  await node[Symbol.asyncDispose]();
  held.destroy();
});

test('who asks again without having taken the answer is left to http, in order', async () => {
  await using node = await startGateway();
  const files = Array.from({ length: 60_000 }, (_, n) => ({ filename: `big-${n}.tar.gz` }));
  node.mirror.putPage(makePage('big', files));
  const request = head('/simple/big/');
  await exchange(node, [request]);
  const before = askedFor(node, 'project');
  let told = 0;
  const served = Promise.withResolvers<void>();
  node.facts.on('served:bytes', () => {
    told++;
    served.resolve();
  });
  const client = connect(node.port, '127.0.0.1');
  client.pause();
  client.write(request);
  await served.promise;
  assert.equal(askedFor(node, 'project'), before);
  client.write(request);
  while (told < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(askedFor(node, 'project'), before + 1);
  let length = 0;
  const whole = new Promise<void>((resolve) => {
    client.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > 2 * 12_000_000) resolve();
    });
  });
  client.resume();
  await whole;
  client.destroy();
});

test('warm connections count: the one that has been idle longest makes room', async () => {
  await using node = await startGateway({ limits: { connections: 3 } });
  node.mirror.putPage(flask);
  const request = head('/simple/flask/');
  await exchange(node, [request]);
  const open = [];
  for (let n = 0; n < 3; n++) {
    const connection = node.raw(request);
    await connection.until(/<\/html>/);
    open.push(connection);
  }
  const [first, second] = open;
  // Answered once more: now the second is the one that has been idle longest.
  first?.socket.write(request);
  await first?.until(/<\/html>[^]*<\/html>/);
  await node.raw(request).until(/<\/html>/);
  await second?.closed;
  assert.equal(first?.socket.destroyed, false);
});

test('requests that do not wait for answers are bounded and answered in order', async () => {
  await using node = await startGateway({ limits: { pipelined: 4 } });
  node.mirror.putPage(makePage('one', [{ filename: 'one-1.0.tar.gz' }]));
  node.mirror.putPage(makePage('two', [{ filename: 'two-1.0.tar.gz' }]));
  await exchange(node, [head('/simple/one/')]);
  await exchange(node, [head('/simple/two/')]);
  const both = head('/simple/one/') + head('/simple/two/');
  const order = await exchange(node, [both, '', head('/simple/one/')]);
  assert.deepEqual(
    order.map((answer) => /Links for (\w+)/.exec(answer)?.[1]),
    ['one', 'two', 'one'],
  );
});

test('who enters must leave: the guard counts warm answers with those of http', () => {
  const guard = createConnectionGuard({ connections: 1, pipelined: 2 });
  const socket = connect({ port: 1, host: '127.0.0.1', autoSelectFamily: false });
  socket.on('error', () => {});
  assert.equal(guard.connected(socket), true);
  assert.equal(guard.enter(socket), true);
  assert.equal(guard.enter(socket), true);
  guard.leave(socket);
  assert.equal(guard.enter(socket), true);
  assert.equal(guard.enter(socket), false);
  assert.equal(socket.destroyed, true);
});
