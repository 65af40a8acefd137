/**
 * Network nodes of ours with public addresses and `dht: auto` in the simulated world: `CASE LATENCY`; prints what they came to. A
 * process of its own: the globals are replaced.
 */
import { openWorld } from '../../src/simulator/open-world.ts';
import type { ComponentLogger, Connection, Libp2pEvents, PrivateKey } from '@libp2p/interface';
import type { Transport, TypedEventTarget } from '@libp2p/interface';
import type { PeerNetwork } from '../../src/network/peer-network.ts';
import type { Owner } from '../../src/simulator/kernel/owner.ts';
import type { Inbound } from '../../src/simulator/network/host.ts';
import type { MemoryShelf } from './memory-shelf.ts';

const [name = '', latency = '20'] = process.argv.slice(2);
const world = await openWorld({
  seed: 1,
  run: 0,
  cpu: 'zero',
  latency: { regions: ['eu'], oneWay: [[Number(latency)]] },
  jitter: 0.05,
  loss: 0,
  links: { mode: () => 'up' },
});
const { peerIdFromPrivateKey } = await import('@libp2p/peer-id');
const { generateKeyPairFromSeed } = await import('@libp2p/crypto/keys');
const { MemoryDatastore } = await import('datastore-core/memory');
const { createFactEmitter } = await import('../../src/core/facts.ts');
const { createLibp2pPeerNetwork } = await import('../../src/network/libp2p/libp2p-peer-network.ts');
const { kadProtocol } = await import('../../src/network/libp2p/protocol-names.ts');
const { createVirtualClock } = await import('../../src/simulator/kernel/virtual-clock.ts');
const { createSimulatedTransport } = await import('../../src/simulator/network/transport.ts');
const { silentLogger } = await import('../../src/simulator/nodes/silent-logger.ts');
const { createRandomness, deriveStream } = await import('../../src/simulator/scenario/streams.ts');
const { createMemoryShelf, someBytes } = await import('./memory-shelf.ts');

const { kernel, network } = world;
const minutes = (count: number): Promise<void> => kernel.run(count * 60e6);

interface Components {
  readonly logger: ComponentLogger;
  readonly events: TypedEventTarget<Libp2pEvents>;
  readonly registrar: { getProtocols(): string[] };
}

interface Node {
  readonly number: number;
  readonly inbound: Inbound;
  readonly owner: Owner;
  readonly shelf: MemoryShelf;
  /** In the order in which they were opened. */
  readonly opened: readonly Connection[];
  readonly dials: readonly { readonly at: number; readonly to: string }[];
  isServer(): boolean;
  network?: PeerNetwork;
}

const bootstrap: string[] = [];
const nodes: Node[] = [];
/** The smallest id first: of two connections to a later node the one that the earlier dialled would be kept. */
const keys = (
  await Promise.all(
    Array.from({ length: 32 }, (_, i) =>
      generateKeyPairFromSeed('Ed25519', deriveStream(1, 0, i, 'identity')),
    ),
  )
).sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));

function idOf(key: PrivateKey): string {
  return peerIdFromPrivateKey(key).toString();
}

async function add(inbound: Inbound, index = false): Promise<void> {
  const number = nodes.length;
  const owner = {
    node: number,
    incarnation: 0,
    randomness: createRandomness(deriveStream(1, 0, number, 'life')),
    skew: 0,
    alive: true,
  };
  const host = network.addHost({
    address: `20.0.${number}.7`,
    region: 'eu',
    inbound,
    uplink: 1e7,
    downlink: 1e7,
  });
  const shelf = createMemoryShelf();
  const clock = createVirtualClock(kernel, owner);
  let components: Components | undefined;
  const opened: Connection[] = [];
  const dials: { at: number; to: string }[] = [];
  const create = createSimulatedTransport({ kernel, network, host, owner });
  const transport = (given: Components): Transport => {
    components = given;
    given.events.addEventListener('connection:open', ({ detail }) => void opened.push(detail));
    const inner = create(given);
    const dial = inner.dial.bind(inner);
    inner.dial = async (ma, options) => {
      dials.push({ at: clock.monotonic(), to: ma.toString() });
      return dial(ma, options);
    };
    return inner;
  };
  const key = keys[number] as PrivateKey;
  const known = [...bootstrap];
  const node: Node = {
    number,
    inbound,
    owner,
    shelf,
    opened,
    dials,
    isServer: () => components?.registrar.getProtocols().includes(kadProtocol) ?? false,
  };
  kernel.schedule(number * 200_000, 'start', kernel.world, () => {
    const making = kernel.perform(owner, () =>
      createLibp2pPeerNetwork(
        {
          listen: [`/ip4/${host.localAddress}/tcp/8382`],
          bootstrap: known,
          mdns: false,
          share: 'all',
          ask: 'all',
          dht: 'auto',
          uploadLimit: undefined,
          index,
        },
        {
          clock,
          randomness: owner.randomness,
          facts: createFactEmitter(),
          shelf,
          privateKey: key,
          datastore: new MemoryDatastore(),
          logger: silentLogger,
          transport: transport as never,
          interfaces: () => ({
            eth0: [
              {
                address: host.localAddress,
                netmask: '255.255.255.0',
                family: 'IPv4',
                mac: '00:00:00:00:00:00',
                internal: false,
                cidr: `${host.localAddress}/24`,
              },
            ],
          }),
        },
      ),
    );
    void making.then((made) => void Object.assign(node, { network: made }));
  });
  if (number < 2) bootstrap.push(`/ip4/${host.address}/tcp/8382/p2p/${idOf(key)}`);
  nodes.push(node);
}

const cases: Record<string, () => Promise<unknown>> = {
  /** Two bootstraps, then two open nodes of ten: the last one has a blob. */
  async mixed() {
    for (let i = 0; i < 17; i++) await add(i < 2 || i % 5 === 1 ? 'open' : i % 2 === 0 ? 'filtered' : 'nat');
    const holder = nodes[16];
    const digest = holder?.shelf.put(someBytes(100_000)) as never;
    await minutes(3);
    const found: (string[] | undefined)[] = nodes.map(() => undefined);
    for (const { owner, network: own, number } of nodes)
      void kernel
        .perform(owner, async () => {
          const holders: string[] = [];
          for await (const { peerId } of own?.find(digest) ?? []) holders.push(peerId);
          return holders;
        })
        .then((holders) => (found[number] = holders));
    await minutes(4);
    return {
      holder: holder?.network?.peerId,
      nodes: nodes.map(({ inbound, isServer, network: own, number }) => ({
        inbound,
        server: isServer(),
        connections: own?.status().connections,
        found: found[number],
      })),
    };
  },

  /** Of two, one knows the other. */
  async pair() {
    await add('open', true);
    await add('open', true);
    const streams = (connection: Connection | undefined): string[] =>
      (connection?.streams ?? []).map(({ protocol, direction }) => `${direction} ${protocol}`).sort();
    const [seed, caller] = nodes as [Node, Node];
    const kept: string[][] = [];
    while (seed.opened.length < 2) await kernel.run(kernel.now + 10_000);
    kept.push(streams(seed.opened[0]), streams(caller.opened[0]));
    await minutes(1);
    kept.push(streams(seed.opened[0]), streams(caller.opened[0]));
    return {
      servers: [seed.isServer(), caller.isServer()],
      opened: [seed, caller].map(({ opened }) => opened.map(({ direction, status }) => [direction, status])),
      kept,
    };
  },

  /** Three open nodes and one behind a firewall for some hours: who is a server, minute by minute. */
  async hours() {
    for (let i = 0; i < 4; i++) await add(i < 3 ? 'open' : 'filtered');
    let seen = '';
    await minutes(2);
    for (let minute = 3; minute < 130; minute++) {
      await minutes(minute);
      seen += nodes.map(({ isServer }) => (isServer() ? '+' : '-')).join('') + ' ';
    }
    return {
      seen: [...new Set(seen.trim().split(' '))],
      tries: nodes.map(({ dials }) =>
        dials.filter(({ to }) => to.includes('/20.0.3.7/')).map(({ at }) => at),
      ),
      // What the status tells of where peers are, and no connection does.
      wrong: nodes.flatMap(({ network: own, opened }) => {
        const real = opened
          .filter(({ status }) => status === 'open')
          .map(({ remoteAddr }) => remoteAddr.toString());
        return (own?.status().peers ?? []).filter(({ address }) => !real.includes(address));
      }),
    };
  },
};

const run = cases[name];
if (run === undefined) throw new Error(`no case ${name}`);
process.stdout.write(`${JSON.stringify(await run())}\n`);
process.exit(0);
