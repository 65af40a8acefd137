/** From what an owner names to files: by digest, or all files of a release, by the project's page. */
import { parseDistributionFilename } from '../core/distribution-filename.ts';
import type { ProjectFile, ProjectPage } from '../core/project-page.ts';
import { compareVersions, isPinned, isPrerelease, parseVersion, type Version } from '../core/version.ts';
import type { WantedFile } from '../core/wanted-file.ts';
import type { Catalog } from '../store/catalog.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { CallOptions, FileRef, Mirror } from './mirror.ts';
import { ownerPatience } from './owner-patience.ts';

export interface ResolveDeps {
  readonly mirror: Pick<Mirror, 'project' | 'findFile'>;
  readonly catalog: Pick<Catalog, 'fileOrigin'>;
  readonly upstream: Pick<Upstream, 'status'>;
}

/** A file that can be fetched, or why there is none. */
export type Resolved =
  { readonly kind: 'file'; readonly ref: FileRef } | { readonly kind: 'failure'; readonly reason: string };

type Release = Extract<WantedFile, { kind: 'release' }>;

export async function resolveWanted(
  deps: ResolveDeps,
  wanted: WantedFile,
  options: CallOptions = {},
): Promise<Resolved[]> {
  const patience = { ...options, wait: ownerPatience(deps.upstream) };
  if (wanted.kind === 'release') return resolveRelease(deps, wanted, options);
  const { digest } = wanted;
  const filename =
    wanted.kind === 'file' ? wanted.filename : (await deps.catalog.fileOrigin(digest))?.filename;
  if (filename === undefined) {
    return [failure(`${digest}: no page that was read names this file; give its lock file or its project`)];
  }
  const found = await deps.mirror.findFile(digest, filename, patience);
  if (found.kind === 'file') return [found];
  return [failure(`${filename}: ${found.kind === 'absent' ? 'its project does not list it' : found.reason}`)];
}

async function resolveRelease(deps: ResolveDeps, wanted: Release, options: CallOptions): Promise<Resolved[]> {
  const patience = { ...options, wait: ownerPatience(deps.upstream) };
  const { project, version, digests } = wanted;
  const label = version === undefined ? project : `${project}==${version}`;
  const answer = await deps.mirror.project(project, patience);
  if (answer.kind === 'absent') return [failure(`${label}: there is no project of this name`)];
  if (answer.kind === 'unknown') return [failure(`${label}: ${answer.reason}`)];
  const files = filesOfRelease(answer.served.page, version).filter(
    ({ sha256 }) => digests.length === 0 || (sha256 !== undefined && digests.includes(sha256)),
  );
  if (files.length === 0) return [failure(`${label}: its page lists no such file`)];
  const resolved: Resolved[] = [];
  for (const { sha256, filename } of files) {
    if (sha256 === undefined) {
      resolved.push(failure(`${filename}: its page gives no sha256; such files are passed through only`));
      continue;
    }
    const found = await deps.mirror.findFile(sha256, filename, patience);
    resolved.push(
      found.kind === 'file'
        ? found
        : failure(`${filename}: ${found.kind === 'unknown' ? found.reason : 'its page no longer lists it'}`),
    );
  }
  return resolved;
}

/** `version` undefined: the newest release with a file that is not yanked; a pre-release only when there is nothing else. */
function filesOfRelease(page: ProjectPage, version: string | undefined): ProjectFile[] {
  const dated = page.files.flatMap((file) => {
    const named = parseDistributionFilename(file.filename)?.version;
    const parsed = named === undefined ? undefined : parseVersion(named);
    return parsed === undefined ? [] : [{ file, version: parsed }];
  });
  const pin = version === undefined ? newest(dated) : parseVersion(version);
  if (pin === undefined) return [];
  return dated.filter((one) => isPinned(pin, one.version)).map(({ file }) => file);
}

function newest(dated: readonly { file: ProjectFile; version: Version }[]): Version | undefined {
  const offered = dated.filter(({ file }) => !file.raw['yanked']).map(({ version }) => version);
  const final = offered.filter((version) => !isPrerelease(version));
  return (final.length > 0 ? final : offered).sort(compareVersions).at(-1);
}

function failure(reason: string): Resolved {
  return { kind: 'failure', reason };
}
