/**
 * The overlay: an append-only file of what came after the base. A frame is u32 length of its content, u32 CRC-32 of kind and
 * content, u8 kind, content:
 *
 *   1  a bin: u16 number of the bin, u16 number of names, CBOR
 *   2  a map: u8 0 or 1, u8 length of its name, its name, and for each changed bin u16 number, 32 bytes leaf hash.
 *      1: the changes are against the base; 0: against the frame of this map before
 *   3  a map is dropped: its name
 *
 * Always true: a frame that is not whole ends the file (a crash tore it), and what stands before was written before; a write
 * that fails is cut off again, so that it cannot come to life later.
 */
import { crc32 } from 'node:zlib';
import type { LeafChanges } from '../../core/index-map/leaf-changes.ts';
import { HASH_BYTES } from '../../core/index-map/tree-hash.ts';
import { limits } from '../../core/limits.ts';
import type { FileHandle, FileSystem } from '../file-system.ts';
import { type FileDamage, isOurs, sealHead } from './file-head.ts';
import { readAt, writeAt } from './positioned-io.ts';

const MAGIC = 'fondue index log';
const HEAD_BYTES = 64;
const FRAME_HEAD = 9;
const BIN_HEAD = 4;
const CHANGE_BYTES = 2 + HASH_BYTES;
/** Frames are gathered in one buffer that stays; a larger one gets its own. */
const GATHERED = 256 * 1024;
/** A map frame with all bins. */
const CONTENT_MAX = 2 + 255 + 65_536 * CHANGE_BYTES;
const KIND = { bin: 1, map: 2, drop: 3 } as const;

export interface LoggedBin {
  readonly kind: 'bin';
  readonly number: number;
  readonly count: number;
  readonly bytes: Uint8Array;
}

export interface LoggedMap {
  readonly kind: 'map';
  readonly name: string;
  readonly fromBase: boolean;
  readonly changed: LeafChanges;
}

export interface LoggedDrop {
  readonly kind: 'drop';
  readonly name: string;
}

export type LogFrame = LoggedBin | LoggedMap | LoggedDrop;

export class OverlayLog {
  readonly #file: FileHandle;
  #end: number;
  /** Behind the end stands what a failed write left. */
  #torn = false;
  #gathered: Buffer | undefined;

  private constructor(file: FileHandle, end: number) {
    this.#file = file;
    this.#end = end;
  }

  static async create(fileSystem: FileSystem, path: string, baseId: Uint8Array): Promise<OverlayLog> {
    const file = await fileSystem.open(path, 'w+', 0o600);
    try {
      await writeAt(file, sealHead(MAGIC, baseId), 0);
      return new OverlayLog(file, HEAD_BYTES);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** `onFrame` gets every whole frame and where its content's last part (the CBOR of a bin) begins. */
  static async open(
    fileSystem: FileSystem,
    path: string,
    baseId: Uint8Array,
    onFrame: (frame: LogFrame, position: number) => void,
  ): Promise<{ log: OverlayLog; cut: number } | FileDamage> {
    const file = await fileSystem.open(path, 'r+');
    try {
      const id = isOurs(await readAt(file, HEAD_BYTES, 0), MAGIC, path);
      if (!id?.equals(baseId)) {
        await file.close();
        return { damage: id ? 'belongs to another base' : 'is not an overlay of index maps' };
      }
      const log = new OverlayLog(file, HEAD_BYTES);
      for await (const { kind, content, position } of wholeFrames(file)) {
        const frame = readFrame(kind, content);
        if (frame === undefined) break;
        onFrame(frame, frame.kind === 'bin' ? position + BIN_HEAD : position);
        log.#end = position + content.length;
      }
      const cut = (await file.stat()).size - log.#end;
      if (cut > 0) await file.truncate(log.#end);
      return { log, cut };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get bytes(): number {
    return this.#end;
  }

  /** One at a time. Returns where the CBOR of each bin stands, in order. Not durable before {@link sync}. */
  async append(frames: readonly LogFrame[]): Promise<number[]> {
    const positions: number[] = [];
    let end = this.#end;
    await this.#whole(async () => {
      const gathered = (this.#gathered ??= Buffer.allocUnsafe(GATHERED));
      let filled = 0;
      const flush = async (): Promise<void> => {
        await writeAt(this.#file, gathered.subarray(0, filled), end);
        end += filled;
        filled = 0;
      };
      for (const frame of frames) {
        const size = FRAME_HEAD + sizeOf(frame);
        if (filled + size > GATHERED) await flush();
        if (frame.kind === 'bin') positions.push(end + filled + FRAME_HEAD + BIN_HEAD);
        const own = size > GATHERED;
        const bytes = own ? Buffer.allocUnsafe(size) : gathered.subarray(filled, filled + size);
        writeFrame(frame, bytes);
        if (own) await writeAt(this.#file, bytes, end);
        if (own) end += size;
        else filled += size;
      }
      await flush();
    });
    this.#end = end;
    return positions;
  }

  /** Appends and makes durable, or leaves the file as it was. */
  async commit(frames: readonly LogFrame[]): Promise<number[]> {
    const before = this.#end;
    const positions = await this.append(frames);
    try {
      await this.#whole(() => this.#file.datasync());
    } catch (error) {
      this.#end = before;
      await this.#cut().catch(() => {});
      throw error;
    }
    return positions;
  }

  async sync(): Promise<void> {
    await this.#file.sync();
  }

  /** `into`: where there is room for it already. */
  async read(position: number, length: number, into?: Buffer): Promise<Buffer> {
    return await readAt(this.#file, length, position, into);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #whole(work: () => Promise<void>): Promise<void> {
    if (this.#torn) await this.#cut();
    try {
      await work();
    } catch (error) {
      this.#torn = true;
      await this.#cut().catch(() => {});
      throw error;
    }
  }

  async #cut(): Promise<void> {
    this.#torn = true;
    await this.#file.truncate(this.#end);
    this.#torn = false;
  }
}

async function* wholeFrames(
  file: FileHandle,
): AsyncGenerator<{ kind: number; content: Buffer; position: number }> {
  let piece: Buffer = Buffer.alloc(0);
  let from = HEAD_BYTES;
  const have = async (position: number, length: number): Promise<Buffer> => {
    if (position + length > from + piece.length) {
      piece = await readAt(file, Math.max(length, limits.indexMap.readAhead), position);
      from = position;
    }
    return piece.subarray(position - from, position - from + length);
  };
  for (let position = HEAD_BYTES; ;) {
    const head = await have(position, FRAME_HEAD);
    if (head.length < FRAME_HEAD) return;
    const [length, crc, kind] = [head.readUInt32BE(), head.readUInt32BE(4), head[8] ?? 0];
    if (length > CONTENT_MAX) return;
    position += FRAME_HEAD;
    const content = await have(position, length);
    if (content.length < length || crc32(content, crc32(Uint8Array.of(kind))) !== crc) return;
    yield { kind, content, position };
    position += length;
  }
}

function sizeOf(frame: LogFrame): number {
  if (frame.kind === 'bin') return BIN_HEAD + frame.bytes.length;
  const name = Buffer.byteLength(frame.name);
  return frame.kind === 'drop' ? name : 2 + name + frame.changed.size * CHANGE_BYTES;
}

/** Head and content, which fill `bytes`. */
function writeFrame(frame: LogFrame, bytes: Buffer): void {
  bytes.writeUInt32BE(bytes.length - FRAME_HEAD);
  bytes[8] = KIND[frame.kind];
  writeContent(frame, bytes.subarray(FRAME_HEAD));
  bytes.writeUInt32BE(crc32(bytes.subarray(8)), 4);
}

function writeContent(frame: LogFrame, content: Buffer): void {
  if (frame.kind === 'drop') {
    content.write(frame.name);
  } else if (frame.kind === 'bin') {
    content.writeUInt16BE(frame.number);
    content.writeUInt16BE(frame.count, 2);
    content.set(frame.bytes, BIN_HEAD);
  } else {
    const name = content.write(frame.name, 2);
    content[0] = frame.fromBase ? 1 : 0;
    content[1] = name;
    let at = 2 + name;
    for (const [number, hash] of frame.changed) {
      content.writeUInt16BE(number, at);
      content.set(hash, at + 2);
      at += CHANGE_BYTES;
    }
  }
}

function readFrame(kind: number, content: Buffer): LogFrame | undefined {
  if (kind === KIND.drop) return { kind: 'drop', name: content.toString() };
  if (kind === KIND.bin && content.length > BIN_HEAD) {
    const [number, count] = [content.readUInt16BE(), content.readUInt16BE(2)];
    return { kind: 'bin', number, count, bytes: content.subarray(BIN_HEAD) };
  }
  if (kind !== KIND.map || content.length < 2) return undefined;
  const begin = 2 + (content[1] ?? 0);
  if ((content.length - begin) % CHANGE_BYTES !== 0) return undefined;
  const changed = new Map<number, Uint8Array>();
  for (let at = begin; at < content.length; at += CHANGE_BYTES)
    changed.set(content.readUInt16BE(at), new Uint8Array(content.subarray(at + 2, at + CHANGE_BYTES)));
  return { kind: 'map', name: content.toString('utf8', 2, begin), fromBase: content[0] === 1, changed };
}
