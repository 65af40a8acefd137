/** A plain HTTP client that reports what came, also when it broke off: no retries, no shared connections, no decoding. */
import { createHash } from 'node:crypto';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly sha256: string;
  /** The body ended as announced; false for a cut or reset. */
  readonly complete: boolean;
  /** To the end of the body. */
  readonly ms: number;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Bytes of the body so far, with each piece. */
  readonly onBytes?: (bytes: number) => void;
  /** Keep the body (default), or only its hash and length. */
  readonly keep?: boolean;
}

export const jsonPage = { accept: 'application/vnd.pypi.simple.v1+json' };

/** Rejects only when no answer begins (refused, reset before the headers, aborted). */
export function download(url: string, asked: Asked = {}): Promise<Answer> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {
      agent: false,
      method: asked.method ?? 'GET',
      headers: asked.headers,
      signal: asked.signal,
    });
    outgoing.on('error', reject);
    outgoing.on('response', (response: IncomingMessage) => {
      const hash = createHash('sha256');
      const kept: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        hash.update(chunk);
        bytes += chunk.length;
        if (asked.keep ?? true) kept.push(chunk);
        asked.onBytes?.(bytes);
      });
      response.on('error', () => {});
      response.on('close', () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(kept),
          sha256: hash.digest('hex'),
          complete: response.complete,
          ms: performance.now() - started,
        });
      });
    });
    outgoing.end();
  });
}

/** `<gateway>/files/<sha256>/<filename>`. */
export function fileUrl(
  gateway: string,
  file: { readonly sha256: string; readonly filename: string },
): string {
  return `${gateway}/files/${file.sha256}/${file.filename}`;
}

/** The middle of them: one slow moment of a shared machine does not count. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
}
