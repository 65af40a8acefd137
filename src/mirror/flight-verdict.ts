/**
 * What follows from a whole: the wrong one is dropped and its senders judged as far as that is just, the right one is
 * committed and its senders praised. A sender of one range among many is judged only against a whole that fits.
 */
import type { Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { IntegrityError, StorageFullError } from '../core/errors.ts';
import type { FactEmitter } from '../core/facts.ts';
import { limits } from '../core/limits.ts';
import type { PeerNetwork } from '../network/peer-network.ts';
import type { SentRange, Visibility } from '../store/blob-store.ts';
import { convicted, fingerprint, soleSender, type Suspect } from './blame.ts';
import { type FlightGround, isFull } from './flight-ground.ts';
import type { GrowingFile } from './growing-file.ts';
import type { RaceMemory } from './race-memory.ts';
import type { Supply } from './source-supply.ts';
import type { StrangerGate } from './stranger-gate.ts';

export interface FlightVerdict {
  /** After a wrong whole of several senders: one source at a time. */
  readonly solo: boolean;
  /** Drops all bytes; throws when enough wholes were wrong. */
  wrong(ground: FlightGround): Promise<void>;
  /** Commits; true when the store has it. */
  right(ground: FlightGround): Promise<boolean>;
}

export interface VerdictDeps {
  readonly digest: Digest;
  readonly clock: Clock;
  readonly facts: FactEmitter;
  readonly network: PeerNetwork;
  readonly races: RaceMemory;
  readonly gate: StrangerGate;
  readonly supply: Supply;
  readonly growth: GrowingFile;
  visibility(): Visibility;
  /** Peers could have won. */
  peersAsked(): boolean;
  noRoom(error: StorageFullError): void;
}

const PEER = /^peer:(.*)$/s;

export function createFlightVerdict(deps: VerdictDeps): FlightVerdict {
  const { digest, facts, network, supply, growth } = deps;
  const suspects: Suspect[] = [];
  let wrongs = 0;
  let solo = false;

  async function blame(readGood: FlightGround['read']): Promise<void> {
    for (const source of await convicted(readGood, suspects)) {
      const peerId = PEER.exec(source)?.[1];
      const actual = 'bytes that differ from the verified ones';
      if (peerId !== undefined) supply.convict(peerId, actual);
      else facts.emit('integrity:mismatch', { digest, actual, source });
    }
  }

  return {
    get solo() {
      return solo;
    },
    async wrong(ground) {
      const actual = await ground.actualDigest();
      const sent = [...ground.sent];
      const sole = soleSender(sent);
      const source = sole ?? [...new Set(sent.map((range) => range.source))].join(', ');
      const error = new IntegrityError({ expected: digest, actual, source });
      wrongs++;
      growth.restart(error);
      const peerId = sole === undefined ? undefined : PEER.exec(sole)?.[1];
      if (peerId !== undefined) supply.convict(peerId, actual);
      else {
        facts.emit('integrity:mismatch', { digest, actual, source });
        if (sole !== undefined) supply.wrongUpstream(error);
        else {
          solo = true;
          const room = limits.fetch.suspectRanges - suspects.length;
          if (ground.stored)
            suspects.push(...(await fingerprint((to, at) => ground.read(to, at), sent)).slice(0, room));
        }
      }
      discard(deps, sent);
      await ground.restart();
      if (wrongs >= limits.fetch.wrongWholes) throw error;
    },
    async right(ground) {
      const sent = [...ground.sent];
      const bytes = bytesOf(sent);
      let stored = ground.stored;
      try {
        if (stored) await ground.commit(deps.visibility());
      } catch (error) {
        if (error instanceof IntegrityError) throw error;
        // The bytes are right and can be read: whatever keeps them from being stored, the clients get them.
        const why = `${digest} could not be stored: ${String(error)}`;
        deps.noRoom(isFull(error) ? error : new StorageFullError(why, { cause: error }));
        stored = false;
      }
      facts.emit('blob:fetched', { digest, size: ground.length, bytes });
      deps.gate.fetched(bytes.peer + bytes.upstream, deps.clock.monotonic());
      if (deps.peersAsked()) deps.races.finished(bytes.peer > bytes.upstream ? 'peer' : 'upstream');
      for (const [peerId, given] of peersOf(sent)) {
        network.judge(peerId, { kind: 'verified', digest, bytes: given, ms: supply.timeOf(peerId) });
      }
      // A window forgets what its readers have: nothing could be compared.
      if (ground.stored && suspects.length > 0) await blame((to, at) => ground.read(to, at));
      return stored;
    },
  };
}

function discard({ digest, facts, gate, clock }: VerdictDeps, sent: readonly SentRange[]): void {
  const { peer, upstream } = bytesOf(sent);
  if (peer > 0) {
    gate.discarded(peer, clock.monotonic());
    facts.emit('fetch:discarded', { digest, bytes: peer, source: 'peer' });
  }
  if (upstream > 0) facts.emit('fetch:discarded', { digest, bytes: upstream, source: 'upstream' });
}

function bytesOf(sent: readonly SentRange[]): { peer: number; upstream: number } {
  const bytes = { peer: 0, upstream: 0 };
  for (const { start, end, source } of sent) bytes[PEER.test(source) ? 'peer' : 'upstream'] += end - start;
  return bytes;
}

function peersOf(sent: readonly SentRange[]): Map<string, number> {
  const given = new Map<string, number>();
  for (const { start, end, source } of sent) {
    const peerId = PEER.exec(source)?.[1];
    if (peerId !== undefined) given.set(peerId, (given.get(peerId) ?? 0) + end - start);
  }
  return given;
}
