import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { throughZlib } from '../../../src/mirror/through-zlib.ts';
import { inlineZlib } from '../../../src/simulator/kernel/inline-zlib.ts';

test('a writer that uses its memory again for the next piece has each of them compressed as it was', async () => {
  const { createGzip, createGunzip } = inlineZlib((work) => work());
  assert.ok(createGzip && createGunzip);
  async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
    yield bytes;
  }
  async function* lines(): AsyncGenerator<string> {
    for (let at = 0; at < 50; at++) yield `${at} ${Math.sin(at)}\n`;
  }
  async function all(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
    const got: Uint8Array[] = [];
    for await (const chunk of chunks) got.push(chunk);
    return Buffer.concat(got);
  }
  let expected = '';
  for await (const line of lines()) expected += line;
  const packed = await all(throughZlib(lines(), createGzip()));
  assert.equal(gunzipSync(packed).toString(), expected);
  assert.equal((await all(throughZlib(once(packed), createGunzip()))).toString(), expected);
});
