/**
 * Canonical bytes back to a page that can be served: links get their host again, the API version its place. Must always
 * hold: only bytes with the believed digest are read.
 */
import { hash } from 'node:crypto';
import { digestFromBytes, type Digest } from '../../core/digest.ts';
import { IntegrityError, InvalidContentError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { JsonObject, ProjectPage } from '../../core/project-page.ts';
import { readPageJson } from '../../core/read-page-json.ts';
import type { IndexBelief } from '../follow/index-head.ts';

export type BelievedPage = Extract<IndexBelief, { kind: 'page' }>;

export function digestOfPage(bytes: Uint8Array): Digest {
  return digestFromBytes(hash('sha256', bytes, 'buffer'));
}

/** @throws IntegrityError for other bytes, InvalidContentError for what its publishers should not have signed */
export function readBelievedPage(
  bytes: Uint8Array,
  project: ProjectName,
  belief: BelievedPage,
  source: string,
): ProjectPage {
  if (bytes.length > limits.page.decodedBytes)
    throw new InvalidContentError(
      `the page of ${project} has ${bytes.length} bytes, over the limit of ${limits.page.decodedBytes}`,
    );
  const actual = digestOfPage(bytes);
  if (actual !== belief.digest) throw new IntegrityError({ expected: belief.digest, actual, source });
  const page = readPageJson(bytes, { url: `${belief.fileOrigin}/`, project });
  return { ...page, format: belief.format, raw: withVersion(page.raw, belief) };
}

/** HTML made 1.0 of it already; where no record says one, 1.1 is what `versions` needs. */
function withVersion(raw: JsonObject, { format, apiVersion }: BelievedPage): JsonObject {
  if (format === 'html') return raw;
  const version = apiVersion ?? (raw['versions'] === undefined ? '1.0' : '1.1');
  return { ...raw, meta: { ...(raw['meta'] as JsonObject | undefined), 'api-version': version } };
}
