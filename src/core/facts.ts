/**
 * One typed emitter of facts in the past tense. Log, dashboard, metrics and tests listen; nothing here ever steers the
 * program, and a listener that throws is the emitter owner's to report.
 */
import type { Digest } from './digest.ts';
import type { ProjectName } from './project-name.ts';

/** Who gave bytes: disk, a peer, or the upstream. */
export type SourceKind = 'disk' | 'peer' | 'upstream';

export interface Facts {
  'blob:added': { digest: Digest; size: number; source: 'peer' | 'upstream' | 'local'; shareable: boolean };
  'blob:evicted': { digest: Digest; size: number; reason: 'quota' | 'request' };
  /** A stored blob no longer fits its name; it was taken out of service. */
  'blob:corrupt': { digest: Digest };
  /** A blob that was shared got a private origin: peers must not hear of it any more. */
  'blob:hidden': { digest: Digest };
  /** Bytes from outside did not fit their hash. `source` is a URL or `peer:<id>`. */
  'integrity:mismatch': { digest: Digest; actual: string; source: string };
  /** Verified bytes fetched for a blob, once however many clients waited. */
  'blob:fetched': { digest: Digest; size: number; bytes: { peer: number; upstream: number } };
  'fetch:discarded': { digest: Digest; bytes: number; source: 'peer' | 'upstream' };
  'page:refreshed': { project: ProjectName; changed: boolean };
  'page:stale-served': { project: ProjectName; ageSeconds: number };
  'upstream:changed': { state: 'ok' | 'unreachable'; error: string | undefined };
  /** Bytes of a body sent to a client. */
  'served:bytes': { source: SourceKind; bytes: number };
  'served:request': { route: string; status: number; ms: number };
  'peer:connected': { peerId: string; address: string; lan: boolean };
  'peer:disconnected': { peerId: string };
  /** Of the DHT's routing table. */
  'dht:peer-added': { peerId: string };
  'dht:peer-removed': { peerId: string };
  'peer:banned': { peerId: string; reason: string; digest: Digest | undefined; until: number };
  /** A gossiped message of the index and what became of it. */
  'index:message-received': { peerId: string; bytes: number; verdict: 'accept' | 'ignore' | 'reject' };
  /** Answers about the index, whole or broken off. */
  'index:answer-sent': { peerId: string; bytes: number };
  'index:answer-received': { peerId: string; bytes: number };
  /** A record was stored and signed. */
  'publisher:signed': {
    origin: string;
    size: number;
    names: number;
    changed: number;
    stale: number;
    complete: boolean;
    serial: number;
    observedAt: number;
    mapRoot: Digest;
  };
  /** Of a publisher's first import. */
  'publisher:progressed': { done: number; total: number; project: ProjectName };
  /** Something that its operator should know: a list that is not believed, a page that cannot be read. */
  'publisher:noted': { message: string };
  /** It signs no more; `message` says why and what to do. */
  'publisher:stopped': { origin: string; message: string };
  /** What is believed of the index changed by a voter's record. */
  'head:advanced': {
    origin: string;
    seq: number;
    names: number;
    serial: number;
    observedAt: number;
    /** Of the map that is here now. */
    mapRoot: Digest;
  };
  /** Something about a publisher's log was refused; who is to blame for it. */
  'record:refused': {
    origin: string | undefined;
    code: string;
    message: string;
    peerId: string | undefined;
    blame: 'sender' | 'publisher' | 'nobody';
  };
  /** A publisher is proven to have signed what contradicts itself: it counts no more. */
  'misconduct:proven': { origin: string; kind: string; digest: Digest };
  /** Something about the index that its user should know: a clock, retractions, a leap. */
  'index:alarmed': { message: string };
  /** The policy's file says something else: the node lives by that now. */
  'policy:changed': { source: string; threshold: number; publishers: number };
  /** What the policy's file says cannot be lived by: the policy stays as it was. */
  'policy:refused': { source: string; message: string };
  /** A believed page was served past its ten minutes; told rarely. */
  'index:aged': { ageSeconds: number };
  'storage:full': { message: string };
  /** Something in the data folder was damaged and mended; `message` says what was lost. */
  'storage:repaired': { message: string };
  'network:noted': { message: string };
  /** Something in the program itself went wrong: a bug to report. */
  'program:failed': { message: string };
}

export type FactName = keyof Facts;

export interface FactListener {
  <K extends FactName>(name: K, fact: Facts[K]): void;
}

export interface FactEmitter {
  emit<K extends FactName>(name: K, fact: Facts[K]): void;
  /** Calls `listener` for facts of this name; returns how to stop it. */
  on<K extends FactName>(name: K, listener: (fact: Facts[K]) => void): () => void;
  /** Calls `listener` for every fact. */
  onAny(listener: FactListener): () => void;
}

export function createFactEmitter(): FactEmitter {
  const byName = new Map<FactName, Set<(fact: never) => void>>();
  const any = new Set<FactListener>();
  return {
    emit(name, fact) {
      for (const listener of byName.get(name) ?? []) (listener as (f: typeof fact) => void)(fact);
      for (const listener of any) listener(name, fact);
    },
    on(name, listener) {
      const set = byName.get(name) ?? new Set();
      byName.set(name, set);
      set.add(listener);
      return () => set.delete(listener);
    },
    onAny(listener) {
      any.add(listener);
      return () => any.delete(listener);
    },
  };
}
