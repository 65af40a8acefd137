/**
 * The two files of a partial: its bytes and the log of who sent them. Knows nothing of quotas or commits. Calls must not
 * overlap, except `read`.
 */
import type { Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { limits } from '../core/limits.ts';
import type { SentRange } from './blob-store.ts';
import type { BlobLayout } from './blob-layout.ts';
import { hasCode, removeFile, type FileHandle, type FileSystem } from './file-system.ts';
import { feedRange } from './hash-file.ts';
import type { Hasher, HasherFactory } from './hasher.ts';
import { formatSegments, parseSegments, type Segment } from './partial-log.ts';
import { clipRanges, extendRanges } from './sent-ranges.ts';

export interface PartialFilesDeps {
  readonly fileSystem: FileSystem;
  readonly layout: BlobLayout;
  readonly clock: Clock;
  readonly createHasher: HasherFactory;
}

/** What of a partial is where: in its two files, or (`gathered-partial.ts`) in memory. */
export interface PartialContent {
  readonly length: number;
  readonly sent: readonly SentRange[];
  /** Throws what the file system throws; `length` has grown by what was written. */
  append(bytes: Uint8Array, source: string): Promise<void>;
  read(target: Uint8Array, offset: number): Promise<number>;
  truncate(length: number): Promise<void>;
  digest(): Digest | Promise<Digest>;
  /** The file with all of it, to become a blob; not synced. It stays this one's to close. */
  complete(): Promise<FileHandle>;
  /** All of the log on disk, in one piece. */
  writeLog(): Promise<void>;
  removeLog(): Promise<void>;
  remove(): Promise<void>;
  close(): Promise<void>;
}

export class PartialFiles implements PartialContent {
  readonly file: FileHandle;
  sent: SentRange[] = [];
  readonly #digest: Digest;
  readonly #deps: PartialFilesDeps;
  #length = 0;
  #segments: Segment[] = [];
  /** Lines of the log that are on disk; -1 when the log must be written anew. */
  #logged = -1;
  /** When lines were written last, monotonic ms. */
  #loggedAt = -Infinity;
  /** There may be a log file. */
  #logFile: boolean;
  #hasher: Hasher;

  private constructor(digest: Digest, file: FileHandle, deps: PartialFilesDeps, logFile: boolean) {
    this.#digest = digest;
    this.#deps = deps;
    this.file = file;
    this.#logFile = logFile;
    this.#hasher = deps.createHasher();
  }

  /** With `resume`, goes on with what the log proves of an earlier one; reads all of it. */
  static async open(digest: Digest, deps: PartialFilesDeps, resume: boolean): Promise<PartialFiles> {
    const path = deps.layout.partial(digest);
    const segments = resume ? await readLog(digest, deps) : [];
    let file: FileHandle;
    try {
      file = await deps.fileSystem.open(path, segments.length > 0 ? 'r+' : 'w+', 0o600);
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
      file = await deps.fileSystem.open(path, 'w+', 0o600);
    }
    const files = new PartialFiles(digest, file, deps, resume);
    try {
      await files.#restore(segments);
      if (resume) await file.truncate(files.#length);
      return files;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get length(): number {
    return this.#length;
  }

  async append(bytes: Uint8Array, source: string): Promise<void> {
    const last = this.sent.at(-1);
    if (last !== undefined && last.source !== source) await this.#closeSegment();
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.file.write(bytes, done, bytes.length - done, this.#length);
      const written = bytes.subarray(done, done + bytesWritten);
      await this.#hasher.update(written);
      extendRanges(this.sent, bytesWritten, source);
      this.#length += bytesWritten;
      done += bytesWritten;
    }
    if (this.#length - this.#segmentsEnd() >= limits.store.partialSegment) await this.#closeSegment();
    await this.#appendToLog();
  }

  async read(target: Uint8Array, offset: number): Promise<number> {
    const wanted = Math.min(target.length, this.#length - offset);
    if (wanted <= 0) return 0;
    return (await this.file.read(target, 0, wanted, offset)).bytesRead;
  }

  /** Reads all that stays, for its hash. */
  async truncate(length: number): Promise<void> {
    await this.#closeSegment();
    const kept = clipRanges(this.#segments, length) as Segment[];
    const cut = kept.at(-1);
    await this.#restore(kept, cut !== undefined && cut.end !== this.#segments[kept.length - 1]!.end);
    // The log first: a crash in between leaves bytes that it does not cover, and those are dropped.
    await this.writeLog();
    await this.file.truncate(this.#length);
  }

  digest(): Digest | Promise<Digest> {
    return this.#hasher.digest();
  }

  async complete(): Promise<FileHandle> {
    return this.file;
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  async writeLog(): Promise<void> {
    await this.#closeSegment();
    if (this.#logged === this.#segments.length) return;
    const { fileSystem, layout } = this.#deps;
    const path = layout.sent(this.#digest);
    this.#logFile = true;
    // Resumed and left without a new byte it begins its hour anew, after a restart too.
    const last = this.#segments.pop();
    if (last !== undefined) this.#segments.push({ ...last, at: this.#deps.clock.now() });
    await fileSystem.writeFile(`${path}.new`, formatSegments(this.#segments), { mode: 0o600 });
    await fileSystem.rename(`${path}.new`, path);
    this.#logged = this.#segments.length;
    this.#loggedAt = this.#deps.clock.monotonic();
  }

  async removeLog(): Promise<void> {
    if (this.#logFile) await removeFile(this.#deps.fileSystem, this.#deps.layout.sent(this.#digest));
  }

  async remove(): Promise<void> {
    await removePartialFiles(this.#digest, this.#deps);
  }

  #segmentsEnd(): number {
    return this.#segments.at(-1)?.end ?? 0;
  }

  async #closeSegment(): Promise<void> {
    const start = this.#segmentsEnd();
    const source = this.sent.at(-1)?.source;
    if (source === undefined || start === this.#length) return;
    const proof = await this.#hasher.digest();
    this.#segments.push({ start, end: this.#length, proof, at: this.#deps.clock.now(), source });
  }

  /** A log that cannot be written costs the resumption after a crash, not the transfer. */
  async #appendToLog(): Promise<void> {
    const waiting = this.#segments.length - Math.max(0, this.#logged);
    if (waiting === 0) return;
    const { partialLogLines, partialLogEvery } = limits.store;
    if (waiting < partialLogLines && this.#deps.clock.monotonic() - this.#loggedAt < partialLogEvery) return;
    try {
      if (this.#logged < 0) {
        await this.writeLog();
        return;
      }
      const lines = formatSegments(this.#segments.slice(this.#logged));
      await this.#deps.fileSystem.writeFile(this.#deps.layout.sent(this.#digest), lines, { flag: 'a' });
      this.#logged = this.#segments.length;
      this.#loggedAt = this.#deps.clock.monotonic();
    } catch {
      this.#logged = -1;
    }
  }

  /** Hashes the file anew as far as `segments` are right. The last one's proof is made anew when it was cut. */
  async #restore(segments: readonly Segment[], lastWasCut = false): Promise<void> {
    this.#hasher = this.#deps.createHasher();
    this.#segments = [];
    this.sent = [];
    this.#length = 0;
    this.#logged = -1;
    for (const [i, segment] of segments.entries()) {
      const { start, end, source } = segment;
      const reached = await feedRange(this.file, segment, (bytes) => this.#hasher.update(bytes));
      const proof = await this.#hasher.digest();
      const cut = lastWasCut && i === segments.length - 1;
      if (reached !== end || (!cut && proof !== segment.proof)) return this.#hashAgain();
      this.#segments.push({ ...segment, proof });
      extendRanges(this.sent, end - start, source);
      this.#length = end;
    }
  }

  /** Without what a wrong segment brought. */
  async #hashAgain(): Promise<void> {
    this.#hasher = this.#deps.createHasher();
    const range = { start: 0, end: this.#length };
    await feedRange(this.file, range, (bytes) => this.#hasher.update(bytes));
  }
}

async function readLog(digest: Digest, { fileSystem, layout }: PartialFilesDeps): Promise<Segment[]> {
  try {
    return parseSegments(await fileSystem.readFile(layout.sent(digest), 'utf8'));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

export async function removePartialFiles(
  digest: Digest,
  { fileSystem, layout }: Pick<PartialFilesDeps, 'fileSystem' | 'layout'>,
): Promise<void> {
  await removeFile(fileSystem, layout.partial(digest));
  await removeFile(fileSystem, layout.sent(digest));
}
