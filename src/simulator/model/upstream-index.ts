/**
 * The PyPI of a run: projects, files and serials, as they are now. Must always hold: every change raises the serial, changes
 * one project's page, and is told to who listens before anybody can read it.
 */
import { hash } from 'node:crypto';
import { parseDigest, type Digest } from '../../core/digest.ts';
import { parseProjectName, type ProjectName } from '../../core/project-name.ts';
import type { ChangelogEvent } from '../../upstream/upstream.ts';
import { contentKey } from './content-key.ts';
import { makeFileBytes } from './file-bytes.ts';

export const INDEX_URL = 'https://pypi.org/simple/';
const FILES_URL = 'https://files.pythonhosted.org';
/** Files whose bytes stay in memory; the others are made again. */
const KEPT_BYTES = 64 << 20;

export interface IndexFile {
  readonly project: ProjectName;
  readonly filename: string;
  readonly url: string;
  readonly digest: Digest;
  readonly size: number;
  /** RFC 3339. */
  readonly uploadTime: string;
}

/** A project's page as of one serial. */
export interface PageVersion {
  readonly project: ProjectName;
  readonly serial: number;
  /** Of what it lists (`contentKey`). */
  readonly content: Digest;
  readonly files: readonly IndexFile[];
  readonly body: Uint8Array;
  readonly etag: string;
}

export interface IndexList {
  readonly serial: number;
  readonly body: Uint8Array;
}

export type IndexChange =
  | { readonly kind: 'file-added' | 'file-removed'; readonly file: IndexFile; readonly page: PageVersion }
  | { readonly kind: 'quarantined' | 'released'; readonly page: PageVersion };

interface Project {
  readonly name: ProjectName;
  serial: number;
  releases: number;
  files: readonly IndexFile[];
  quarantined: boolean;
  /** Oldest first; the last is that of now. */
  readonly versions: PageVersion[];
}

export interface UpstreamIndexOptions {
  readonly seed: number;
  readonly run: number;
  /** Wall clock, ms. */
  readonly now: () => number;
}

export class UpstreamIndex {
  readonly #options: UpstreamIndexOptions;
  readonly #projects = new Map<ProjectName, Project>();
  readonly #files = new Map<string, IndexFile>();
  readonly #byDigest = new Map<Digest, IndexFile>();
  readonly #changelog: ChangelogEvent[] = [];
  readonly #listeners: ((change: IndexChange) => void)[] = [];
  readonly #kept = new Map<string, Uint8Array>();
  #keptBytes = 0;
  #serial = 1000;
  #list: IndexList | undefined;

  constructor(options: UpstreamIndexOptions) {
    this.#options = options;
  }

  get serial(): number {
    return this.#serial;
  }

  onChange(listener: (change: IndexChange) => void): void {
    this.#listeners.push(listener);
  }

  names(): ProjectName[] {
    return [...this.#projects.keys()];
  }

  /** A release of a project, which begins with it if it is new. */
  addFile(name: ProjectName, size: number): IndexFile {
    const project = this.#projects.get(name) ?? this.#begin(name);
    project.releases++;
    const filename = `${name.replaceAll('-', '_')}-${project.releases}.0.tar.gz`;
    const bytes = makeFileBytes(this.#options, filename, size);
    const digest = parseDigest(hash('sha256', bytes));
    const file: IndexFile = {
      project: name,
      filename,
      url: `${FILES_URL}/packages/${digest.slice(0, 2)}/${digest.slice(2, 4)}/${digest.slice(4)}/${filename}`,
      digest,
      size,
      uploadTime: new Date(this.#options.now()).toISOString(),
    };
    project.files = [...project.files, file];
    this.#files.set(file.url, file);
    this.#byDigest.set(digest, file);
    this.#changed(project, (page) => ({ kind: 'file-added', file, page }));
    return file;
  }

  /** The file is gone from its page, and from where files are. */
  removeFile(file: IndexFile): void {
    const project = this.#projects.get(file.project);
    if (!project?.files.includes(file)) return;
    project.files = project.files.filter((one) => one !== file);
    this.#files.delete(file.url);
    this.#changed(project, (page) => ({ kind: 'file-removed', file, page }));
  }

  quarantine(name: ProjectName, quarantined = true): void {
    const project = this.#projects.get(name);
    if (project === undefined || project.quarantined === quarantined) return;
    project.quarantined = quarantined;
    this.#changed(project, (page) => ({ kind: quarantined ? 'quarantined' : 'released', page }));
  }

  page(name: ProjectName): PageVersion | undefined {
    return this.#projects.get(name)?.versions.at(-1);
  }

  /** As it was when the index had this serial. */
  pageAsOf(name: ProjectName, serial: number): PageVersion | undefined {
    return this.#projects.get(name)?.versions.findLast((version) => version.serial <= serial);
  }

  /** PEP 691 with serials, as PyPI gives it; as of an older serial for who asks so. */
  list(asOf = this.#serial): IndexList {
    const isNow = asOf >= this.#serial;
    if (isNow && this.#list?.serial === this.#serial) return this.#list;
    const projects = [...this.#projects.keys()].flatMap((name) => {
      const page = this.pageAsOf(name, asOf);
      return page === undefined ? [] : [{ '_last-serial': page.serial, name }];
    });
    const serial = Math.min(asOf, this.#serial);
    const meta = { '_last-serial': serial, 'api-version': '1.4' };
    const list = { serial, body: Buffer.from(JSON.stringify({ meta, projects })) };
    if (isNow) this.#list = list;
    return list;
  }

  changesSince(serial: number): ChangelogEvent[] {
    return this.#changelog.filter((event) => event.serial > serial);
  }

  /** Undefined: removed, or never there. */
  fileAt(url: string): IndexFile | undefined {
    return this.#files.get(url);
  }

  /** Removed ones too. */
  fileOf(digest: Digest): IndexFile | undefined {
    return this.#byDigest.get(digest);
  }

  bytesOf({ filename, size }: IndexFile): Uint8Array {
    const known = this.#kept.get(filename);
    if (known !== undefined) return known;
    const bytes = makeFileBytes(this.#options, filename, size);
    this.#kept.set(filename, bytes);
    this.#keptBytes += size;
    for (const [oldest, { length }] of this.#kept) {
      if (this.#keptBytes <= KEPT_BYTES) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= length;
    }
    return bytes;
  }

  #begin(name: ProjectName): Project {
    const project: Project = {
      name: parseProjectName(name),
      serial: 0,
      releases: 0,
      files: [],
      quarantined: false,
      versions: [],
    };
    this.#projects.set(name, project);
    return project;
  }

  #changed(project: Project, describe: (page: PageVersion) => IndexChange): void {
    project.serial = ++this.#serial;
    const page = render(project);
    project.versions.push(page);
    this.#changelog.push({ name: project.name, serial: this.#serial });
    const change = describe(page);
    for (const listener of this.#listeners) listener(change);
  }
}

function render({ name, serial, files, quarantined }: Project): PageVersion {
  const shown = quarantined ? [] : files;
  const page = {
    meta: { '_last-serial': serial, 'api-version': '1.4' },
    name,
    ...(quarantined ? { 'project-status': { status: 'quarantined' } } : {}),
    versions: shown.map((file) => versionOf(file)),
    files: shown.map((file) => ({
      filename: file.filename,
      url: file.url,
      hashes: { sha256: file.digest },
      size: file.size,
      'upload-time': file.uploadTime,
      yanked: false,
      'requires-python': '>=3.9',
    })),
  };
  return {
    project: name,
    serial,
    content: contentKey(shown.map(({ filename, digest }) => ({ filename, sha256: digest }))),
    files: shown,
    body: Buffer.from(JSON.stringify(page)),
    etag: `"${serial}"`,
  };
}

/** `foo_bar-12.0.tar.gz`: `12.0`. */
export function versionOf({ filename }: { readonly filename: string }): string {
  return filename.slice(filename.lastIndexOf('-') + 1, -'.tar.gz'.length);
}
