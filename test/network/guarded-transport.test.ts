import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { transportSymbol } from '@libp2p/interface';
import type { Connection, Transport } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { guardTransport, NotDialledError } from '../../src/network/libp2p/guarded-transport.ts';

function guarded(why: string | undefined, dial: () => Promise<Connection>) {
  const seen: string[] = [];
  const inner: Transport = {
    [transportSymbol]: true,
    [Symbol.toStringTag]: 'stub',
    dial: () => {
      seen.push('dialled');
      return dial();
    },
    createListener: () => assert.fail(),
    listenFilter: (addresses) => addresses,
    dialFilter: (addresses) => addresses.slice(0, 1),
  };
  const transport = guardTransport(() => inner, {
    begin: () => why,
    wrongIdentity: (address) => seen.push(`wrong: ${address}`),
  })({});
  return { transport, seen, dial: () => transport.dial(multiaddr('/ip4/11.1.1.1/tcp/8382'), {} as never) };
}

describe('a guarded transport', () => {
  it('does not dial what the rules forbid at that moment', async () => {
    const { dial, seen } = guarded('too soon', async () => assert.fail());
    await assert.rejects(
      dial(),
      (error) => error instanceof NotDialledError && /too soon/.test(error.message),
    );
    assert.deepEqual(seen, []);
  });

  it('notes an address where another peer answers, and only that', async () => {
    const message = 'Payload identity key A does not match expected remote identity key B';
    const wrong = guarded(undefined, async () => Promise.reject(new Error(message)));
    await assert.rejects(wrong.dial(), { message });
    assert.deepEqual(wrong.seen, ['dialled', 'wrong: /ip4/11.1.1.1/tcp/8382']);
    const refused = guarded(undefined, async () => Promise.reject(new Error('connection refused')));
    await assert.rejects(refused.dial(), /connection refused/);
    assert.deepEqual(refused.seen, ['dialled']);
  });

  it('is the transport it guards in everything else', async () => {
    const connection = {} as Connection;
    const { transport, dial } = guarded(undefined, async () => connection);
    assert.equal(await dial(), connection);
    const addresses = [multiaddr('/ip4/11.1.1.1/tcp/1'), multiaddr('/ip4/11.1.1.1/tcp/2')];
    assert.deepEqual(transport.dialFilter(addresses), addresses.slice(0, 1));
    assert.equal(transport[Symbol.toStringTag], 'stub');
  });
});
