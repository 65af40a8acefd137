import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import type { Connection } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import { MemoryDatastore } from 'datastore-core/memory';
import { ConfigurationError } from '../../src/core/errors.ts';
import { digestToCid } from '../../src/core/digest.ts';
import { createFactEmitter } from '../../src/core/facts.ts';
import { limits } from '../../src/core/limits.ts';
import { BLOB_PROTOCOL } from '../../src/network/blob-protocol/frames.ts';
import { holdersOf } from '../contracts/peer-network.ts';
import { createLibp2pWorld } from '../support/libp2p-world.ts';
import type { TestNode } from '../support/libp2p-world.ts';
import { createMemoryShelf, digestOf, someBytes } from '../support/memory-shelf.ts';
import { createStockDhtPeer } from '../support/stock-dht-peer.ts';

const bytes = someBytes(5000);
const digest = digestOf(bytes);
const shelfWithBlob = () => {
  const shelf = createMemoryShelf();
  shelf.put(bytes);
  return shelf;
};
const ids = async (answers: AsyncIterable<{ peerId: string }>): Promise<string[]> =>
  (await holdersOf(answers as never)).map(({ peerId }) => peerId);
const meets = (node: TestNode, other: { peerId: string }): boolean =>
  node.status().peers.some(({ peerId }) => peerId === other.peerId);
const hasRecord = (node: TestNode) => (): boolean => node.status().providerRecords > 0;

describe('nodes among each other', { timeout: 60_000 }, () => {
  it('find a blob through a third node, and read it', async () => {
    await using world = createLibp2pWorld();
    const seed = await world.node();
    const holder = await world.node({ shelf: shelfWithBlob(), bootstrap: [seed.address] });
    await world.hurry(120_000, hasRecord(seed));
    const asker = await world.node({ bootstrap: [seed.address] });
    await world.hurry(120_000, () => meets(asker, seed) && asker.status().routingTable > 0);
    assert.deepEqual(await ids(asker.find(digest)), [holder.peerId]);
    await using answer = await asker.range(holder.peerId, { digest, offset: 10, length: 100 });
    const parts: Uint8Array[] = [];
    for await (const part of answer.body) parts.push(part);
    assert.deepEqual(Buffer.concat(parts), Buffer.from(bytes.subarray(10, 110)));
  });

  it('open the stream for questions when a peer connects, those that ask', async () => {
    await using world = createLibp2pWorld();
    const looked: (() => string[])[] = [];
    const node = async (ask: 'all' | 'none', bootstrap: string[] = []): Promise<TestNode> => {
      const create = tcp();
      const transport = (components: Parameters<typeof create>[0]) => {
        const { connectionManager } = components as unknown as {
          connectionManager: { getConnections(): Connection[] };
        };
        looked.push(() =>
          connectionManager
            .getConnections()
            .flatMap(({ streams }) => streams)
            .filter(({ protocol }) => protocol === BLOB_PROTOCOL)
            .map(({ direction }) => direction)
            .toSorted(),
        );
        return create(components);
      };
      return world.node({ bootstrap, config: { ask }, deps: { transport: transport as never } });
    };
    const seed = await node('all');
    await node('none', [seed.address]);
    const [ofSeed, ofOther] = looked as [() => string[], () => string[]];
    await world.hurry(60_000, () => ofSeed().length > 0 && ofOther().length > 0);
    assert.deepEqual([ofSeed(), ofOther()], [['outbound'], ['inbound']]);
    await holdersOf(seed.ask(digest));
    assert.deepEqual(ofSeed(), ['outbound'], 'and ask over it');
  });

  it('tell nobody what they hold with --share none, and ask nobody with --ask none', async () => {
    await using world = createLibp2pWorld();
    const seed = await world.node();
    const holder = await world.node({
      shelf: shelfWithBlob(),
      bootstrap: [seed.address],
      config: { share: 'none' },
    });
    const asker = await world.node({ bootstrap: [seed.address], config: { ask: 'none' } });
    const curious = await world.node({ bootstrap: [seed.address, holder.address] });
    await world.hurry(300_000, () => meets(curious, holder) && meets(asker, seed));
    await world.pass(30_000);
    assert.equal(seed.status().providerRecords, 0);
    assert.deepEqual(await ids(curious.ask(digest)), []);
    assert.deepEqual(await ids(curious.find(digest)), []);
    assert.deepEqual(await ids(asker.ask(digest)), []);
    assert.deepEqual(await ids(asker.find(digest)), []);
  });

  it('withdraw: our own record is deleted', async () => {
    await using world = createLibp2pWorld();
    const seed = await world.node();
    const holder = await world.node({ shelf: shelfWithBlob(), bootstrap: [seed.address] });
    await world.hurry(120_000, hasRecord(seed));
    assert.equal(holder.status().providerRecords, 1);
    holder.withdraw(digest);
    await world.hurry(5000, () => holder.status().providerRecords === 0);
  });

  it('keep a ban across a restart: the liar is neither dialled nor let in', async () => {
    await using world = createLibp2pWorld();
    const liarKey = await generateKeyPair('Ed25519');
    const liar = await world.node({ shelf: shelfWithBlob(), deps: { privateKey: liarKey } });
    const kept = { datastore: new MemoryDatastore(), privateKey: await generateKeyPair('Ed25519') };
    const first = await world.node({ bootstrap: [liar.address], deps: kept });
    await world.hurry(60_000, () => meets(first, liar));
    first.judge(liar.peerId, { kind: 'wrong-bytes', digest });
    await world.hurry(60_000, () => first.status().connections === 0 && liar.status().connections === 0);
    await first[Symbol.asyncDispose]();
    const second = await world.node({ bootstrap: [liar.address], deps: kept });
    assert.deepEqual(
      second.status().banned.map(({ peerId, reason }) => ({ peerId, reason })),
      [{ peerId: liar.peerId, reason: 'wrong-bytes' }],
    );
    await world.pass(180_000);
    assert.equal(second.status().connections, 0, 'not even as a bootstrap is it dialled');
    await liar[Symbol.asyncDispose]();
    const intruder = await createStockDhtPeer({ listen: false, privateKey: liarKey });
    const innocent = await createStockDhtPeer({ listen: false });
    try {
      await intruder.dial(multiaddr(second.address)).catch(() => undefined);
      await world.hurry(
        5000,
        () => intruder.getConnections().length === 0 && second.status().connections === 0,
      );
      await innocent.dial(multiaddr(second.address));
      // Others at the same address are let in.
      await world.hurry(5000, () => second.status().connections === 1);
    } finally {
      await Promise.all([intruder.stop(), innocent.stop()]);
    }
  });

  it('find their way back after a restart without a bootstrap, to whom they remember', async () => {
    await using world = createLibp2pWorld();
    const other = await world.node();
    const kept = { datastore: new MemoryDatastore(), privateKey: await generateKeyPair('Ed25519') };
    const first = await world.node({ bootstrap: [other.address], deps: kept });
    await world.hurry(60_000, () => meets(first, other));
    first.judge(other.peerId, { kind: 'verified', digest, bytes: 5000, ms: 10 });
    await first[Symbol.asyncDispose]();
    const second = await world.node({ deps: kept });
    await world.hurry(120_000, () => meets(second, other));
  });

  it('dial a bootstrap by its name, over the real TCP', async () => {
    await using world = createLibp2pWorld();
    const other = await world.node();
    const named = other.address.replace('/ip4/127.0.0.1', '/dns4/localhost');
    const node = await world.node({ bootstrap: [named], deps: { transport: undefined } });
    await world.hurry(120_000, () => meets(node, other));
  });

  it('are alone, and up, when no bootstrap can be reached', async () => {
    await using world = createLibp2pWorld();
    const node = await world.node({ bootstrap: ['/ip4/127.0.0.1/tcp/9', '/dns4/nowhere.invalid/tcp/8382'] });
    assert.equal(node.status().state, 'alone');
    assert.equal(node.multiaddrs().length, 1);
    await world.pass(60_000);
    assert.equal(node.status().state, 'alone');
  });

  it('dial nothing on this machine because a stranger said so', async () => {
    const dialled: Socket[] = [];
    const trap = createServer((socket) => {
      dialled.push(socket);
      socket.destroy();
    });
    await once(trap.listen(0, '127.0.0.1'), 'listening');
    const { port } = trap.address() as AddressInfo;
    await using world = createLibp2pWorld();
    const seed = await world.node();
    // It says that it lives at the trap, in its identify and in its provider record.
    const attacker = await createStockDhtPeer({
      announce: [`/ip4/127.0.0.1/tcp/${port}`, '/ip4/192.168.0.1/tcp/8382'],
    });
    try {
      await attacker.dial(multiaddr(seed.address));
      const cid = digestToCid(digest);
      while (!hasRecord(seed)()) for await (const event of attacker.services.dht.provide(cid)) void event;
      // A node that listens beyond this machine (here: nowhere) takes no loopback address from others.
      const victim = await world.node({ bootstrap: [seed.address], config: { listen: [] } });
      await world.hurry(120_000, () => meets(victim, seed) && victim.status().routingTable > 0);
      assert.deepEqual(await ids(victim.find(digest)), []);
      await world.pass(120_000);
      assert.equal(dialled.length, 0);
      // The trap works: one that listens on loopback only would have been led there.
      const local = await world.node({ bootstrap: [seed.address] });
      await world.hurry(120_000, () => meets(local, seed) && local.status().routingTable > 0);
      assert.deepEqual(await ids(local.find(digest)), []);
      assert.ok(dialled.length > 0);
    } finally {
      await attacker.stop();
      trap.close();
    }
  });

  it('store at most 2,000 records of one peer, whatever it sends', async () => {
    await using world = createLibp2pWorld();
    const node = await world.node();
    const flood = await createStockDhtPeer();
    try {
      const connection = await flood.dial(multiaddr(node.address));
      const id = flood.peerId.toMultihash().bytes;
      const address = multiaddr('/ip4/127.0.0.1/tcp/5000').bytes;
      const send = async (from: number, to: number): Promise<void> => {
        const stream = await connection.newStream('/fondue/kad/1.0.0');
        for (let i = from; i < to; i++) {
          const key = digestToCid(digestOf(someBytes(4, i + 1))).multihash.bytes;
          const drained = stream.send(addProviderMessage(key, id, address))
            ? undefined
            : once(stream as never, 'drain');
          await drained;
        }
        await stream.close();
      };
      await send(0, 1000);
      await world.hurry(60_000, () => node.status().providerRecords === 1000);
      await send(1000, 2300);
      await world.hurry(60_000, () => node.status().providerRecords === limits.network.recordsPerPeer);
      // All have been handled once the last one is answered for.
      for await (const event of flood.services.dht.findProviders(digestToCid(digestOf(someBytes(4, 2300))))) {
        if (event.name === 'PROVIDER') break;
      }
      assert.equal(node.status().providerRecords, limits.network.recordsPerPeer);
    } finally {
      await flood.stop();
    }
  });

  it('refuse handshakes beyond 20 a second from one host, so that churning peer ids costs little', async () => {
    await using world = createLibp2pWorld();
    const node = await world.node();
    const port = Number(/tcp\/(\d+)/.exec(node.address)?.[1]);
    let refused = 0;
    const sockets = Array.from({ length: 80 }, () => connect(port, '127.0.0.1'));
    for (const socket of sockets) {
      socket.on('close', () => (refused += 1));
      socket.on('error', () => undefined);
    }
    await Promise.all(sockets.map((socket) => once(socket, 'connect').catch(() => undefined)));
    // The others are let on and wait for their handshake, 5 s at most.
    await world.until(() => refused >= 40);
    assert.ok(refused >= 40, `${refused} of 80 were refused`);
    for (const socket of sockets) socket.destroy();
  });
});

describe('a node and its machine', () => {
  it('keeps its identity in a file that only its owner can read', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fondue-'));
    try {
      const open = async (): Promise<string> => {
        await using world = createLibp2pWorld();
        return (await world.node({ deps: { storagePath: folder } })).peerId;
      };
      const first = await open();
      assert.equal(await open(), first);
      const path = join(folder, 'identity.key');
      assert.equal((await stat(path)).mode & 0o777, 0o600);
      await writeFile(path, (await readFile(path)).subarray(0, 20));
      await assert.rejects(open(), (error) => {
        assert.ok(error instanceof ConfigurationError);
        assert.equal(error.fault, 'environment');
        assert.ok(error.message.includes(path) && /damaged/.test(error.message), error.message);
        return true;
      });
      assert.equal((await readFile(path)).length, 20, 'a damaged key is never replaced silently');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('replaces a damaged peers database and says so; one in use it does not touch', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fondue-'));
    try {
      await using world = createLibp2pWorld();
      const node = await world.node({ deps: { storagePath: folder } });
      await assert.rejects(world.node({ deps: { storagePath: folder } }), (error) => {
        assert.ok(
          error instanceof ConfigurationError && /in use by another process/.test(error.message),
          String(error),
        );
        return true;
      });
      await node[Symbol.asyncDispose]();
      await writeFile(join(folder, 'peers', 'CURRENT'), 'garbage\n');
      const facts = createFactEmitter();
      const noted: string[] = [];
      facts.on('network:noted', ({ message }) => noted.push(message));
      const again = await world.node({ deps: { storagePath: folder, facts } });
      assert.match(noted.join(), /damaged .* a new one is begun/);
      assert.equal(again.peerId, node.peerId);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('says which address is taken, and what to do', async () => {
    const taken = createServer();
    await once(taken.listen(0, '127.0.0.1'), 'listening');
    const listen = `/ip4/127.0.0.1/tcp/${(taken.address() as AddressInfo).port}`;
    try {
      await using world = createLibp2pWorld();
      await assert.rejects(world.node({ config: { listen: [listen] } }), (error) => {
        assert.ok(error instanceof ConfigurationError, String(error));
        assert.equal(error.fault, 'environment');
        assert.ok(error.message.includes(listen) && /in use/.test(error.message), error.message);
        assert.match(error.fix, /another port/);
        return true;
      });
    } finally {
      taken.close();
    }
  });
});

describe('what the rules assume of libp2p', () => {
  it('names the expected identity when another peer answers', async () => {
    await using world = createLibp2pWorld();
    const node = await world.node();
    const stranger = await createStockDhtPeer({ listen: false });
    try {
      const other = peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toString();
      await assert.rejects(
        stranger.dial(multiaddr(node.address.replace(node.peerId, other))),
        /does not match expected remote identity/,
      );
    } finally {
      await stranger.stop();
    }
  });
});

/** ADD_PROVIDER as kad-dht sends it: a length and a protobuf. */
function addProviderMessage(key: Uint8Array, peerId: Uint8Array, address: Uint8Array): Uint8Array {
  const field = (number: number, value: Uint8Array): number[] => [
    (number << 3) | 2,
    ...varint(value.length),
    ...value,
  ];
  const provider = Uint8Array.from([...field(1, peerId), ...field(2, address)]);
  const message = [(1 << 3) | 0, 2, ...field(2, key), ...field(9, provider)];
  return Uint8Array.from([...varint(message.length), ...message]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)];
}
