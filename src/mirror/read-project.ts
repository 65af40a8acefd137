/**
 * One page of the upstream as a publisher sees it: its canonical bytes and what the index map says of them. The serial is
 * that of the very body, else the answer's header (a cached header may belong to another body), else 0.
 */
import { hash } from 'node:crypto';
import { canonicalPage } from '../core/canonical-page.ts';
import { digestFromBytes } from '../core/digest.ts';
import { InvalidContentError } from '../core/errors.ts';
import type { IndexEntry } from '../core/index-map/index-entry.ts';
import { mostCommon } from '../core/most-common.ts';
import type { ProjectName } from '../core/project-name.ts';
import type { JsonObject, ProjectPage } from '../core/project-page.ts';
import { readPageHtml } from '../core/read-page-html.ts';
import { readPageJson } from '../core/read-page-json.ts';
import type { PageAnswer, PageValidators, Upstream } from '../upstream/upstream.ts';

export interface ReadPageOptions {
  readonly validators: PageValidators | undefined;
  readonly noCache: boolean;
  /** Undefined until the first page with files: it decides. */
  readonly fileOrigin: string | undefined;
  readonly format: 'json' | 'html' | undefined;
  /** The list lacks it. */
  readonly quarantined: boolean;
  readonly signal: AbortSignal;
}

export type ReadProject =
  | {
      readonly kind: 'page';
      readonly entry: IndexEntry;
      readonly bytes: Uint8Array;
      readonly url: string;
      /** The page or its answer says a serial at all. */
      readonly hasSerial: boolean;
      readonly fileOrigin: string | undefined;
      readonly format: 'json' | 'html';
      readonly apiVersion: string | undefined;
      readonly validators: PageValidators;
      readonly observedAt: number;
    }
  | { readonly kind: 'not-modified' | 'absent'; readonly observedAt: number };

/** @throws UpstreamError, and InvalidContentError for a page that has no canonical form */
export async function readProject(
  upstream: Pick<Upstream, 'page'>,
  project: ProjectName,
  options: ReadPageOptions,
): Promise<ReadProject> {
  const { validators, noCache, signal } = options;
  const answer = await upstream.page(project, { validators, noCache, signal });
  if (answer.kind !== 'page') return { kind: answer.kind, observedAt: answer.observedAt };
  if (options.format !== undefined && answer.format !== options.format)
    throw new InvalidContentError(
      `${answer.url} was sent as ${answer.format}: what is published is made from ${options.format}`,
    );
  const page = readStrictly(answer, project);
  const hidden = options.quarantined || isQuarantined(page);
  const fileOrigin = options.fileOrigin ?? commonOrigin(page);
  const bytes = canonicalPage(hidden ? { ...page, files: [] } : page, {
    fileOrigin: fileOrigin ?? new URL(answer.url).origin,
  });
  const digest = digestFromBytes(hash('sha256', bytes, 'buffer'));
  const serial = serialOf(page, answer);
  return {
    kind: 'page',
    entry: { name: project, serial: serial ?? 0, digest, length: bytes.length },
    bytes,
    url: answer.url,
    hasSerial: serial !== undefined,
    fileOrigin,
    format: answer.format,
    apiVersion: apiVersionOf(page.raw),
    validators: { etag: answer.etag, lastModified: answer.lastModified },
    observedAt: answer.observedAt,
  };
}

/** A serial as mirrors write them: an integer, or its digits. */
export function readSerial(value: unknown): number | undefined {
  const serial = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  return typeof serial === 'number' && Number.isSafeInteger(serial) && serial >= 0 ? serial : undefined;
}

export function apiVersionOf(raw: JsonObject): string | undefined {
  const version = metaOf(raw)['api-version'];
  return typeof version === 'string' && /^\d{1,3}\.\d{1,3}$/.test(version) ? version : undefined;
}

export function metaOf(raw: JsonObject): JsonObject {
  const meta = raw['meta'];
  return typeof meta === 'object' && meta !== null && !Array.isArray(meta) ? (meta as JsonObject) : {};
}

type GoodAnswer = Extract<PageAnswer, { kind: 'page' }>;

function readStrictly({ body, url, format }: GoodAnswer, project: ProjectName): ProjectPage {
  return format === 'json'
    ? readPageJson(body, { url, project, strict: true })
    : readPageHtml(body, { url, project });
}

function serialOf(page: ProjectPage, answer: GoodAnswer): number | undefined {
  return readSerial(metaOf(page.raw)['_last-serial']) ?? readSerial(answer.serial);
}

function isQuarantined(page: ProjectPage): boolean {
  const status = page.raw['project-status'];
  return typeof status === 'object' && status !== null && (status as JsonObject)['status'] === 'quarantined';
}

/** Where most of its files are. */
function commonOrigin({ files }: ProjectPage): string | undefined {
  return mostCommon(files.map(({ url }) => new URL(url).origin));
}
