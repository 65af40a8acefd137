/**
 * A small partial in memory: it touches the disk only to become a blob, or to be kept when it is left. What a crash costs is
 * fetched again. One that outgrows its promised size goes on as files. Calls must not overlap, except `read`.
 */
import type { Digest } from '../core/digest.ts';
import type { SentRange } from './blob-store.ts';
import { removeFile, type FileHandle } from './file-system.ts';
import { PartialFiles, type PartialContent, type PartialFilesDeps } from './partial-files.ts';
import { clipRanges, extendRanges } from './sent-ranges.ts';

export class GatheredPartial implements PartialContent {
  readonly #digest: Digest;
  readonly #deps: PartialFilesDeps;
  readonly #release: () => void;
  readonly #memory: Uint8Array;
  #length = 0;
  #sent: SentRange[] = [];
  /** Of the first `#length` bytes. */
  #actual: Digest | undefined;
  #files: PartialFiles | undefined;
  #file: FileHandle | undefined;

  /** `size` is what is promised; `release` is called once, when the memory is free. */
  constructor(digest: Digest, deps: PartialFilesDeps, options: { size: number; release: () => void }) {
    this.#digest = digest;
    this.#deps = deps;
    this.#release = options.release;
    this.#memory = Buffer.allocUnsafeSlow(options.size);
  }

  get length(): number {
    return this.#files?.length ?? this.#length;
  }

  get sent(): readonly SentRange[] {
    return this.#files?.sent ?? this.#sent;
  }

  async append(bytes: Uint8Array, source: string): Promise<void> {
    if (this.#files === undefined && this.#length + bytes.length > this.#memory.length) await this.#toFiles();
    if (this.#files !== undefined) return this.#files.append(bytes, source);
    this.#memory.set(bytes, this.#length);
    extendRanges(this.#sent, bytes.length, source);
    this.#length += bytes.length;
    this.#actual = undefined;
  }

  async read(target: Uint8Array, offset: number): Promise<number> {
    if (this.#files !== undefined) return this.#files.read(target, offset);
    const part = this.#memory.subarray(offset, Math.min(offset + target.length, this.#length));
    target.set(part);
    return part.length;
  }

  async truncate(length: number): Promise<void> {
    if (this.#files !== undefined) return this.#files.truncate(length);
    this.#sent = clipRanges(this.#sent, length);
    this.#length = Math.min(length, this.#length);
    this.#actual = undefined;
  }

  async digest(): Promise<Digest> {
    if (this.#files !== undefined) return this.#files.digest();
    if (this.#actual !== undefined) return this.#actual;
    const hasher = this.#deps.createHasher();
    await hasher.update(this.#memory.subarray(0, this.#length));
    this.#actual = await hasher.digest();
    return this.#actual;
  }

  async complete(): Promise<FileHandle> {
    if (this.#files !== undefined) return this.#files.complete();
    const path = this.#deps.layout.partial(this.#digest);
    await this.#file?.close();
    this.#file = await this.#deps.fileSystem.open(path, 'w+', 0o600);
    try {
      for (let at = 0; at < this.#length;) {
        at += (await this.#file.write(this.#memory, at, this.#length - at, at)).bytesWritten;
      }
    } catch (error) {
      // Without a log nobody would go on with it.
      await removeFile(this.#deps.fileSystem, path).catch(() => undefined);
      throw error;
    }
    return this.#file;
  }

  async writeLog(): Promise<void> {
    if (this.#files === undefined) await this.#toFiles();
    await this.#files?.writeLog();
  }

  async removeLog(): Promise<void> {
    await this.#files?.removeLog();
  }

  async remove(): Promise<void> {
    if (this.#files !== undefined) await this.#files.remove();
    else if (this.#file !== undefined) {
      await removeFile(this.#deps.fileSystem, this.#deps.layout.partial(this.#digest));
    }
  }

  async close(): Promise<void> {
    if (this.#files === undefined) this.#release();
    await this.#files?.close();
    await this.#file?.close();
  }

  async #toFiles(): Promise<void> {
    const files = await PartialFiles.open(this.#digest, this.#deps, false);
    try {
      for (const { start, end, source } of this.#sent) {
        await files.append(this.#memory.subarray(start, end), source);
      }
    } catch (error) {
      await files.remove().catch(() => undefined);
      await files.close();
      throw error;
    }
    this.#files = files;
    this.#release();
  }
}
