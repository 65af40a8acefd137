/**
 * PEP 381's pages of a mirror: `/last-modified`, `/serverkey`, `/serversig/<name>`. The PEP's DSA with SHA-1 is dead: the key
 * is Ed25519, in PEM as before, and a signature is its 64 bytes. Must always hold: what is signed is, byte for byte, what
 * `/simple/<name>/` answers now to the same `Accept`, before any content coding.
 *
 *     openssl pkeyutl -verify -pubin -inkey serverkey -rawin -in page -sigfile serversig
 */
import { NotFoundError, UnavailableError } from '../core/errors.ts';
import { parseProjectName } from '../core/project-name.ts';
import type { Exchange } from './exchange.ts';
import { RequestError } from './http-errors.ts';
import { identityPage, type PageDeps } from './page-routes.ts';
import { redirect, sendBuffer } from './send.ts';

export interface PageSigner {
  /** 32 bytes, Ed25519. */
  readonly publicKey: Uint8Array;
  /** 64 bytes. */
  sign(bytes: Uint8Array): Uint8Array;
}

export interface SignedDeps extends PageDeps {
  /** Undefined: this gateway signs nothing. */
  readonly signer: PageSigner | undefined;
  /** When enough publishers last saw the upstream, ms: `undefined` of it is "not yet". Undefined: this node follows nobody. */
  readonly lastModified: (() => number | undefined) | undefined;
}

/** SubjectPublicKeyInfo of an Ed25519 key (RFC 8410) without the key. */
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');
const TEXT = 'text/plain; charset=utf-8';
const FRESH = ['Cache-Control', 'no-cache'];

export async function serveSigned(deps: SignedDeps, exchange: Exchange): Promise<void> {
  const [route, name, ...more] = exchange.path.segments;
  const { idleTime } = deps.limits;
  if (route === 'serversig') {
    await serveSignature(deps, exchange, name ?? '', more);
    return;
  }
  if (name !== undefined) throw new RequestError('NO_ROUTE', `there is nothing below /${route}`);
  const text = route === 'serverkey' ? serverKey(needSigner(deps)) : lastModified(deps);
  sendBuffer(exchange, { type: TEXT, body: Buffer.from(text), headers: FRESH }, idleTime);
}

async function serveSignature(
  deps: SignedDeps,
  exchange: Exchange,
  name: string,
  more: readonly string[],
): Promise<void> {
  const signer = needSigner(deps);
  if (name === '' || more.some((part) => part !== '') || more.length > 1)
    throw new RequestError('NO_ROUTE', 'signatures are at /serversig/<name>');
  const project = parseProjectName(name);
  if (project !== name) {
    redirect(exchange, more.length === 0 ? project : `../${project}/`);
    return;
  }
  const { body, etag, headers, source } = await identityPage(deps, exchange, project);
  const signature = signer.sign(body);
  const own = [...headers, 'Fondue-Page-ETag', etag];
  sendBuffer(
    exchange,
    { type: 'application/octet-stream', body: signature, headers: own, source },
    deps.limits.idleTime,
  );
}

function needSigner({ signer }: SignedDeps): PageSigner {
  if (signer === undefined) throw new NotFoundError('this gateway signs no pages');
  return signer;
}

function serverKey({ publicKey }: PageSigner): string {
  const base64 = Buffer.concat([SPKI_HEAD, publicKey]).toString('base64');
  return `-----BEGIN PUBLIC KEY-----\n${base64}\n-----END PUBLIC KEY-----\n`;
}

/** ISO 8601, UTC, whole seconds, rounded down: never newer than the truth. */
function lastModified({ lastModified: ask }: SignedDeps): string {
  if (ask === undefined)
    throw new NotFoundError(
      'this node follows no publishers, so it has no date of its index: each page has its own age (Fondue-Index-Age)',
    );
  const at = ask();
  if (at === undefined) throw new UnavailableError('no record of enough trusted publishers is here yet');
  return `${new Date(Math.floor(at / 1000) * 1000).toISOString().replace('.000', '')}\n`;
}
