/** A body that can be read from anywhere, and the faults that change its bytes. Nothing big is ever whole in memory. */
import { createHash } from 'node:crypto';
import { brotliCompressSync, createGzip, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { type Fault, faultOf } from './faults.ts';
import type { FakeFile } from './wheel.ts';

export interface Body {
  readonly size: number;
  readonly etag: string;
  read(start: number, end: number): AsyncIterable<Buffer>;
}

const CHUNK = 256 * 1024;
const tag = (bytes: Buffer): string => `"${createHash('sha256').update(bytes).digest('hex').slice(0, 32)}"`;

export function bytesBody(bytes: Buffer, etag = tag(bytes)): Body {
  return {
    size: bytes.length,
    etag,
    // oxlint-disable-next-line typescript/require-await -- the shape of a file on disk
    async *read(start, end) {
      for (let at = start; at < end; at += CHUNK) yield bytes.subarray(at, Math.min(at + CHUNK, end));
    },
  };
}

/** A file, as the faults leave it. */
export function fileBody(file: FakeFile, faults: readonly Fault[]): Body {
  const etag = `"${file.sha256}"`;
  if (faultOf(faults, 'changed')) return bytesBody(file.poisoned());
  let body: Body = faultOf(faults, 'poison')
    ? bytesBody(file.poisoned(), etag)
    : { size: file.size, etag, read: (start, end) => file.read(start, end) };
  if (faultOf(faults, 'flip')) body = flipped(body);
  const truncate = faultOf(faults, 'truncate');
  if (truncate) body = { ...body, size: Math.max(0, body.size - truncate.bytes) };
  const longer = faultOf(faults, 'longer');
  if (longer) body = inserted(body, body.size, longer.bytes);
  return body;
}

function flipped(body: Body): Body {
  const where = body.size >> 1;
  return {
    ...body,
    async *read(start, end) {
      let at = start;
      for await (const chunk of body.read(start, end)) {
        if (where >= at && where < at + chunk.length) {
          const copy = Buffer.from(chunk);
          copy[where - at]! ^= 0x40;
          yield copy;
        } else yield chunk;
        at += chunk.length;
      }
    },
  };
}

/** `count` spaces put in at `where`. */
function inserted(body: Body, where: number, count: number): Body {
  const spaces = Buffer.alloc(CHUNK, ' ');
  return {
    size: body.size + count,
    etag: body.etag,
    async *read(start, end) {
      if (start < where) yield* body.read(start, Math.min(end, where));
      const stop = Math.min(end, where + count);
      for (let at = Math.max(start, where); at < stop; at += CHUNK) {
        yield spaces.subarray(0, Math.min(CHUNK, stop - at));
      }
      if (end > where + count) yield* body.read(Math.max(start - count, where), end - count);
    },
  };
}

/** A page of `bytes` in all, still well formed: spaces before its last brace or tag. */
export function hugePage(page: Buffer, bytes: number): Body {
  const where = page[0] === 0x7b ? page.length - 1 : page.lastIndexOf('</html>');
  return inserted(bytesBody(page), where, Math.max(0, bytes - page.length));
}

/** gzip of `page` followed by spaces up to `bytes`: a thousandth of that on the wire. */
export async function gzipBomb(page: Buffer, bytes: number): Promise<Body> {
  const gzip = createGzip({ level: 1 });
  const packed: Buffer[] = [];
  gzip.on('data', (chunk: Buffer) => packed.push(chunk));
  const ended = new Promise((resolve) => gzip.on('end', resolve));
  const huge = hugePage(page, bytes);
  for await (const chunk of huge.read(0, huge.size)) {
    if (!gzip.write(chunk)) await new Promise((resolve) => gzip.once('drain', resolve));
  }
  gzip.end();
  await ended;
  return bytesBody(Buffer.concat(packed));
}

export function encode(bytes: Buffer, coding: string): Buffer {
  switch (coding) {
    case 'gzip':
      return gzipSync(bytes, { level: 1 });
    case 'deflate':
      return deflateSync(bytes);
    case 'br':
      return brotliCompressSync(bytes);
    case 'zstd':
      return zstdCompressSync(bytes);
    default:
      throw new Error(`no coding ${coding}`);
  }
}
