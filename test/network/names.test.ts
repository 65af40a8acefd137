import assert from 'node:assert/strict';
import dns from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';
import { describe, it, mock } from 'node:test';
import { multiaddr } from '@multiformats/multiaddr';
import { guardLookup } from '../../src/network/libp2p/guarded-lookup.ts';
import { createBuiltNode } from '../support/built-node.ts';

const resolve = (configured: boolean, allowed: (host: string) => boolean) =>
  new Promise<unknown>((done) => {
    const lookup = guardLookup(
      () => configured,
      (host) => (allowed(host) ? undefined : 'no'),
    );
    lookup('localhost', { all: true }, (error, found) => done(error?.message ?? found));
  });

describe('names of strangers', () => {
  it('do not lead where their addresses may not', async () => {
    assert.match(String(await resolve(false, () => false)), /leads to no address that may be dialled/);
    assert.ok(Array.isArray(await resolve(false, () => true)));
    assert.ok(Array.isArray(await resolve(true, () => false)), 'a configured bootstrap may point anywhere');
  });

  it('take one host of each family that they lead to, the first that may be dialled, and judge no other', async () => {
    const found = [
      ...Array.from({ length: 1000 }, (_, i) => ({ address: `11.1.${i >> 8}.${i & 255}`, family: 4 })),
      { address: '2600::1', family: 6 },
      { address: '2600::2', family: 6 },
    ];
    const mocked = mock.method(dns, 'lookup', ((
      _name: string,
      _options: unknown,
      callback: (...answer: unknown[]) => void,
    ) => callback(null, found)) as unknown as typeof dns.lookup);
    syncBuiltinESMExports();
    try {
      const judged: string[] = [];
      const tried = await resolve(false, (host) => {
        judged.push(host);
        return host !== '11.1.0.0';
      });
      assert.deepEqual(tried, [found[1], found[1000]]);
      assert.deepEqual(judged, ['11.1.0.0', '11.1.0.1', '2600::1']);
      assert.deepEqual(await resolve(true, () => false), found);
    } finally {
      mocked.mock.restore();
      syncBuiltinESMExports();
    }
  });

  it('that are all one host are one dial in 10 s', async () => {
    const asked: string[] = [];
    const answer = ((name: string, _options: unknown, callback: (...found: unknown[]) => void) => {
      // Listening looks its own address up.
      if (name.endsWith('.org')) asked.push(name);
      callback(null, [{ address: '127.0.0.1', family: 4 }]);
    }) as unknown as typeof dns.lookup;
    const mocked = mock.method(dns, 'lookup', answer);
    syncBuiltinESMExports();
    const { node, clock } = await createBuiltNode({ listen: '/ip4/127.0.0.1/tcp/0' });
    try {
      await node.start();
      const dial = (name: string): Promise<unknown> =>
        node.dial(multiaddr(`/dns4/${name}.example.org/tcp/1024`));
      await assert.rejects(dial('a'), /ECONNREFUSED/);
      await assert.rejects(dial('b'), /b.example.org leads to no address that may be dialled/);
      await clock.advance(10_000);
      await assert.rejects(dial('c'), /ECONNREFUSED/);
      assert.deepEqual(
        asked,
        ['a', 'b', 'c'].map((name) => `${name}.example.org`),
      );
    } finally {
      mocked.mock.restore();
      syncBuiltinESMExports();
      await node.stop();
    }
  });
});
