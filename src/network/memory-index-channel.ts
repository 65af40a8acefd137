/**
 * The index channel's twin for tests and the simulator: requests go straight to the other node's handler, messages are passed
 * on along links by those that accepted them, values are kept by all that can be reached. Passes `test/contracts/index-channel.ts`.
 */
import { createHash } from 'node:crypto';
import { sleep, type Clock } from '../core/clock.ts';
import { InvalidContentError, PeerError, type PeerFailure } from '../core/errors.ts';
import type { FactEmitter } from '../core/facts.ts';
import { limits } from '../core/limits.ts';
import type {
  HeadValueRules,
  IndexChannel,
  IndexHandler,
  IndexRequestOptions,
  IndexValidator,
} from './index-channel.ts';

/** What a member sees of its world: only those it is linked to. */
export interface MemoryIndexLinks {
  readonly peerId: string;
  peers(): readonly string[];
  member(peerId: string): MemoryIndexMember | undefined;
  /** Of an answer, ms. */
  latency(peerId: string): number;
  leave(peerId: string): void;
  /** A link was cut; returns how to stop listening. */
  onUnlinked(listener: (peerId: string) => void): () => void;
}

export interface MemoryIndexMember {
  readonly channel: IndexChannel;
  readonly peerId: string;
  peers(): readonly string[];
  member(peerId: string): MemoryIndexMember | undefined;
  connected(peerId: string): void;
  /** A message comes from a neighbour. */
  deliver(from: string, id: string, message: Uint8Array): Promise<void>;
  /** Answers a neighbour. Throws PeerError. */
  answer(from: string, request: Uint8Array, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** False when it breaks the rules. */
  keep(key: Uint8Array, value: Uint8Array): Promise<boolean>;
  kept(key: Uint8Array): Uint8Array | undefined;
}

const SEEN = 4096;

export function createMemoryIndexMember(
  deps: { clock: Clock; rules: HeadValueRules | undefined; facts: FactEmitter | undefined },
  links: MemoryIndexLinks,
): MemoryIndexMember {
  const { clock, rules, facts } = deps;
  const { peerId } = links;
  const listeners = new Set<(peerId: string) => void>();
  const seen = new Set<string>();
  const rejects = new Map<string, number>();
  const values = new Map<string, Uint8Array>();
  const answering = new Map<string, number>();
  let handler: IndexHandler | undefined;
  let validator: IndexValidator | undefined;

  /** True the first time. */
  const note = (id: string): boolean => {
    if (seen.has(id)) return false;
    seen.add(id);
    if (seen.size > SEEN) seen.delete(seen.values().next().value as string);
    return true;
  };
  const spread = (id: string, message: Uint8Array, except: string | undefined): void => {
    for (const to of links.peers()) if (to !== except) void links.member(to)?.deliver(peerId, id, message);
  };
  const member: MemoryIndexMember = {
    peerId,
    peers: () => links.peers(),
    member: (other) => links.member(other),
    connected(other) {
      for (const listener of listeners) listener(other);
    },
    async deliver(from, id, message) {
      if (!validator || !note(id)) return;
      const tooLong = message.length > limits.indexChannel.messageBytes;
      const verdict = tooLong
        ? 'reject'
        : await validator(from, message.slice()).catch(() => 'ignore' as const);
      facts?.emit('index:message-received', { peerId: from, bytes: message.length, verdict });
      if (verdict === 'accept') spread(id, message, from);
      if (verdict !== 'reject') return;
      const count = (rejects.get(from) ?? 0) + 1;
      rejects.set(from, count);
      if (count >= limits.indexChannel.rejects) links.leave(from);
    },
    async *answer(from, request, signal) {
      const busy = (answering.get(from) ?? 0) >= limits.indexChannel.answersPerPeer;
      if (!handler || busy) throw failure(peerId, 'busy', 'is busy');
      answering.set(from, (answering.get(from) ?? 0) + 1);
      let sent = 0;
      try {
        for await (const bytes of handler(from, request.slice(), signal)) {
          if (bytes.length === 0) continue;
          sent += bytes.length;
          yield bytes.slice();
        }
      } catch {
        signal.throwIfAborted();
        throw failure(peerId, 'unreadable', 'could not answer');
      } finally {
        answering.set(from, (answering.get(from) ?? 1) - 1);
        if (sent > 0) facts?.emit('index:answer-sent', { peerId: from, bytes: sent });
      }
    },
    async keep(key, value) {
      if (!(await isValid(rules, key, value))) return false;
      const name = Buffer.from(key).toString('hex');
      const old = values.get(name);
      if (!old || rules?.select(key, [old, value]) === 1) values.set(name, value.slice());
      return true;
    },
    kept: (key) => values.get(Buffer.from(key).toString('hex')),
    channel: {
      peers: () => links.peers(),
      onPeer(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      request: (other, request, options) => ask(clock, links, other, request, options),
      serve: (given) => void (handler = given),
      async publish(message) {
        checkLength('a message', message, limits.indexChannel.messageBytes);
        const id = createHash('sha256').update(message).digest('hex');
        if (note(id)) spread(id, message.slice(), undefined);
      },
      onMessage: (given) => void (validator = given),
      async putValue(key, value, { signal } = {}) {
        signal?.throwIfAborted();
        if (!(await member.keep(key, value))) throw new InvalidContentError('not a value for this key');
        const took = await Promise.all(reachable(member).map((other) => other.keep(key, value)));
        return took.filter(Boolean).length;
      },
      async *getValue(key, { signal } = {}) {
        const found = new Set<string>();
        for (const other of [member, ...reachable(member)]) {
          signal?.throwIfAborted();
          const value = other.kept(key);
          const text = value && Buffer.from(value).toString('latin1');
          if (!value || !text || found.has(text) || !(await isValid(rules, key, value))) continue;
          found.add(text);
          yield value.slice();
        }
      },
    },
  };
  return member;
}

async function* ask(
  clock: Clock,
  links: MemoryIndexLinks,
  peerId: string,
  request: Uint8Array,
  { signal, limit = limits.indexChannel.answerBytes }: IndexRequestOptions = {},
): AsyncGenerator<Uint8Array> {
  signal?.throwIfAborted();
  checkLength('a request', request, limits.indexChannel.requestBytes);
  if (!links.member(peerId)) throw failure(peerId, 'unreachable', 'is not connected');
  const latency = links.latency(peerId);
  if (latency > 0) await sleep(clock, latency, signal);
  const leave = new AbortController();
  const stop = signal ? AbortSignal.any([signal, leave.signal]) : leave.signal;
  const source = links.member(peerId)?.answer(links.peerId, request, stop)[Symbol.asyncIterator]();
  // Also while nobody reads: a handler that waits for its reader is freed.
  stop.addEventListener('abort', () => void source?.return?.().catch(() => undefined));
  const unlink = links.onUnlinked((other) => {
    if (other === peerId) leave.abort(failure(peerId, 'reset', 'disconnected'));
  });
  let received = 0;
  try {
    for (;;) {
      const next = await source?.next();
      stop.throwIfAborted();
      if (next === undefined) throw failure(peerId, 'reset', 'disconnected');
      if (next.done === true) return;
      received += next.value.length;
      if (received > limit) throw failure(peerId, 'protocol', `sent more than ${limit} bytes`);
      yield next.value;
      stop.throwIfAborted();
    }
  } finally {
    unlink();
    leave.abort(new Error('was cancelled'));
  }
}

/** All that a walk from here comes to. */
function reachable(from: MemoryIndexMember): MemoryIndexMember[] {
  const found = new Map([[from.peerId, from]]);
  for (const member of found.values()) {
    for (const peerId of member.peers()) {
      const other = member.member(peerId);
      if (other) found.set(peerId, other);
    }
  }
  found.delete(from.peerId);
  return [...found.values()];
}

async function isValid(
  rules: HeadValueRules | undefined,
  key: Uint8Array,
  value: Uint8Array,
): Promise<boolean> {
  if (!rules || value.length > limits.indexChannel.valueBytes) return false;
  try {
    await rules.validate(key, value);
    return true;
  } catch {
    return false;
  }
}

function checkLength(what: string, bytes: Uint8Array, max: number): void {
  if (bytes.length === 0 || bytes.length > max)
    throw new InvalidContentError(`${what} of ${bytes.length} bytes: 1 to ${max} are allowed`);
}

function failure(peerId: string, failure: PeerFailure, message: string): PeerError {
  const retry = failure === 'busy' ? { retryAfter: limits.indexChannel.busyRetry } : {};
  return new PeerError({ peerId, failure, ...retry }, `${peerId} ${message}`);
}
