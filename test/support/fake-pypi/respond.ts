/** Sends one answer, with what goes wrong on the wire: status, headers, ranges, pauses, cuts. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { Body } from './body.ts';
import { type Fault, faultOf } from './faults.ts';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly faults: readonly Fault[];
  /** Bytes a second; undefined: as fast as it goes. */
  readonly bytesPerSecond: number | undefined;
  /** Bytes of the body that were sent. */
  count(bytes: number): void;
}

export type HeaderMap = Record<string, string | number | undefined>;

/** Ends the exchange with a small text. */
export async function sendText(
  exchange: Exchange,
  status: number,
  text: string,
  headers: HeaderMap = {},
): Promise<void> {
  await send(exchange, status, { 'content-type': 'text/html; charset=utf-8', ...headers }, Buffer.from(text));
}

/** A whole small body. */
export async function send(
  exchange: Exchange,
  status: number,
  headers: HeaderMap,
  bytes: Buffer,
): Promise<void> {
  await stream(exchange, status, { ...headers, 'content-length': bytes.length }, [bytes]);
}

/** A body that may be asked for by range. */
export async function sendBody(
  exchange: Exchange,
  body: Body,
  headers: HeaderMap,
  options: { ranges: boolean; etag: boolean },
): Promise<void> {
  const { request, faults } = exchange;
  const ranges = options.ranges && !faultOf(faults, 'no-ranges');
  const all = {
    ...headers,
    ...(options.etag ? { etag: body.etag } : {}),
    ...(ranges ? { 'accept-ranges': 'bytes' } : {}),
  };
  const ifRange = request.headers['if-range'];
  const asked =
    ranges && (ifRange === undefined || ifRange === body.etag) ? request.headers.range : undefined;
  const range = asked === undefined ? undefined : parseRange(asked, body.size);
  if (range === 'unsatisfiable') {
    await send(exchange, 416, { 'content-range': `bytes */${body.size}` }, Buffer.alloc(0));
    return;
  }
  if (range === undefined) {
    await stream(exchange, 200, { ...all, 'content-length': body.size }, body.read(0, body.size));
    return;
  }
  const shift = faultOf(faults, 'wrong-range')?.shift ?? 0;
  const [start, end] = [range.start + shift, Math.min(range.end + shift, body.size)];
  const partial = {
    'content-range': `bytes ${start}-${end - 1}/${body.size}`,
    'content-length': end - start,
  };
  await stream(exchange, 206, { ...all, ...partial }, body.read(start, end));
}

/** `end` is exclusive; undefined for what is not one plain range (answered in full). */
function parseRange(
  text: string,
  size: number,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(text) ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  if (first === '') {
    if (Number(last) === 0 || size === 0) return 'unsatisfiable';
    return { start: Math.max(0, size - Number(last)), end: size };
  }
  if (Number(first) >= size) return 'unsatisfiable';
  return { start: Number(first), end: last === '' ? size : Math.min(Number(last) + 1, size) };
}

async function stream(
  exchange: Exchange,
  status: number,
  headers: HeaderMap,
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
): Promise<void> {
  const { request, response, faults } = exchange;
  const slow = faultOf(faults, 'slow-first-byte');
  if (slow) await pause(slow.seconds * 1000, undefined, { ref: false });
  if (faultOf(faults, 'reset')?.after === 0) {
    request.socket.resetAndDestroy();
    return;
  }
  response.writeHead(status, finalHeaders(exchange, headers));
  if (request.method === 'HEAD' || status === 304 || status === 204) {
    response.end();
    return;
  }
  response.flushHeaders();
  const spoiler = spoilerOf(exchange);
  for await (const chunk of chunks) {
    for (const piece of spoiler.split(chunk)) {
      await spoiler.before();
      if (response.destroyed || !(await written(response, piece))) return;
      exchange.count(piece.length);
      if (await spoiler.after(piece.length)) return;
    }
  }
  response.end();
  if (faultOf(faults, 'length')) request.socket.destroySoon();
}

function finalHeaders(exchange: Exchange, headers: HeaderMap): Record<string, string | number> {
  const { response, faults } = exchange;
  const all = { ...headers };
  const type = faultOf(faults, 'type');
  if (type) all['content-type'] = type.type;
  const length = faultOf(faults, 'length');
  if (length) all['content-length'] = length.value;
  const coding = faultOf(faults, 'false-encoding');
  if (coding) all['content-encoding'] = coding.coding;
  if (faultOf(faults, 'chunked') || faultOf(faults, 'until-close')) all['content-length'] = undefined;
  if (faultOf(faults, 'until-close')) {
    response.useChunkedEncodingByDefault = false;
    response.shouldKeepAlive = false;
  }
  for (const fault of faults) if (fault.kind === 'header') all[fault.name.toLowerCase()] = fault.value;
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Record<
    string,
    string | number
  >;
}

/** Resolves when the piece has left for the socket, or with false when the client has gone. */
function written(response: ServerResponse, piece: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    const gone = (): void => resolve(false);
    response.once('close', gone);
    response.write(piece, (error) => {
      response.off('close', gone);
      resolve(!error);
    });
  });
}

/** Where in the body pauses, cuts and resets come. `after` is true when the answer has ended. */
function spoilerOf(exchange: Exchange): {
  split(chunk: Buffer): Iterable<Buffer>;
  before(): Promise<void>;
  after(bytes: number): Promise<boolean>;
} {
  const { faults, request } = exchange;
  const cut = faultOf(faults, 'cut');
  const reset = faultOf(faults, 'reset');
  const stall = faultOf(faults, 'stall');
  const rate = faultOf(faults, 'drip')?.bytesPerSecond ?? exchange.bytesPerSecond;
  const stops = [cut?.after, reset?.after, stall?.after].filter((stop) => stop !== undefined);
  const largest = rate === undefined ? Infinity : Math.max(1, Math.ceil(rate / 20));
  const started = performance.now();
  let sent = 0;
  const reached = (stop: number | undefined, bytes: number): boolean =>
    stop !== undefined && sent >= stop && sent - bytes < stop;
  return {
    *split(chunk) {
      for (let at = 0; at < chunk.length;) {
        const next = Math.min(...stops.filter((stop) => stop > sent).map((stop) => stop - sent), largest);
        const piece = chunk.subarray(at, at + next);
        at += piece.length;
        yield piece;
      }
    },
    async before() {
      if (stall?.after === 0 && sent === 0) await pause(stall.seconds * 1000, undefined, { ref: false });
      if (cut?.after === 0) request.socket.destroySoon();
      if (rate === undefined) return;
      const early = (sent / rate) * 1000 - (performance.now() - started);
      if (early > 1) await pause(early, undefined, { ref: false });
    },
    async after(bytes) {
      sent += bytes;
      if (reached(stall?.after, bytes)) await pause(stall!.seconds * 1000, undefined, { ref: false });
      if (reached(cut?.after, bytes)) {
        request.socket.destroySoon();
        return true;
      }
      if (reached(reset?.after, bytes)) {
        // A reset overtakes what the client has not read yet: let it arrive.
        await pause(20);
        request.socket.resetAndDestroy();
        return true;
      }
      return false;
    },
  };
}
