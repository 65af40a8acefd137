/**
 * Pages as bytes, made once for each version, format and coding, and kept within a bound. Always true: the same version
 * gives the same bytes and ETag; one making at a time, however many clients wait.
 */
import { promisify } from 'node:util';
import { gzip, gzipSync, zstdCompress, zstdCompressSync } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import type { ContentCoding } from '../core/accept.ts';
import { parseDistributionFilename } from '../core/distribution-filename.ts';
import type { ProjectFile, ProjectPage } from '../core/project-page.ts';
import { renderHtml, renderJson, type PageLinks } from '../core/render-page.ts';
import type { ServedPage } from '../mirror/mirror.ts';

// In zlib's threads, not on the event loop: gzip of a page of 9 MB takes 150 ms.
const compressors = { gzip: promisify(gzip), zstd: promisify(zstdCompress) };
/** Small ones in one call, which is over in 0.2 ms: a turn of another thread costs this one as much, and its client more. */
const compressorsAtOnce = { gzip: gzipSync, zstd: zstdCompressSync };
const SMALL = 8 * 1024;

export interface PageRenderings {
  body(served: ServedPage, format: 'json' | 'html', coding: ContentCoding): Promise<Uint8Array>;
  /** What was made before and is kept. */
  peek(served: ServedPage, format: 'json' | 'html', coding: ContentCoding): Uint8Array | undefined;
  readonly bytes: number;
}

export function createPageRenderings(maxBytes: number): PageRenderings {
  const kept = new LRUCache<string, Uint8Array>({
    maxSize: maxBytes,
    sizeCalculation: (body) => body.length + 512,
  });
  const making = new Map<string, Promise<Uint8Array>>();

  const make = async (
    served: ServedPage,
    format: 'json' | 'html',
    coding: ContentCoding,
  ): Promise<Uint8Array> => {
    if (coding !== 'identity') {
      const plain = await body(served, format, 'identity');
      return (plain.length <= SMALL ? compressorsAtOnce : compressors)[coding](plain);
    }
    return format === 'json'
      ? renderJson(served.page, linksOf(served))
      : renderHtml(served.page, linksOf(served));
  };

  async function body(
    served: ServedPage,
    format: 'json' | 'html',
    coding: ContentCoding,
  ): Promise<Uint8Array> {
    const key = keyOf(served, format, coding);
    const known = kept.get(key) ?? making.get(key);
    if (known !== undefined) return known;
    const made = make(served, format, coding);
    making.set(key, made);
    try {
      const bytes = await made;
      kept.set(key, bytes);
      return bytes;
    } finally {
      making.delete(key);
    }
  }

  return {
    body,
    peek: (served, format, coding) => kept.get(keyOf(served, format, coding)),
    get bytes() {
      return kept.calculatedSize;
    },
  };
}

function keyOf(served: ServedPage, format: 'json' | 'html', coding: ContentCoding): string {
  return `${served.page.name} ${served.version} ${format} ${coding}`;
}

/** Changes when the rendering does: a client's copy of what an older program made is not confirmed. */
const RENDERING = '1';

/** Strong: differs wherever the bytes or the type do. */
export function pageEtag(served: ServedPage, contentType: string, coding: ContentCoding): string {
  return formEtag(served.version.slice(0, 32), contentType, coding);
}

/** For a version of anything that is rendered in several forms. */
export function formEtag(version: string, contentType: string, coding: ContentCoding): string {
  const form = contentType.startsWith('text/') ? 'text' : contentType.slice(contentType.lastIndexOf('+') + 1);
  return `"${version}-${RENDERING}-${form}${coding === 'identity' ? '' : `-${coding}`}"`;
}

function linksOf(served: ServedPage): PageLinks {
  const { page } = served;
  return {
    fileHref: (file) => fileHref(page, file),
    coreMetadata: (file) => served.coreMetadata(file),
    provenance: (file) => {
      const named = parseDistributionFilename(file.filename);
      if (named === undefined) return undefined;
      const path = [page.name, named.version, file.filename].map(encodeURIComponent).join('/');
      return `../../integrity/${path}/provenance`;
    },
  };
}

/** Relative to `/simple/<name>/`, so that it is right under every name and prefix the gateway is reached by. */
function fileHref(page: ProjectPage, file: ProjectFile): string {
  const filename = encodeURIComponent(file.filename);
  return file.sha256 === undefined
    ? `../../direct/${page.name}/${filename}`
    : `../../files/${file.sha256}/${filename}`;
}
