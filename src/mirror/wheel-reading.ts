/**
 * A wheel's METADATA by three ways: from a wheel on disk, by ranges from the upstream, from a wheel as it is fetched.
 * Always true: only the upstream that gave the page is read by ranges, never a peer (a tail proves nothing); of a wheel that
 * is being fetched nothing is believed before its whole hash fitted.
 */
import { UnavailableError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { readWheelMetadata } from '../core/wheel-metadata.ts';
import type { ByteSource } from '../store/blob-store.ts';
import type { FileAnswer, Upstream } from '../upstream/upstream.ts';
import type { FileRef, OpenedFile } from './mirror.ts';
import { collect, readPart } from './read-fully.ts';

/**
 * What a whole, verified wheel says: its metadata, or `none`.
 * @throws InvalidContentError for an archive that is not read here: that proves nothing, other readers may be less strict
 */
export async function metadataOfWhole(
  wheel: Pick<ByteSource, 'read'>,
  size: number,
  filename: string,
  signal?: AbortSignal,
): Promise<Uint8Array | 'none'> {
  const source = {
    size,
    read: (offset: number, length: number) => readPart(wheel, offset, length, signal),
  };
  return (await readWheelMetadata(source, filename)) ?? 'none';
}

/** Waits until the whole wheel is there and verified. */
export async function metadataOfOpened(
  file: OpenedFile,
  filename: string,
  signal: AbortSignal,
): Promise<Uint8Array | 'none'> {
  const size = file.size ?? (await file.knownSize({ signal })) ?? (await drain(file, signal));
  // The last byte is let out only when the hash fits.
  if (size > 0) await readPart(file, size - 1, 1, signal);
  return metadataOfWhole(file, size, filename, signal);
}

/** Reads to the end, where the size is known. */
async function drain(file: OpenedFile, signal: AbortSignal): Promise<number> {
  const target = new Uint8Array(limits.gateway.copyBuffer);
  let offset = 0;
  for (;;) {
    const got = await file.read(target, offset, { signal });
    if (got === 0) return offset;
    offset += got;
  }
}

/**
 * Reads the end and the one entry.
 * @throws UnavailableError when the upstream has no ranges or does not say a size, UpstreamError, InvalidContentError
 */
export async function metadataByRanges(
  upstream: Pick<Upstream, 'file' | 'fileInfo'>,
  ref: FileRef,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const known = await sizeOf(upstream, ref, signal);
  const { size } = known;
  let { etag } = known;
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    await using answer = await upstream.file(ref.url, { offset, length, etag, signal });
    checkRange(answer, ref, offset, size);
    etag ??= answer.etag;
    return await collect(answer.body, length, ref.url);
  };
  const metadata = await readWheelMetadata({ size, read }, ref.filename);
  if (metadata === undefined) throw new UnavailableError(`${ref.url}: its end shows no METADATA`);
  return metadata;
}

async function sizeOf(
  upstream: Pick<Upstream, 'fileInfo'>,
  ref: FileRef,
  signal: AbortSignal,
): Promise<{ size: number; etag: string | undefined }> {
  if (ref.size !== undefined) return { size: ref.size, etag: undefined };
  const info = await upstream.fileInfo(ref.url, { signal });
  if (info?.size === undefined || !info.ranges)
    throw new UnavailableError(`${ref.url} cannot be read by ranges`);
  return { size: info.size, etag: info.etag };
}

function checkRange(
  answer: FileAnswer | undefined,
  ref: FileRef,
  offset: number,
  size: number,
): asserts answer is FileAnswer {
  if (answer === undefined) throw new UnavailableError(`${ref.url} is not there`);
  if (answer.offset !== offset) throw new UnavailableError(`${ref.url} cannot be read by ranges`);
  if (answer.size !== undefined && answer.size !== size)
    throw new UnavailableError(`${ref.url} has ${answer.size} bytes where its page says ${size}`);
}
