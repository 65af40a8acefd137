/** Bytes of a page to data, with what the rules about pages need to know of it. */
import { createHash } from 'node:crypto';
import type { ProjectName } from '../core/project-name.ts';
import type { ProjectPage } from '../core/project-page.ts';
import { readPageHtml } from '../core/read-page-html.ts';
import { readPageJson } from '../core/read-page-json.ts';

export interface PageBody {
  readonly body: Uint8Array;
  readonly format: 'json' | 'html';
  readonly url: string;
  /** X-PyPI-Last-Serial of the answer. */
  readonly serial: string | undefined;
}

export interface PageContent {
  readonly page: ProjectPage;
  /** SHA-256 of the bytes, hex. */
  readonly content: string;
  /** `meta._last-serial` of the body, else the header's: a cached header may belong to another body. */
  readonly serial: string | undefined;
}

/** Throws what the readers throw (InvalidContentError). */
export function parsePage(source: PageBody, project: ProjectName): PageContent {
  const read = source.format === 'json' ? readPageJson : readPageHtml;
  const page = read(source.body, { url: source.url, project });
  const content = createHash('sha256').update(source.body).digest('hex');
  return { page, content, serial: serialOf(page) ?? source.serial };
}

/** Undefined for a body that cannot be read: it was good once, so the disk or an older program spoiled it. */
export function readPage(source: PageBody, project: ProjectName): PageContent | undefined {
  try {
    return parsePage(source, project);
  } catch {
    return undefined;
  }
}

function serialOf(page: ProjectPage): string | undefined {
  const meta = page.raw['meta'];
  if (typeof meta !== 'object' || meta === null || Array.isArray(meta)) return undefined;
  const serial = (meta as { readonly [key: string]: unknown })['_last-serial'];
  // It becomes a header: no other text does.
  const text = typeof serial === 'number' || typeof serial === 'string' ? String(serial) : '';
  return /^\d{1,16}$/.test(text) ? text : undefined;
}
