/** The simple index as bytes: JSON (API 1.0 to 1.4) and HTML of the same files, with more or less in it. */
import { createHash } from 'node:crypto';
import type { FakeFile } from './wheel.ts';

export type ApiVersion = '1.0' | '1.1' | '1.2' | '1.3' | '1.4';

export interface PageOptions {
  readonly apiVersion: ApiVersion;
  readonly coreMetadata: 'hash' | 'true' | 'none';
  readonly serial: boolean;
  /** Keys left out of files: `size`, `hashes`, `upload-time`, ... */
  readonly omit: readonly string[];
}

export interface FakeProject {
  readonly name: string;
  readonly files: readonly FakeFile[];
  readonly serial: number;
  readonly status: string | undefined;
}

export interface Links {
  file(file: FakeFile): string;
  provenance(file: FakeFile): string;
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

export function jsonPage(project: FakeProject, links: Links, options: PageOptions): Buffer {
  const minor = Number(options.apiVersion.slice(2));
  const page: Record<string, unknown> = {
    meta: {
      'api-version': options.apiVersion,
      ...(options.serial ? { '_last-serial': project.serial } : {}),
    },
    name: project.name,
    ...(minor >= 1 ? { versions: [...new Set(project.files.map((file) => file.version))] } : {}),
    ...(minor >= 4 ? { 'project-status': { status: project.status ?? 'active' } } : {}),
    files: project.files.map((file) => jsonFile(file, links, options, minor)),
  };
  return Buffer.from(JSON.stringify(page));
}

function jsonFile(
  file: FakeFile,
  links: Links,
  options: PageOptions,
  minor: number,
): Record<string, unknown> {
  const metadata = options.coreMetadata === 'none' ? undefined : file.metadata();
  const coreMetadata =
    metadata === undefined ? false : options.coreMetadata === 'hash' ? { sha256: sha256(metadata) } : true;
  const entry: Record<string, unknown> = {
    filename: file.filename,
    url: links.file(file),
    hashes: options.omit.includes('hashes') ? {} : { sha256: file.sha256 },
    'requires-python': file.requiresPython ?? null,
    yanked: file.yanked,
    ...(options.coreMetadata === 'none' ? {} : { 'core-metadata': coreMetadata }),
    ...(minor >= 1 ? { size: file.size, 'upload-time': file.uploadTime } : {}),
    ...(minor >= 3 ? { provenance: file.provenance ? links.provenance(file) : null } : {}),
  };
  for (const key of options.omit) if (key !== 'hashes') delete entry[key];
  return entry;
}

const escape = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

export function htmlPage(project: FakeProject, links: Links, options: PageOptions): Buffer {
  const anchors = project.files.map((file) => {
    const hash = options.omit.includes('hashes') ? '' : `#sha256=${file.sha256}`;
    const metadata = options.coreMetadata === 'none' ? undefined : file.metadata();
    const mark = metadata && (options.coreMetadata === 'hash' ? `sha256=${sha256(metadata)}` : 'true');
    const attributes = [
      `href="${escape(links.file(file) + hash)}"`,
      ...(file.requiresPython === undefined ? [] : [`data-requires-python="${escape(file.requiresPython)}"`]),
      ...(file.yanked === false ? [] : [`data-yanked="${file.yanked === true ? '' : escape(file.yanked)}"`]),
      ...(mark ? [`data-dist-info-metadata="${mark}"`, `data-core-metadata="${mark}"`] : []),
    ];
    return `    <a ${attributes.join(' ')}>${escape(file.filename)}</a><br />`;
  });
  return htmlDocument(`Links for ${project.name}`, options.apiVersion, anchors);
}

export function jsonList(projects: readonly FakeProject[], options: PageOptions, serial: number): Buffer {
  const meta = { 'api-version': options.apiVersion, ...(options.serial ? { '_last-serial': serial } : {}) };
  const list = projects.map(({ name, serial: own }) =>
    options.serial ? { '_last-serial': own, name } : { name },
  );
  return Buffer.from(JSON.stringify({ meta, projects: list }));
}

export function htmlList(projects: readonly FakeProject[], options: PageOptions): Buffer {
  const anchors = projects.map(({ name }) => `    <a href="/simple/${name}/">${name}</a>`);
  return htmlDocument('Simple index', options.apiVersion, anchors);
}

function htmlDocument(title: string, version: string, anchors: readonly string[]): Buffer {
  return Buffer.from(
    `<!DOCTYPE html>\n<html>\n  <head>\n    <meta name="pypi:repository-version" content="${version}">\n` +
      `    <title>${escape(title)}</title>\n  </head>\n  <body>\n    <h1>${escape(title)}</h1>\n` +
      `${anchors.join('\n')}\n  </body>\n</html>\n`,
  );
}
