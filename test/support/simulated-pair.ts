/** Two hosts and a connection between them in the simulated network, without libp2p. */
import { cpuCosts } from '../../src/simulator/kernel/cpu/cpu-costs.ts';
import { Kernel } from '../../src/simulator/kernel/kernel.ts';
import type { Owner } from '../../src/simulator/kernel/owner.ts';
import type { Host, HostOptions } from '../../src/simulator/network/host.ts';
import { SimulatedNetwork } from '../../src/simulator/network/simulated-network.ts';
import type { Socket } from '../../src/simulator/network/socket.ts';
import type { LinkMode } from '../../src/simulator/scenario/links.ts';
import { createRandomness, deriveStream } from '../../src/simulator/scenario/streams.ts';

export const PORT = 4001;
/** One way, ms. */
export const LATENCY = 50;

export interface Heard {
  /** Milliseconds and bytes. */
  readonly data: { at: number; bytes: number }[];
  readonly events: { at: number; what: string }[];
  bytes: number;
}

export interface End {
  readonly host: Host;
  readonly owner: Owner;
  readonly heard: Heard;
  socket: Socket;
}

export interface World {
  readonly kernel: Kernel;
  readonly network: SimulatedNetwork;
  /** By `from-to`; all else is up. */
  readonly modes: Map<string, LinkMode>;
  addEnd(options?: Partial<HostOptions>): End;
  /** Listens at `to` and dials it; the outcome in ms and words. */
  dial(from: End, to: End, signal?: AbortSignal): Promise<{ at: number; error: string | undefined }>;
  /** Lets `ms` pass. */
  pass(ms: number): Promise<void>;
  /** Does something as its user, now. */
  act(end: End, what: () => void): void;
}

export function createWorld({ jitter = 0, loss = 0, seed = 1, listens = true } = {}): World {
  const kernel = new Kernel({
    epoch: 0,
    costs: cpuCosts.zero,
    randomness: createRandomness(deriveStream(seed, 0, 'world', 'test')),
    setImmediate,
  });
  const modes = new Map<string, LinkMode>();
  const network = new SimulatedNetwork(
    {
      kernel,
      randomness: createRandomness(deriveStream(seed, 0, 'network', 'test')),
      links: { mode: (from, to) => modes.get(`${from}-${to}`) ?? 'up' },
    },
    { latency: { regions: ['eu'], oneWay: [[LATENCY]] }, jitter, loss },
  );
  const at = (): number => kernel.now / 1000;
  let hosts = 0;
  const use = (end: End, socket: Socket): void => {
    end.socket = socket;
    const note = (what: string): void => void end.heard.events.push({ at: at(), what });
    socket.user = {
      data(bytes) {
        end.heard.data.push({ at: at(), bytes: bytes.length });
        end.heard.bytes += bytes.length;
      },
      drained: () => note('drained'),
      ended: () => note('ended'),
      failed: (error) => note(error.message.split(':')[0] as string),
    };
  };
  return {
    kernel,
    network,
    modes,
    addEnd(options = {}) {
      const number = hosts++;
      const host = network.addHost({
        address: `20.0.${number}.1`,
        region: 'eu',
        inbound: 'open',
        uplink: Infinity,
        downlink: Infinity,
        ...options,
      });
      const owner = {
        node: number,
        incarnation: 0,
        randomness: createRandomness(deriveStream(seed, 0, number, 'test')),
        skew: 0,
        alive: true,
      };
      return {
        host,
        owner,
        heard: { data: [], events: [], bytes: 0 },
        socket: undefined as unknown as Socket,
      };
    },
    async dial(from, to, signal = new AbortController().signal) {
      if (listens && !to.host.listeners.has(PORT))
        network.listen(to.host, to.owner, PORT, (socket) => {
          to.heard.events.push({ at: at(), what: 'accepted' });
          use(to, socket);
        });
      return kernel.perform(from.owner, () =>
        network.connect(from.host, from.owner, { address: to.host.address, port: PORT }, signal).then(
          (socket) => {
            use(from, socket);
            return { at: at(), error: undefined };
          },
          (error: Error) => ({ at: at(), error: error.message.split(':')[0] }),
        ),
      );
    },
    pass: (ms) => kernel.run(kernel.now + ms * 1000),
    act: (end, what) => void kernel.schedule(0, 'start', end.owner, what),
  };
}

/** A dialled pair at 1 s, all its handshake past. */
export async function connectedPair(
  options: {
    jitter?: number;
    loss?: number;
    seed?: number;
    a?: Partial<HostOptions>;
    b?: Partial<HostOptions>;
  } = {},
): Promise<World & { a: End; b: End }> {
  const world = createWorld(options);
  const [a, b] = [world.addEnd(options.a), world.addEnd(options.b)];
  const dialled = world.dial(a, b);
  await world.pass(1000);
  const { error } = await dialled;
  if (error !== undefined) throw new Error(error);
  b.heard.events.length = 0;
  return { ...world, a, b };
}
