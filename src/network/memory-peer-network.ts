/**
 * The peer network's twin for tests: nodes of one "world" in one process, without libp2p and without sockets. Peers can be
 * scripted to be slow, full, absent or to lie; every wait goes by the injected clock. Passes `test/contracts/peer-network.ts`.
 */
import { sleep, type Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { PeerError } from '../core/errors.ts';
import type { FactEmitter } from '../core/facts.ts';
import type { HeadValueRules } from './index-channel.ts';
import { createMemoryIndexMember, type MemoryIndexMember } from './memory-index-channel.ts';
import { createMemoryPeerRecords, type MemoryPeerRecords } from './memory-peer-records.ts';
import { memoryRange } from './memory-range.ts';
import type {
  AskOptions,
  Holder,
  NetworkStatus,
  PeerCallOptions,
  PeerNetwork,
  RangeAnswer,
  RangeRequest,
  Shelf,
  Verdict,
} from './peer-network.ts';

/** How a peer treats those who ask it. Nothing set: at once, right and whole. */
export interface PeerBehaviour {
  /** Before any answer, ms. */
  readonly latency?: number;
  /** Bytes a second. */
  readonly rate?: number;
  /** Flips one bit of every chunk. */
  readonly wrongBytes?: boolean;
  /** After `bytes`, one byte each `every` ms. */
  readonly drip?: { readonly bytes: number; readonly every: number };
  /** Resets the stream after so many bytes. */
  readonly cutAt?: number;
  /** Sends nothing more after so many bytes, and leaves the stream open. */
  readonly stallAt?: number;
  /** Answers every GET with BUSY and this time, ms. */
  readonly busy?: number;
  /** Says in HAVE that it holds the blob, then NOT_FOUND. */
  readonly notFoundAfterHave?: boolean;
  /** Never answers HAVE. */
  readonly deaf?: boolean;
  /** Size claimed in HAVE and OK instead of the true one; for a blob that is not held, too. */
  readonly claimedSize?: number;
  /** 0 to 255. */
  readonly load?: number;
}

export interface MemoryNodeOptions {
  readonly peerId: string;
  readonly shelf: Shelf;
  readonly lan?: boolean;
  readonly behaviour?: PeerBehaviour;
  /** Connected to all nodes that are there already (default) or to none: then it is found through provider records only. */
  readonly connected?: boolean;
  readonly facts?: FactEmitter;
  /** Of values in the DHT; without them every one is refused. */
  readonly headValues?: HeadValueRules;
}

/** A node of the world, with what tests want to see and to change. */
export interface MemoryNode extends PeerNetwork {
  readonly verdicts: readonly { readonly peerId: string; readonly verdict: Verdict }[];
  /** Questions and ranges that others put to this node, in order. */
  readonly asked: readonly {
    readonly kind: 'have' | 'get';
    readonly from: string;
    readonly digest: Digest;
    readonly offset: number;
    readonly length: number | undefined;
  }[];
  behave(behaviour: PeerBehaviour): void;
}

export interface MemoryWorld {
  node(options: MemoryNodeOptions): MemoryNode;
  connect(a: string, b: string): void;
  disconnect(a: string, b: string): void;
}

export interface WorldMember {
  readonly peerId: string;
  readonly lan: boolean;
  readonly shelf: Shelf;
  behaviour: PeerBehaviour;
  closed: boolean;
  readonly links: Set<string>;
  readonly providing: Set<Digest>;
  readonly asked: MemoryNode['asked'][number][];
  uploaded: number;
  activeGets: number;
  busyAnswers: number;
  onConnected: Set<(peerId: string) => void>;
  readonly onDisconnected: Set<(peerId: string) => void>;
  readonly index: MemoryIndexMember;
}

const HAVE_DEADLINE = 150;
const ASKED_AT_MOST = 8;
const NEGATIVE_PEER = 600_000;
const NEGATIVE_IN_NEED = 500;
const NEGATIVE_NOBODY = 60_000;
const BAN = 86_400_000;

export function createMemoryWorld(deps: { clock: Clock }): MemoryWorld {
  const members = new Map<string, WorldMember>();
  const connect = (a: string, b: string): void => {
    const [one, other] = [members.get(a), members.get(b)];
    if (!one || !other || one === other || one.closed || other.closed || one.links.has(b)) return;
    one.links.add(b);
    other.links.add(a);
    for (const listener of one.onConnected) listener(b);
    for (const listener of other.onConnected) listener(a);
  };
  const disconnect = (a: string, b: string): void => {
    const [one, other] = [members.get(a), members.get(b)];
    if (!one?.links.delete(b) || !other?.links.delete(a)) return;
    for (const listener of one.onDisconnected) listener(b);
    for (const listener of other.onDisconnected) listener(a);
  };
  return {
    connect,
    disconnect,
    node(options) {
      const self: WorldMember = {
        peerId: options.peerId,
        lan: options.lan ?? false,
        shelf: options.shelf,
        behaviour: options.behaviour ?? {},
        closed: false,
        links: new Set(),
        providing: new Set(),
        asked: [],
        uploaded: 0,
        activeGets: 0,
        busyAnswers: 0,
        onConnected: new Set(),
        onDisconnected: new Set(),
        index: createMemoryIndexMember(
          { clock: deps.clock, rules: options.headValues, facts: options.facts },
          {
            peerId: options.peerId,
            peers: () => (self.closed ? [] : [...self.links]),
            member: (peerId) => (self.links.has(peerId) ? members.get(peerId)?.index : undefined),
            latency: (peerId) => members.get(peerId)?.behaviour.latency ?? 0,
            leave: (peerId) => disconnect(self.peerId, peerId),
            onUnlinked(listener) {
              self.onDisconnected.add(listener);
              return () => void self.onDisconnected.delete(listener);
            },
          },
        ),
      };
      self.onConnected.add((peerId) => self.index.connected(peerId));
      if (members.has(self.peerId)) throw new Error(`two nodes called ${self.peerId}`);
      const others = [...members.keys()];
      members.set(self.peerId, self);
      if (options.connected ?? true) for (const other of others) connect(self.peerId, other);
      return createMemoryNode(deps, { self, members, connect, disconnect }, options.facts);
    },
  };
}

interface World {
  readonly self: WorldMember;
  readonly members: ReadonlyMap<string, WorldMember>;
  connect(a: string, b: string): void;
  disconnect(a: string, b: string): void;
}

function createMemoryNode(deps: { clock: Clock }, world: World, facts: FactEmitter | undefined): MemoryNode {
  const { clock } = deps;
  const { self, members } = world;
  const records = createMemoryPeerRecords(clock);
  const verdicts: { peerId: string; verdict: Verdict }[] = [];
  const negative = new Map<string, number>();
  const known = (key: string): boolean => (negative.get(key) ?? -1) > clock.monotonic();
  const remember = (key: string, ms: number): void => void negative.set(key, clock.monotonic() + ms);
  self.onConnected.add(() => {
    for (const key of negative.keys()) if (key.startsWith('nobody ')) negative.delete(key);
  });

  /** HAVE to one peer: undefined when it has not the blob or missed its deadline. */
  const have = async (
    peer: WorldMember,
    digest: Digest,
    { signal, inNeed = false }: AskOptions = {},
  ): Promise<Holder | undefined> => {
    const saidNo = (negative.get(`${peer.peerId} ${digest}`) ?? -Infinity) - NEGATIVE_PEER;
    if (clock.monotonic() - saidNo < (inNeed ? NEGATIVE_IN_NEED : NEGATIVE_PEER)) return undefined;
    peer.asked.push({ kind: 'have', from: self.peerId, digest, offset: 0, length: undefined });
    const { behaviour } = peer;
    const wait = behaviour.deaf ? Infinity : (behaviour.latency ?? 0);
    if (wait > 0) await sleep(clock, Math.min(wait, HAVE_DEADLINE), signal);
    if (wait > HAVE_DEADLINE || !self.links.has(peer.peerId)) return undefined;
    const size = behaviour.claimedSize ?? peer.shelf.size(digest);
    if (size === undefined) {
      remember(`${peer.peerId} ${digest}`, NEGATIVE_PEER);
      return undefined;
    }
    const load = behaviour.load ?? 0;
    const { proven, goodput } = records.of(peer.peerId);
    return { peerId: peer.peerId, lan: peer.lan, proven, size, load, goodput };
  };

  async function* inOrderOfAnswers(
    peers: readonly WorldMember[],
    digest: Digest,
    options: AskOptions | undefined,
  ): AsyncGenerator<Holder> {
    const leave = new AbortController();
    const signal = options?.signal ? AbortSignal.any([options.signal, leave.signal]) : leave.signal;
    const pending = new Map(
      peers.map((peer) => [
        peer,
        have(peer, digest, { ...options, signal }).then((holder) => ({ peer, holder })),
      ]),
    );
    for (const question of pending.values()) question.catch(() => undefined);
    try {
      while (pending.size > 0) {
        const { peer, holder } = await Promise.race(pending.values());
        pending.delete(peer);
        if (holder) yield holder;
      }
    } finally {
      leave.abort();
    }
  }

  const usable = (peerId: string): boolean => !records.banned(peerId) && !members.get(peerId)?.closed;

  return {
    peerId: self.peerId,
    verdicts,
    asked: self.asked,
    behave: (behaviour) => void (self.behaviour = behaviour),
    multiaddrs: () => [`/memory/${self.peerId}/p2p/${self.peerId}`],
    async *ask(digest: Digest, options?: AskOptions): AsyncGenerator<Holder> {
      const peers = [...self.links].filter(usable).map((id) => members.get(id) as WorldMember);
      const near = peers.filter((peer) => peer.lan);
      const far = records.rank(peers.filter((peer) => !peer.lan)).slice(0, ASKED_AT_MOST);
      yield* inOrderOfAnswers([...near, ...far], digest, options);
    },
    async *find(digest: Digest, options?: PeerCallOptions): AsyncGenerator<Holder> {
      if (known(`nobody ${digest}`)) return;
      const providers = [...members.values()].filter(
        (peer) => peer !== self && peer.providing.has(digest) && usable(peer.peerId),
      );
      for (const peer of providers) world.connect(self.peerId, peer.peerId);
      let found = false;
      for await (const holder of inOrderOfAnswers(providers, digest, options)) {
        found = true;
        yield holder;
      }
      if (!found) remember(`nobody ${digest}`, NEGATIVE_NOBODY);
    },
    async range(peerId: string, request: RangeRequest): Promise<RangeAnswer> {
      request.signal?.throwIfAborted();
      const peer = members.get(peerId);
      if (!peer || self.closed || !self.links.has(peerId) || !usable(peerId))
        throw new PeerError({ peerId, failure: 'unreachable' }, `no connection to ${peerId}`);
      const { digest, offset, length } = request;
      peer.asked.push({ kind: 'get', from: self.peerId, digest, offset, length });
      return memoryRange({ clock, linked: () => self.links.has(peerId), records }, peer, request);
    },
    advertise: (digest) => void self.providing.add(digest),
    withdraw: (digest) => void self.providing.delete(digest),
    judge(peerId, verdict) {
      verdicts.push({ peerId, verdict });
      records.judge(peerId, verdict);
      if (verdict.kind === 'not-found') remember(`${peerId} ${verdict.digest}`, NEGATIVE_PEER);
      if (verdict.kind !== 'wrong-bytes' || records.banned(peerId)) return;
      const until = clock.now() + BAN;
      records.ban({ peerId, reason: 'wrong-bytes', digest: verdict.digest, at: clock.now(), until });
      world.disconnect(self.peerId, peerId);
      facts?.emit('peer:banned', { peerId, reason: 'wrong-bytes', digest: verdict.digest, until });
    },
    index: self.index.channel,
    peerConnected: (options) => nextConnection(self, options?.signal),
    status: () => memoryStatus(self, records),
    async [Symbol.asyncDispose]() {
      self.closed = true;
      for (const other of self.links) world.disconnect(self.peerId, other);
    },
  };
}

function nextConnection(self: WorldMember, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void): void => {
      self.onConnected.delete(connected);
      signal?.removeEventListener('abort', aborted);
      settle();
    };
    const connected = (): void => done(resolve);
    const aborted = (): void => done(() => reject(signal?.reason as Error));
    if (signal?.aborted) return reject(signal.reason as Error);
    self.onConnected.add(connected);
    signal?.addEventListener('abort', aborted, { once: true });
  });
}

function memoryStatus(self: WorldMember, records: MemoryPeerRecords): NetworkStatus {
  return {
    state: self.links.size > 0 ? 'connected' : 'alone',
    connections: self.links.size,
    routingTable: self.links.size,
    uploadedBytes: self.uploaded,
    providerRecords: Math.min(self.providing.size, 2000),
    activeGets: self.activeGets,
    busyAnswers: self.busyAnswers,
    peers: [...self.links].map((peerId) => ({
      peerId,
      address: `/memory/${peerId}`,
      ...records.traffic(peerId),
    })),
    banned: records.bans(),
  };
}
