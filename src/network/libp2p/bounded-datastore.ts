/**
 * The datastore that libp2p sees: what strangers make kad-dht and the peer store write is bounded here, before the disk.
 *
 *   /dht/provider/<multihash>/<peer>  through ProviderRecords, which also answers the look-ups (expired ones never)
 *   /dht/record/...                   what ValueStore admits; without one refused: anybody could store any number of them
 *   /peers/<peer>                     at most 10,000, least recently written first; connected peers and our own stay
 */
import { BaseDatastore } from 'datastore-core/base';
import type { Datastore, KeyQuery, Pair, Query } from 'interface-datastore';
import { Key } from 'interface-datastore/key';
import { limits } from '../../core/limits.ts';
import type { ValueStore } from './index-value-store.ts';
import type { ProviderRecord, ProviderRecords } from './provider-records.ts';

const providerPrefix = '/dht/provider/';
const recordPrefix = '/dht/record/';
const peerPrefix = '/peers/';
/** Base32 of a SHA-256 multihash. kad-dht takes any CID, with up to 4 MB of "hash" in it. */
const KEY_LENGTH = 55;

export interface BoundedDatastoreOptions {
  /** The /24 (/48) that this peer is connected from. */
  readonly subnetOf: (peerId: string) => string | undefined;
  /** Peer store keys that must stay: `/peers/<cid>`. */
  readonly isKept: (peerKey: string) => boolean;
  /** Undefined: no values. */
  readonly values?: ValueStore | undefined;
}

export class BoundedDatastore extends BaseDatastore {
  readonly #inner: Datastore;
  readonly #records: ProviderRecords;
  readonly #options: BoundedDatastoreOptions;
  /** Peer store keys, least recently written first. */
  readonly #peers = new Set<string>();
  /** The value being put: each is compared with what the one before it left. */
  #putting: Promise<unknown> = Promise.resolve();

  private constructor(inner: Datastore, records: ProviderRecords, options: BoundedDatastoreOptions) {
    super();
    this.#inner = inner;
    this.#records = records;
    this.#options = options;
  }

  /** Reads what the last run left; more than the bounds allow is dropped on the way. */
  static async open(
    inner: Datastore,
    records: ProviderRecords,
    options: BoundedDatastoreOptions,
  ): Promise<BoundedDatastore> {
    const datastore = new BoundedDatastore(inner, records, options);
    for await (const { key, value } of inner.query({ prefix: providerPrefix })) {
      const record = parseRecord(key.toString());
      const gone = record === undefined ? [] : records.add(record, undefined, decodeTime(value));
      if (record === undefined) await inner.delete(key);
      await datastore.#drop(gone);
    }
    for await (const key of inner.queryKeys({ prefix: peerPrefix }))
      await datastore.#keepPeer(key.toString());
    for await (const { key, value } of inner.query({ prefix: recordPrefix }))
      if (!(await datastore.#keepValue(key, value, undefined))) await inner.delete(key);
    await datastore.sweep();
    return datastore;
  }

  /** Deletes expired records from the disk too. */
  async sweep(): Promise<void> {
    await this.#drop(this.#records.sweep());
    for (const name of this.#options.values?.sweep() ?? []) await this.#inner.delete(new Key(name));
  }

  override async put(key: Key, value: Uint8Array): Promise<Key> {
    const name = key.toString();
    if (name.startsWith(recordPrefix)) {
      const turn = this.#putting.then(() => this.#putValue(key, value));
      this.#putting = turn.catch(() => undefined);
      return await turn;
    }
    if (name.startsWith(providerPrefix)) return await this.#putRecord(key, value);
    if (name.startsWith(peerPrefix)) await this.#keepPeer(name);
    await this.#inner.put(key, value);
    return key;
  }

  override get(key: Key): Uint8Array | Promise<Uint8Array> {
    return this.#inner.get(key);
  }

  override has(key: Key): boolean | Promise<boolean> {
    return this.#inner.has(key);
  }

  override async delete(key: Key): Promise<void> {
    const name = key.toString();
    const record = parseRecord(name);
    if (record !== undefined) this.#records.remove(record);
    this.#peers.delete(name);
    this.#options.values?.forget(name);
    await this.#inner.delete(key);
  }

  /** Of provider records only those of one key are listed: kad-dht's own clean-up and re-providing are replaced. */
  override query(query: Query): Generator<Pair> | AsyncGenerator<Pair> {
    if (query.prefix?.startsWith('/dht/provider') !== true) return this.#inner.query(query);
    return listRecords(this.#records, query.prefix.slice(providerPrefix.length));
  }

  override queryKeys(query: KeyQuery): Generator<Key> | AsyncGenerator<Key> {
    return this.#inner.queryKeys(query);
  }

  async #drop(records: readonly ProviderRecord[]): Promise<void> {
    for (const { key, peerId } of records)
      await this.#inner.delete(new Key(`${providerPrefix}${key}/${peerId}`));
  }

  async #putRecord(key: Key, value: Uint8Array): Promise<Key> {
    const record = parseRecord(key.toString());
    if (record === undefined) return key;
    await this.#drop(this.#records.add(record, this.#options.subnetOf(record.peerId)));
    await this.#inner.put(key, value);
    // It had to go for others that came meanwhile.
    if (this.#records.at(record) === undefined) await this.#inner.delete(key);
    return key;
  }

  async #putValue(key: Key, value: Uint8Array): Promise<Key> {
    if (await this.#keepValue(key, value, await this.#find(key))) await this.#inner.put(key, value);
    return key;
  }

  async #keepValue(key: Key, record: Uint8Array, kept: Uint8Array | undefined): Promise<boolean> {
    const verdict = await this.#options.values?.admit(key.toString(), record, kept);
    if (verdict?.drop !== undefined) await this.#inner.delete(new Key(verdict.drop));
    return verdict?.write ?? false;
  }

  async #find(key: Key): Promise<Uint8Array | undefined> {
    return (await this.#inner.has(key)) ? await this.#inner.get(key) : undefined;
  }

  async #keepPeer(name: string): Promise<void> {
    this.#peers.delete(name);
    this.#peers.add(name);
    for (const oldest of this.#peers) {
      if (this.#peers.size <= limits.network.peersKept) return;
      this.#peers.delete(oldest);
      if (this.#options.isKept(oldest)) this.#peers.add(oldest);
      else await this.#inner.delete(new Key(oldest));
    }
  }
}

function* listRecords(records: ProviderRecords, key: string): Generator<Pair> {
  for (const { peerId, at } of records.of(key)) {
    yield { key: new Key(`${providerPrefix}${key}/${peerId}`), value: encodeTime(at) };
  }
}

function parseRecord(name: string): ProviderRecord | undefined {
  if (!name.startsWith(providerPrefix)) return undefined;
  const [key, peerId, ...rest] = name.slice(providerPrefix.length).split('/');
  if (!key || key.length > KEY_LENGTH) return undefined;
  return peerId && rest.length === 0 ? { key, peerId } : undefined;
}

/** kad-dht's value: the time in ms as an unsigned varint. */
function encodeTime(at: number): Uint8Array {
  const bytes: number[] = [];
  let rest = at;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

function decodeTime(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => value * 0x80 + (byte & 0x7f), 0);
}
