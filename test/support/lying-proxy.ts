/**
 * An HTTP proxy between one node and its upstream that passes everything on, except that JSON pages of some projects are altered
 * on the way. Who reads through it reads the same URL as everybody else, and another page.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { startHost } from './fake-pypi/host.ts';

export interface LyingProxy extends AsyncDisposable {
  /** For `HTTP_PROXY`. */
  readonly url: string;
}

/** The parts of a page that are worth a lie. */
export interface LiedPage {
  readonly meta: { '_last-serial'?: number };
  readonly files: { readonly filename: string; url: string; readonly hashes: { sha256?: string } }[];
}

export type Lies = Readonly<Record<string, (page: LiedPage) => void>>;

/** `lies` by project change the page in place. */
export async function startLyingProxy(lies: Lies): Promise<LyingProxy> {
  const host = await startHost((request, response) => {
    pass(lies, request, response).catch(() => response.destroy());
  });
  return { url: host.url, [Symbol.asyncDispose]: () => host.down() };
}

async function pass(lies: Lies, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', `http://${request.headers.host ?? 'nowhere'}`);
  const lie = lies[/^\/simple\/([^/]+)\/$/.exec(url.pathname)?.[1] ?? ''];
  const { accept, 'if-none-match': condition } = request.headers;
  const answer = await fetch(url, {
    method: request.method ?? 'GET',
    redirect: 'manual',
    headers: {
      ...(accept === undefined ? {} : { accept }),
      // A page that was altered is never "not modified".
      ...(condition === undefined || lie !== undefined ? {} : { 'if-none-match': condition }),
    },
  });
  const headers = Object.fromEntries(answer.headers);
  for (const name of ['content-encoding', 'content-length', 'transfer-encoding', 'connection', 'keep-alive'])
    delete headers[name];
  let body = Buffer.from(await answer.arrayBuffer());
  if (lie !== undefined && answer.status === 200 && /json/.test(headers['content-type'] ?? '')) {
    const page = JSON.parse(body.toString()) as LiedPage;
    lie(page);
    body = Buffer.from(JSON.stringify(page));
    delete headers['etag'];
    if (page.meta['_last-serial'] !== undefined)
      headers['x-pypi-last-serial'] = String(page.meta['_last-serial']);
  }
  response.writeHead(answer.status, headers).end(body);
}
