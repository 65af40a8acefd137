/** `/last-modified`, `/serverkey`, `/serversig/<name>` (PEP 381). */
import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { generateKeyPair, parseSignerKey } from '../../src/core/log/signer-key.ts';
import { loadGatewayKey } from '../../src/store/gateway-key.ts';
import { systemRandomness } from '../../src/system-clock.ts';
import { makePage } from './mirror-double.ts';
import { startGateway } from './test-gateway.ts';

const { key, sign } = parseSignerKey(generateKeyPair('gateway', systemRandomness).signerKey);
const signer = { publicKey: key.publicKey, sign };
const JSON_TYPE = 'application/vnd.pypi.simple.v1+json';

test('the signature is over the very bytes of the page, in each form, and checks against /serverkey', async () => {
  await using node = await startGateway({ signer });
  node.mirror.putPage(makePage('flask', [{}]));
  const pem = await node.ask('/serverkey');
  assert.match(pem.text, /^-----BEGIN PUBLIC KEY-----\n/);
  const serverKey = createPublicKey(pem.text);
  assert.equal(serverKey.asymmetricKeyType, 'ed25519');
  const pages: Buffer[] = [];
  for (const accept of [JSON_TYPE, 'text/html', undefined]) {
    const headers = accept === undefined ? {} : { accept };
    const page = await node.ask('/simple/flask/', { headers });
    const signature = await node.ask('/serversig/flask', { headers });
    assert.equal(signature.status, 200);
    assert.equal(signature.body.length, 64);
    assert.ok(verify(null, page.body, serverKey, signature.body), `for ${accept}`);
    assert.equal(signature.headers['fondue-page-etag'], page.headers['etag']);
    assert.equal(signature.headers['x-pypi-last-serial'], page.headers['x-pypi-last-serial']);
    pages.push(page.body);
  }
  const json = await node.ask('/serversig/flask', { headers: { accept: JSON_TYPE } });
  assert.ok(!verify(null, pages[1]!, serverKey, json.body), 'the signature of the JSON fits the HTML');
});

test('a signature is over the page before its coding, whatever coding the client takes', async () => {
  await using node = await startGateway({ signer });
  node.mirror.putPage(makePage('flask', [{}]));
  const page = await node.ask('/simple/flask/', { headers: { accept: JSON_TYPE } });
  const headers = { accept: JSON_TYPE, 'accept-encoding': 'gzip' };
  const signature = await node.ask('/serversig/flask', { headers });
  assert.equal(signature.headers['content-encoding'], undefined);
  const { text } = await node.ask('/serverkey');
  assert.ok(verify(null, page.body, createPublicKey(text), signature.body));
});

test('names are normalized by 302, absence is 404, "not now" is 503 and there is nothing else below', async () => {
  await using node = await startGateway({ signer });
  node.mirror.putPage(makePage('flask', [{}]));
  node.mirror.putAnswer('later', { kind: 'unknown', reason: 'nobody answers', retryAfterSeconds: 2 });
  const status = async (path: string): Promise<number> => (await node.ask(path)).status;
  const moved = await node.ask('/serversig/Flask');
  assert.deepEqual([moved.status, moved.headers['location']], [302, 'flask']);
  assert.equal((await node.ask('/serversig/Flask/')).headers['location'], '../flask/');
  assert.equal(await status('/serversig/flask/'), 200);
  assert.equal(await status('/serversig/missing'), 404);
  assert.equal(await status('/serversig/later'), 503);
  for (const path of ['/serversig', '/serversig/', '/serversig/flask/more', '/serverkey/x'])
    assert.equal(await status(path), 404, path);
  assert.equal((await node.ask('/serversig/flask', { method: 'POST' })).status, 405);
});

test('a gateway without a key signs nothing, and says so', async () => {
  await using node = await startGateway();
  node.mirror.putPage(makePage('flask', [{}]));
  for (const path of ['/serverkey', '/serversig/flask']) {
    const answer = await node.ask(path);
    assert.equal(answer.status, 404);
    assert.match(answer.text, /signs no pages/);
  }
});

test('/last-modified is the date that enough publishers stand for, in ISO 8601, never rounded up', async () => {
  let at: number | undefined = Date.UTC(2026, 10, 22, 1, 2, 3, 999);
  await using node = await startGateway({ lastModified: () => at });
  const answer = await node.ask('/last-modified');
  assert.equal(answer.text, '2026-11-22T01:02:03Z\n');
  assert.match(String(answer.headers['content-type']), /^text\/plain/);
  at = undefined;
  assert.equal((await node.ask('/last-modified')).status, 503);
  await using direct = await startGateway();
  assert.equal((await direct.ask('/last-modified')).status, 404);
});

test("the gateway's key is made once, for its owner alone; a kill while it is made costs nothing", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'fondue-key-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'gateway.key');
  await writeFile(`${path}.new`, 'PRIV', { mode: 0o600 });
  const first = await loadGatewayKey(path, systemRandomness);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const again = await loadGatewayKey(path, systemRandomness);
  assert.equal(again.key.text, first.key.text);
  await writeFile(path, (await readFile(path, 'utf8')).slice(0, 30));
  await assert.rejects(loadGatewayKey(path, systemRandomness), { code: 'CONFIGURATION' });
});
