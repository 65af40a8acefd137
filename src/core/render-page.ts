/**
 * Makes JSON and HTML of one page. Where links lead and what is said of `.metadata` is the caller's to decide.
 *
 * Always true: unknown keys pass through JSON unchanged; the same page and links give the same bytes; nothing from a page
 * becomes markup; what we cannot serve (`gpg-sig`: no `.asc` here) is not advertised.
 */
import { hashAttribute } from './file-hashes.ts';
import type { Json, JsonObject, ProjectFile, ProjectPage } from './project-page.ts';

export interface PageLinks {
  /** URL, absolute or relative to the page's, percent-encoded and without fragment. */
  fileHref(file: ProjectFile): string;
  coreMetadata(file: ProjectFile): Readonly<Record<string, string>> | true | undefined;
  /** Asked for files with a provenance URL only; undefined keeps the upstream's, made absolute. */
  provenance?(file: ProjectFile): string | undefined;
}

/**
 * PEP 691. `core-metadata` only: pip 23.0 dies of a dictionary in `dist-info-metadata`, and uv believes PyPI's odd
 * `data-dist-info-metadata` where the other two are missing. The API version is the source's; for an HTML source 1.0, because 1.1 promises sizes and versions that HTML does not have.
 */
export function renderJson(page: ProjectPage, links: PageLinks): Uint8Array {
  return Buffer.from(
    JSON.stringify({
      ...page.raw,
      meta: { ...metaOf(page), 'api-version': apiVersion(page) },
      name: page.name,
      files: page.files.map((file) => jsonFile(file, page, links)),
    }),
  );
}

function metaOf(page: ProjectPage): JsonObject {
  return (page.raw['meta'] as JsonObject | null | undefined) ?? {};
}

function apiVersion(page: ProjectPage): string {
  const version = metaOf(page)['api-version'];
  return page.format === 'json' && typeof version === 'string' ? version : '1.0';
}

function jsonFile(file: ProjectFile, page: ProjectPage, links: PageLinks): JsonObject {
  const {
    'dist-info-metadata': _oldName,
    'data-dist-info-metadata': _pypisName,
    'core-metadata': _upstreams,
    'gpg-sig': _unserved,
    ...rest
  } = file.raw as Record<string, Json>;
  const coreMetadata = links.coreMetadata(file);
  const provenance = provenanceHref(file, page, links);
  return {
    ...rest,
    url: links.fileHref(file),
    hashes: allHashes(file),
    ...(coreMetadata === undefined ? {} : { 'core-metadata': coreMetadata }),
    ...(provenance === undefined ? {} : { provenance }),
  };
}

function allHashes(file: ProjectFile): Readonly<Record<string, string>> {
  return file.sha256 === undefined ? file.hashes : { sha256: file.sha256, ...file.hashes };
}

function provenanceHref(file: ProjectFile, page: ProjectPage, links: PageLinks): string | undefined {
  const given = file.raw['provenance'];
  if (typeof given !== 'string') return undefined;
  return links.provenance?.(file) ?? new URL(given, page.url).href;
}

/** PEP 503 with 592, 629, 658, 708, 714, 740 and 792. HTML is frozen at API 1.4 (PEP 833). */
export function renderHtml(page: ProjectPage, links: PageLinks): Uint8Array {
  const title = escape(`Links for ${page.name}`);
  const lines = [
    '<!DOCTYPE html>',
    '<html>',
    '<head>',
    '<meta charset="utf-8">',
    ...metaTags(page).map(([name, content]) => `<meta name="${name}" content="${escape(content)}">`),
    `<title>${title}</title>`,
    '</head>',
    '<body>',
    `<h1>${title}</h1>`,
    ...page.files.map((file) => anchor(file, page, links)),
    '</body>',
    '</html>',
    '',
  ];
  return Buffer.from(lines.join('\n'));
}

function metaTags(page: ProjectPage): [name: string, content: string][] {
  const minor = Number(apiVersion(page).slice(2));
  const status = (page.raw['project-status'] as JsonObject | null | undefined) ?? {};
  return [
    ['pypi:repository-version', `1.${Math.min(minor, 4)}`],
    ...strings(metaOf(page)['tracks']).map((url): [string, string] => ['pypi:tracks', url]),
    ...strings(page.raw['alternate-locations']).map((url): [string, string] => [
      'pypi:alternate-locations',
      url,
    ]),
    ...strings([status['status'] ?? null]).map((text): [string, string] => ['pypi:project-status', text]),
    ...strings([status['reason'] ?? null]).map((text): [string, string] => [
      'pypi:project-status-reason',
      text,
    ]),
  ];
}

function strings(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((item: Json): item is string => typeof item === 'string') : [];
}

function anchor(file: ProjectFile, page: ProjectPage, links: PageLinks): string {
  const { raw } = file;
  const hash = hashAttribute(allHashes(file));
  const coreMetadata = links.coreMetadata(file);
  const metadata = coreMetadata === true ? 'true' : coreMetadata && (hashAttribute(coreMetadata) ?? 'true');
  // PEP 691: any true value yanks; an empty string is none.
  const yanked = raw['yanked'] === true ? '' : raw['yanked'] || undefined;
  return [
    `<a href="${escape(links.fileHref(file))}${hash === undefined ? '' : `#${escape(hash)}`}"`,
    attribute('data-requires-python', raw['requires-python']),
    attribute('data-core-metadata', metadata),
    // pip before 23.1 and other older tools know this name only.
    attribute('data-dist-info-metadata', metadata),
    attribute('data-yanked', yanked),
    attribute('data-provenance', provenanceHref(file, page, links)),
    `>${escape(file.filename)}</a><br />`,
  ].join('');
}

function attribute(name: string, value: Json | undefined): string {
  return typeof value === 'string' ? ` ${name}="${escape(value)}"` : '';
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  // An HTML parser makes a line feed of it.
  '\r': '&#13;',
};

function escape(text: string): string {
  return text.replace(/[&<>"'\r]/g, (character) => ESCAPES[character] ?? character);
}
