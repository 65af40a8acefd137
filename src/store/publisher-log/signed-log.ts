/**
 * The log over its files, wherever those are. An append writes the bundle with the new entry first: from then on the entry is
 * the log's, and all else follows from it. After a kill at any step the same tiles are written and the same
 * text is signed again. What does not fit together is refused and never mended: a log that lost something must not go on.
 */
import { digestToBytes } from '../../core/digest.ts';
import { ConfigurationError, InvalidLogError } from '../../core/errors.ts';
import { BINS } from '../../core/index-map/index-entry.ts';
import { leafHash } from '../../core/index-map/tree-hash.ts';
import { type Checkpoint, formatCheckpoint, openCheckpoint } from '../../core/log/checkpoint.ts';
import { signNote } from '../../core/log/note.ts';
import { logRoot, proveConsistency, proveInclusion } from '../../core/log/prove-log.ts';
import {
  checkFollows,
  decodeRecord,
  encodeRecord,
  type IndexRecord,
  isKnownRecord,
  recordDigest,
} from '../../core/log/record.ts';
import type { Signer } from '../../core/log/signer-key.ts';
import { type Tile, TILE_WIDTH } from '../../core/log/tiles.ts';
import type { TreeProof } from '../../core/log/tree-proofs.ts';
import type { VerifierKey } from '../../core/log/verifier-key.ts';
import { Gate } from '../gate.ts';
import type { LogFiles } from './log-files.ts';
import type { LogHead, PublisherLog, RecordDraft } from './publisher-log.ts';
import {
  countEntries,
  dropPartials,
  readEntry,
  readLastBundle,
  readTile,
  writeLastBundle,
  writeNewTiles,
} from './stored-tree.ts';

const CHECKPOINT = 'checkpoint';

export interface SignedLogDeps {
  readonly files: LogFiles;
  /** The log's key; during a rotation the old and the new one, of one name. */
  readonly signers: readonly [Signer, ...Signer[]];
  /** For errors: the folder. */
  readonly place: string;
  /** Called once, when the log is closed. */
  readonly release?: () => Promise<void>;
}

export class SignedLog implements PublisherLog {
  readonly #files: LogFiles;
  #signers: readonly [Signer, ...Signer[]];
  readonly #place: string;
  readonly #turn = new Gate(1);
  readonly #readTile = (tile: Tile): Promise<Uint8Array> => readTile(this.#files, tile);
  /** Entries of the last bundle, as far as they are in the log. */
  #bundle: readonly Uint8Array[] = [];
  #head: LogHead | undefined;
  /** False from the first write of an append to its end: then only the files know. */
  #settled = false;

  readonly #release: () => Promise<void>;
  #closed: Promise<void> | undefined;

  private constructor({ files, signers, place, release = async () => {} }: SignedLogDeps) {
    this.#release = release;
    this.#files = files;
    this.#signers = signers;
    this.#place = place;
  }

  /** @throws ConfigurationError for keys that cannot sign this log, InvalidLogError LOG_DAMAGED */
  static async open(deps: SignedLogDeps): Promise<SignedLog> {
    const log = new SignedLog(deps);
    if (deps.signers.some(({ key }) => key.name !== log.origin))
      throw new ConfigurationError(
        'usage',
        `the keys ${deps.signers.map(({ key }) => key.name).join(' and ')} have different names: a log has one`,
        "make the new key with the old one's name: fondue key new --name NAME",
      );
    await log.#load();
    return log;
  }

  get origin(): string {
    return this.#signers[0].key.name;
  }

  get keys(): readonly VerifierKey[] {
    return this.#signers.map(({ key }) => key);
  }

  signOnlyWith(key: VerifierKey): void {
    const signer = this.#signers.find((one) => one.key.text === key.text);
    if (signer === undefined) throw new RangeError(`${key.text} does not sign ${this.origin}`);
    this.#signers = [signer];
  }

  get size(): number {
    return this.#head?.checkpoint.size ?? 0;
  }

  get head(): LogHead | undefined {
    return this.#head;
  }

  append(draft: RecordDraft): Promise<LogHead> {
    return this.#alone(async () => {
      const [size, before] = [this.size, this.#head];
      const record: IndexRecord = { ...draft, v: 1, bins: BINS, previous: before?.digest ?? null };
      if (draft.seq !== size)
        throw new InvalidLogError(
          'RECORD_WRONG_SEQ',
          `a record of seq ${draft.seq} cannot be added to a log of ${size}`,
        );
      if (before !== undefined)
        checkFollows(record, { digest: before.digest, observedAt: before.record.observedAt });
      const bytes = encodeRecord(record);
      const full = this.#bundle.length === TILE_WIDTH;
      const bundle = full ? [bytes] : [...this.#bundle, bytes];
      this.#settled = false;
      await writeLastBundle(this.#files, size + 1, bundle);
      const head = await this.#finish(size + 1, bundle, true);
      this.#settled = true;
      return head;
    });
  }

  recover(): Promise<LogHead | undefined> {
    return this.#alone(async () => this.#head);
  }

  async record(seq: number): Promise<Uint8Array | undefined> {
    if (!Number.isInteger(seq) || seq < 0 || seq >= this.size) return undefined;
    return readEntry(this.#files, seq, this.size);
  }

  proveInclusion(seq: number, size = this.size): Promise<TreeProof> {
    if (size > this.size) throw new RangeError(`the log has ${this.size} records, not ${size}`);
    return proveInclusion(seq, size, this.#readTile);
  }

  proveConsistency(from: number, to = this.size): Promise<TreeProof> {
    if (to > this.size) throw new RangeError(`the log has ${this.size} records, not ${to}`);
    return proveConsistency(from, to, this.#readTile);
  }

  [Symbol.asyncDispose](): Promise<void> {
    // After the append that is under way.
    this.#closed ??= this.#turn.run(this.#release);
    return this.#closed;
  }

  /** One after the other; none after the lock is gone. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#turn.run(async () => {
      if (this.#closed !== undefined) throw new Error(`the log in ${this.#place} is closed`);
      if (!this.#settled) await this.#load();
      return work();
    });
  }

  /** Brings everything to what the files say. */
  async #load(): Promise<void> {
    try {
      const signed = await this.#readSigned();
      const stored = await countEntries(this.#files);
      if (stored !== signed.size && stored !== signed.size + 1)
        damaged(`it has ${stored} records and a checkpoint of ${signed.size}`);
      if ((await logRoot(signed.size, this.#readTile)) !== signed.root)
        damaged('its tiles do not lead to the root that was signed');
      const bundle = await readLastBundle(this.#files, stored);
      if (stored === signed.size) await this.#checkBundle(stored, bundle);
      // Whoever stored it may have failed before its folder was synced: nothing is signed over what a power loss may take.
      else await writeLastBundle(this.#files, stored, bundle);
      if (stored > 0) await this.#finish(stored, bundle, stored > signed.size);
    } catch (error) {
      if (!(error instanceof InvalidLogError)) throw error;
      throw new InvalidLogError(
        'LOG_DAMAGED',
        `the log in ${this.#place} is damaged: ${error.message}. It must not go on, or its publisher would be taken for a liar: begin a new one in an empty folder, with a new key`,
        { cause: error },
      );
    }
    this.#settled = true;
  }

  /** The checkpoint on disk, signed by one of our keys. */
  async #readSigned(): Promise<Pick<Checkpoint, 'size' | 'root'>> {
    const note = await this.#files.read(CHECKPOINT);
    if (note === undefined) return { size: 0, root: await logRoot(0, this.#readTile) };
    try {
      return openCheckpoint(
        note,
        this.#signers.map(({ key }) => key),
      ).checkpoint;
    } catch (cause) {
      if (cause instanceof InvalidLogError && cause.code === 'NOTE_UNKNOWN_KEY')
        throw new ConfigurationError(
          'environment',
          `the log in ${this.#place} is not of the key ${this.#signers[0].key.text}: ${cause.message}`,
          'use the key that began it, or another folder for this key',
          { cause },
        );
      throw cause;
    }
  }

  /** The entries that were signed are those of the tiles. */
  async #checkBundle(size: number, bundle: readonly Uint8Array[]): Promise<void> {
    if (size === 0) return;
    const index = Math.floor((size - 1) / TILE_WIDTH);
    const tile = await this.#readTile({ level: 0, index, width: bundle.length });
    if (Buffer.compare(Buffer.concat(bundle.map((entry) => leafHash(entry))), tile) !== 0)
      damaged('its last records are not those that were signed');
  }

  /** Tiles, then the signatures. Writes only what is not there. */
  async #finish(size: number, bundle: readonly Uint8Array[], isNew: boolean): Promise<LogHead> {
    const bytes = bundle.at(-1) as Uint8Array;
    const record = decodeRecord(bytes, size - 1);
    if (!isKnownRecord(record)) damaged(`its last record is of version ${record.v}`);
    const digest = recordDigest(bytes);
    if (isNew) await writeNewTiles(this.#files, size, digestToBytes(digest));
    const root = await logRoot(size, this.#readTile);
    const checkpoint: Checkpoint = { origin: this.origin, size, root, extensions: [] };
    const text = formatCheckpoint(checkpoint);
    const note = signNote(text, this.#signers);
    const before = await this.#files.read(CHECKPOINT);
    if (before === undefined || Buffer.compare(before, note) !== 0) await this.#files.write(CHECKPOINT, note);
    const proof = await proveInclusion(size - 1, size, this.#readTile);
    const announcements = this.#signers.map((signer) => ({
      checkpoint: signNote(text, [signer]),
      record: bytes,
      proof,
    }));
    this.#bundle = bundle;
    this.#head = { checkpoint, note, record, digest, announcements };
    await dropPartials(this.#files, size);
    return this.#head;
  }
}

function damaged(what: string): never {
  throw new InvalidLogError('LOG_DAMAGED', what);
}
