/**
 * A publisher that signs what it is told to, true or not, and answers questions about its log. Written from docs/protocol.md alone:
 * imports nothing from `src/`.
 */
import { encode } from '@ipld/dag-cbor';
import { BINS, type Entry, deltaBetween, encodeDelta, hugeBin, binOf, ProjectMap } from './project-map.ts';
import {
  announcement,
  canonicalJson,
  checkpointText,
  consistencyProof,
  inclusionProof,
  type Key,
  leafHash,
  sha256,
} from './signed-log.ts';

export const UPSTREAM = 'https://index.example/simple/';
const FILE_ORIGIN = 'https://files.example';

export interface Statement {
  /** Entries to put into the map, and names to take out. */
  readonly set?: readonly Entry[];
  readonly del?: readonly string[];
  /** ms from now on: when it claims to have looked and signed. */
  readonly ahead?: number;
  /** `delta`: one that does not lead to the signed root. `bin`: no delta, and a bin of the first entry that is too large. */
  readonly forge?: 'delta' | 'bin';
}

/** One record, and what it stands for. */
interface Signed {
  readonly record: Buffer;
  readonly delta: Buffer | undefined;
  readonly map: ProjectMap;
  readonly note: Buffer;
}

/** As it came in a request. */
export type Question = Readonly<Record<string, unknown>> & { readonly q: string };

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export class ForgingPublisher {
  readonly key: Key;
  readonly #log: Signed[];
  #observedAt: number;

  constructor(key: Key, history: readonly Signed[] = [], observedAt = 0) {
    this.key = key;
    this.#log = [...history];
    this.#observedAt = observedAt;
  }

  get origin(): string {
    return this.key.name;
  }

  get size(): number {
    return this.#log.length;
  }

  /** Another history under the same key, from so many records on. */
  fork(size: number): ForgingPublisher {
    return new ForgingPublisher(this.key, this.#log.slice(0, size), this.#observedAt);
  }

  sign({ set = [], del = [], ahead = 0, forge }: Statement): void {
    const before = this.#log.at(-1);
    const entries = new Map(before?.map.entries);
    for (const name of del) entries.delete(name);
    for (const entry of set) entries.set(entry.name, entry);
    const [first] = set;
    const forged = new Map<number, Buffer>();
    if (forge === 'bin' && first !== undefined) forged.set(binOf(first.name), hugeBin(first));
    const map = new ProjectMap(entries, forged);
    let delta: Buffer | undefined = deltaBetween(before?.map ?? new ProjectMap(new Map()), map);
    if (forge === 'delta')
      delta = encodeDelta(
        set.map((entry) => ({ ...entry, serial: entry.serial + 1 })),
        del,
      );
    if (forge === 'bin') delta = undefined;
    const now = Date.now() + ahead;
    this.#observedAt = Math.max(this.#observedAt, now);
    const record = Buffer.from(
      canonicalJson({
        v: 1,
        upstream: UPSTREAM,
        fileOrigin: FILE_ORIGIN,
        format: 'json',
        scope: 'all',
        complete: true,
        seq: this.#log.length,
        signedAt: now,
        observedAt: this.#observedAt,
        serial: Math.max(0, ...[...entries.values()].map(({ serial }) => serial)),
        apiVersion: '1.4',
        bins: BINS,
        count: entries.size,
        mapRoot: hex(map.root),
        leaves: hex(sha256(map.leaves)),
        delta: delta === undefined ? null : hex(sha256(delta)),
        stale: null,
        retractions: [],
        previous: before === undefined ? null : hex(leafHash(before.record)),
      }),
    );
    const leaves = [...this.#log.map((one) => leafHash(one.record)), leafHash(record)];
    this.#log.push({ record, delta, map, note: this.key.note(checkpointText(this.origin, leaves)) });
  }

  /** Of the head with so many records; `flip`: with one bit of this byte of its signature turned over. */
  announcement(size = this.size, flip?: number): Buffer {
    const { note, record } = this.#log[size - 1]!;
    const shown = flip === undefined ? note : alterSignature(note, flip);
    return announcement(shown, record, inclusionProof(size - 1, this.#leaves(size)));
  }

  /** The parts of the answer: none for what it does not have. */
  answer(question: Question): Buffer[] {
    switch (question.q) {
      case 'heads': {
        const known = (question['h'] as Record<string, number>)[this.origin];
        return known !== undefined && known < this.size ? [this.announcement()] : [];
      }
      case 'range': {
        if (question['o'] !== this.origin) return [];
        const asked = this.#log.slice(Number(question['f']), Number(question['t']));
        return asked.flatMap(({ record, delta }) => [record, delta ?? Buffer.alloc(0)]);
      }
      case 'inclusion': {
        const [index, size] = [Number(question['i']), Number(question['s'])];
        if (question['o'] !== this.origin || size > this.size) return [];
        const leaves = this.#leaves(size);
        const proof = Buffer.concat(inclusionProof(index, leaves));
        return [Buffer.from(encode({ h: leaves[index], p: proof }))];
      }
      case 'consistency': {
        const [from, to] = [Number(question['f']), Number(question['t'])];
        if (question['o'] !== this.origin || to > this.size) return [];
        return [Buffer.concat(consistencyProof(from, this.#leaves(to)))];
      }
      case 'object': {
        const leaves = this.#mapOf(question['d'])?.leaves;
        return leaves === undefined ? [] : [leaves];
      }
      case 'bins': {
        const bins = [...(this.#mapOf(question['l'])?.bins ?? [])].toSorted(([a], [b]) => a - b);
        const runs = Buffer.from(question['r'] as Uint8Array);
        const wanted = (bin: number): boolean => {
          for (let at = 0; at < runs.length; at += 4)
            if (runs.readUInt16BE(at) <= bin && bin <= runs.readUInt16BE(at + 2)) return true;
          return false;
        };
        return bins.filter(([bin]) => wanted(bin)).map(([bin, bytes]) => Buffer.concat([u16(bin), bytes]));
      }
      case 'bundles': {
        const newest = this.#log.at(-1);
        if (newest === undefined) return [];
        return [Buffer.from(encode({ a: this.announcement(), m: newest.map.prove(Number(question['b'])) }))];
      }
      default:
        return [];
    }
  }

  #leaves(size: number): Buffer[] {
    return this.#log.slice(0, size).map(({ record }) => leafHash(record));
  }

  /** By the digest of its leaves. */
  #mapOf(digest: unknown): ProjectMap | undefined {
    const wanted = hex(digest as Uint8Array);
    return this.#log.findLast(({ record }) => record.includes(wanted))?.map;
  }
}

function alterSignature(note: Buffer, at: number): Buffer {
  const text = note.toString();
  const start = text.lastIndexOf(' ') + 1;
  const signature = Buffer.from(text.slice(start), 'base64');
  // Four bytes of the key's ID stand before it.
  signature.writeUInt8(signature.readUInt8(4 + at) ^ 1, 4 + at);
  return Buffer.from(`${text.slice(0, start)}${signature.toString('base64')}\n`);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
