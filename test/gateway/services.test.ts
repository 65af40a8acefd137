import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from './mirror-double.ts';
import { sampleStatus, startGateway, type TestGateway } from './test-gateway.ts';
import { parseProjectName } from '../../src/core/project-name.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { someBytes } from '../support/memory-shelf.ts';

const listen = 'GET /-/events HTTP/1.1\r\nHost: localhost\r\n';

function ban(node: TestGateway, peerId: string): void {
  node.facts.emit('peer:banned', { peerId, reason: 'wrong-bytes', digest: undefined, until: 0 });
}

test('health is 200 or 503 with its checks', async () => {
  let ok = true;
  const health = () => ({ ok, checks: { store: { ok, message: 'x' } } });
  await using node = await startGateway({ health });
  const good = await node.ask('/-/health');
  assert.equal(good.status, 200);
  assert.deepEqual(JSON.parse(good.text), health());
  ok = false;
  const bad = await node.ask('/-/health');
  assert.equal(bad.status, 503);
  assert.equal(JSON.parse(bad.text).ok, false);
  assert.equal(bad.headers['cache-control'], 'no-store');
  assert.equal((await node.ask('/-/health', { method: 'HEAD' })).status, 503);
});

test('status is the status object as JSON, not kept by anybody and not readable by other sites', async () => {
  await using node = await startGateway();
  const { headers, text } = await node.ask('/-/status');
  assert.deepEqual(JSON.parse(text), sampleStatus());
  assert.equal(headers['content-type'], 'application/json');
  assert.equal(headers['cache-control'], 'no-store');
  assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
});

test('the dashboard is given with its policy', async () => {
  await using node = await startGateway({
    dashboard: { body: Buffer.from('<p>hi'), contentSecurityPolicy: "x 'y'" },
  });
  const { status, headers, text } = await node.ask('/');
  assert.equal(status, 200);
  assert.equal(text, '<p>hi');
  assert.equal(headers['content-type'], 'text/html; charset=utf-8');
  assert.equal(headers['content-security-policy'], "x 'y'");
});

test('a path that leads nowhere is 404 without echoing itself', async () => {
  await using node = await startGateway();
  for (const path of [
    '/nowhere<b>',
    '/-/other',
    '/-/',
    '/metrics/x',
    '/favicon.ico',
    '/pypi/flask',
    '/integrity/a/b/c',
  ]) {
    const { status, text } = await node.ask(path);
    assert.equal(status, 404, path);
    assert.doesNotMatch(text, /<b>/);
  }
});

test('facts come as events, with what happened shortly before', async () => {
  await using node = await startGateway();
  ban(node, 'before');
  const { until, socket } = node.raw(`${listen}\r\n`);
  const head = await until(/"peerId":"before"/);
  assert.match(head, /Content-Type: text\/event-stream\r\n/);
  assert.match(head, /Cache-Control: no-store\r\n/);
  ban(node, 'after');
  assert.match(
    await until(/"peerId":"after".*\n\n/),
    /id: 2\nevent: peer:banned\ndata: \{"time":"[^"]+","peerId":"after"/,
  );
  socket.destroy();
});

test('a client that comes back gets what it missed and nothing twice', async () => {
  await using node = await startGateway();
  for (const peer of ['one', 'two', 'three']) ban(node, peer);
  const { until, socket } = node.raw(`${listen}Last-Event-ID: 2\r\n\r\n`);
  const all = await until(/"three"/);
  assert.doesNotMatch(all, /"one"|"two"/);
  socket.destroy();
  const restarted = node.raw(`${listen}Last-Event-ID: 9000\r\n\r\n`);
  assert.match(await restarted.until(/"three"/), /"one"/, 'an id of another run of the node hides nothing');
  restarted.socket.destroy();
});

test('what is served is told as one sum a second; a quiet stream has a heartbeat', async () => {
  const clock = createFakeClock();
  await using node = await startGateway({ clock });
  const file = node.mirror.putFile({ filename: 'a-1.0.whl', bytes: someBytes(1000) });
  const { until, socket, received } = node.raw(`${listen}\r\n`);
  await until(/retry/);
  for (let i = 0; i < 5; i++) await node.ask(`/files/${file.ref.digest}/a-1.0.whl`);
  await clock.advance(1000);
  await until(/event: served\ndata: {"requests":5,"bytes":{"disk":5000,"peer":0,"upstream":0}}/);
  assert.equal(received().split('event:').length, 2);
  await clock.advance(16_000);
  await until(/: still here/);
  assert.equal(received().split('event: served').length, 2, 'no sums of nothing');
  socket.destroy();
});

test('a client that does not read events loses them, is told how many, and costs a bounded buffer', async () => {
  await using node = await startGateway({ limits: { eventBuffer: 5000 } });
  const { until, socket } = node.raw(`${listen}\r\n`);
  await until(/retry/);
  socket.pause();
  const held = (): number => Math.max(0, ...[...connections].map(({ writableLength }) => writableLength));
  const connections = new Set<{ writableLength: number }>();
  // The gateway's side of the connection.
  node.gateway.server.once('connection', (other) => connections.add(other));
  const slow = node.raw(`${listen}\r\n`);
  await slow.until(/retry/);
  slow.socket.pause();
  for (let i = 0; i < 20_000; i++) {
    ban(node, 'x'.repeat(1000));
    if (i % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(held() > 0 && held() <= 5000 + 2000, `${held()} bytes held`);
  slow.socket.resume();
  let sent = 0;
  const telling = (async () => {
    while (!slow.socket.destroyed && sent++ < 10_000) {
      ban(node, 'y');
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  assert.match(await slow.until(/event: lost\ndata: {"events":\d+}/), /"events":\d{3,}/);
  slow.socket.destroy();
  socket.destroy();
  await telling;
});

test('only so many clients can listen to events; one that leaves makes room', async () => {
  await using node = await startGateway({ limits: { eventClients: 2 } });
  const [first, second] = [node.raw(`${listen}\r\n`), node.raw(`${listen}\r\n`)];
  await Promise.all([first.until(/retry/), second.until(/retry/)]);
  const third = await node.ask('/-/events');
  assert.equal(third.status, 503);
  assert.equal(JSON.parse(third.text).error.code, 'CROWDED');
  first.socket.destroy();
  await first.closed;
  while ((await node.ask('/-/events', { method: 'HEAD' })).status !== 200);
  second.socket.destroy();
});

test('metrics count facts under fixed labels and read the status', async () => {
  await using node = await startGateway();
  const digest = digestOf('x');
  const project = parseProjectName('flask');
  node.facts.emit('blob:fetched', { digest, size: 30, bytes: { peer: 10, upstream: 20 } });
  node.facts.emit('blob:added', { digest, size: 30, source: 'peer', shareable: true });
  node.facts.emit('integrity:mismatch', { digest, actual: 'y', source: 'peer:12D3KooWLiar' });
  node.facts.emit('page:refreshed', { project, changed: true });
  node.facts.emit('served:bytes', { source: 'disk', bytes: 1234 });
  node.facts.emit('record:refused', {
    origin: 'a.example',
    code: 'LOG_FORKED',
    message: 'two heads',
    peerId: undefined,
    blame: 'publisher',
  });
  node.facts.emit('misconduct:proven', { origin: 'a.example', kind: 'fork', digest });
  await node.ask('/simple/secret-project/');
  const { text, headers } = await node.ask('/metrics');
  assert.match(headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/);
  for (const line of [
    'fondue_fetched_bytes_total{source="peer"} 10',
    'fondue_fetched_bytes_total{source="upstream"} 20',
    'fondue_blobs_added_total{source="peer"} 1',
    'fondue_integrity_mismatches_total{where="peer"} 1',
    'fondue_pages_refreshed_total{changed="true"} 1',
    'fondue_served_bytes_total{source="disk"} 1234',
    'fondue_http_requests_total{route="page",status="404"} 1',
    'fondue_http_request_seconds_count{route="page"} 1',
    'fondue_index_refused_total{code="LOG_FORKED",blame="publisher"} 1',
    'fondue_index_misconduct_total{kind="fork"} 1',
    'fondue_store_bytes 4200000000',
    'fondue_upstream_reachable 1',
  ])
    assert.ok(text.includes(`${line}\n`), `${line} in\n${text}`);
  assert.doesNotMatch(text, /secret-project|flask|12D3|nodejs_/);
});

test('two gateways in one process do not share their metrics', async () => {
  await using one = await startGateway();
  await using two = await startGateway();
  one.facts.emit('served:bytes', { source: 'disk', bytes: 5 });
  assert.doesNotMatch((await two.ask('/metrics')).text, /served_bytes_total\{/);
});

test("the JSON API's file URLs lead to the gateway by the name it was called by", async () => {
  await using node = await startGateway();
  const file = {
    filename: 'a b.whl',
    url: 'https://elsewhere.example/a',
    digests: { sha256: 'f'.repeat(64) },
  };
  const plain = { filename: 'old.zip', url: 'https://elsewhere.example/b', digests: { md5: 'e'.repeat(32) } };
  node.mirror.override({
    projectJson: async () => ({ kind: 'json', body: { info: {}, releases: { '1': [file] }, urls: [plain] } }),
  });
  const { text } = await node.ask('/pypi/flask/json', { headers: { host: 'localhost:1' } });
  const { releases, urls } = JSON.parse(text);
  assert.equal(releases['1'][0].url, `http://localhost:1/files/${'f'.repeat(64)}/a%20b.whl`);
  assert.equal(urls[0].url, 'http://localhost:1/direct/flask/old.zip');
  // A target in absolute form is what was let in; the header beside it was not looked at.
  const asked = node.raw(
    'GET http://localhost:2/pypi/flask/json HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
  );
  await asked.closed;
  assert.match(asked.received(), /"url":"http:\/\/localhost:2\/direct\/flask\/old.zip"/);
  assert.doesNotMatch(asked.received(), /evil/);
});

test('the JSON API is passed on, with 404 and 503 as for pages', async () => {
  await using node = await startGateway();
  node.mirror.override({
    projectJson: async (name, version) =>
      name === 'flask'
        ? { kind: 'json', body: { info: { name, version: version ?? 'latest' } } }
        : { kind: 'absent' },
  });
  for (const [path, version] of [
    ['/pypi/flask/json', 'latest'],
    ['/pypi/flask/json/', 'latest'],
    ['/pypi/flask/1.0+a/json', '1.0+a'],
    ['/pypi/flask/1.0%2Ba/json', '1.0+a'],
  ] as const) {
    const { status, headers, text } = await node.ask(path);
    assert.equal(status, 200, path);
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(JSON.parse(text).info.version, version);
    const again = await node.ask(path, { headers: { 'if-none-match': headers.etag ?? '' } });
    assert.equal(again.status, 304);
  }
  assert.equal((await node.ask('/pypi/nothing/json')).status, 404);
  assert.equal(JSON.parse((await node.ask('/pypi/nothing/json')).text).error.code, 'NOT_FOUND');
  for (const path of ['/pypi/flask/json/json/json', '/pypi/flask/1.0/json/x', '/pypi/flask/1.0/', '/pypi/'])
    assert.ok([400, 404].includes((await node.ask(path)).status), path);
  node.mirror.override({ projectJson: async () => ({ kind: 'unknown', reason: 'x', retryAfterSeconds: 2 }) });
  assert.equal((await node.ask('/pypi/flask/json')).status, 503);
});

test("provenance is passed on under PyPI's path", async () => {
  await using node = await startGateway();
  const asked: string[] = [];
  node.mirror.override({
    provenance: async (project, version, filename) => {
      asked.push(project, version, filename);
      return { kind: 'provenance', body: Buffer.from('{"version":1}') };
    },
  });
  const { headers, text } = await node.ask('/integrity/Flask/1.0/flask-1.0.tar.gz/provenance');
  assert.deepEqual(asked, ['flask', '1.0', 'flask-1.0.tar.gz']);
  assert.equal(headers['content-type'], 'application/vnd.pypi.integrity.v1+json');
  assert.equal(text, '{"version":1}');
});
