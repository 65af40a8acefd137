/**
 * `/pypi/<name>/json` and `/pypi/<name>/<version>/json` (PyPI's JSON API), as far as the project's page allows: what scripts
 * and old tools still read. What a page does not say is null, never guessed. File URLs are the upstream's; the gateway puts its own in their place.
 */
import { parseDistributionFilename } from '../core/distribution-filename.ts';
import { limits } from '../core/limits.ts';
import type { JsonObject, ProjectFile, ProjectPage } from '../core/project-page.ts';
import { compareVersions, isPrerelease, parseVersion, type Version } from '../core/version.ts';
import type { Mirror, ServedPage } from './mirror.ts';

interface Release {
  /** As the page writes it, else as its files do. */
  readonly text: string;
  readonly version: Version | undefined;
  readonly files: ProjectFile[];
}

export function createProjectJson(deps: { readonly project: Mirror['project'] }): Mirror['projectJson'] {
  return async (name, version, patience) => {
    const answer = await deps.project(name, patience);
    if (answer.kind === 'absent') return { kind: 'absent' };
    if (answer.kind === 'unknown') return answer;
    const { served, stale } = answer;
    const releases = releasesOf(served.page);
    const release =
      version === undefined ? latest(releases) : releases.find((one) => isVersion(one, version));
    if (release !== undefined) return { kind: 'json', body: render(served, releases, release, version) };
    if (version === undefined) return { kind: 'json', body: render(served, releases, NO_RELEASE, version) };
    if (!stale) return { kind: 'absent' };
    return {
      kind: 'unknown',
      reason: `${name}: the kept page has no version ${version}, and a newer page cannot be had now`,
      retryAfterSeconds: limits.gateway.retryAfterSeconds,
    };
  };
}

const NO_RELEASE: Release = { text: '', version: undefined, files: [] };

/** Ascending; what is no version of PEP 440 stands first. */
function releasesOf(page: ProjectPage): readonly Release[] {
  const releases = new Map<string, Release>();
  const release = (text: string): Release => {
    const version = parseVersion(text);
    const key = version === undefined ? `=${text}` : keyOf(version);
    const known = releases.get(key) ?? { text, version, files: [] };
    releases.set(key, known);
    return known;
  };
  const { versions } = page.raw;
  if (Array.isArray(versions)) for (const text of versions as readonly string[]) release(text);
  for (const file of page.files) {
    const text = parseDistributionFilename(file.filename)?.version;
    // Old wheels write `_` for the `+` of a local version.
    if (text !== undefined) release(text.replace('_', '+')).files.push(file);
  }
  return [...releases.values()].sort((a, b) =>
    a.version && b.version
      ? compareVersions(a.version, b.version)
      : Number(!!a.version) - Number(!!b.version),
  );
}

/** Equal for equal versions. */
function keyOf({ epoch, release, pre, post, dev, local }: Version): string {
  return [epoch, release.join('.'), pre?.join('.'), post, dev, local].map(String).join('|');
}

function isVersion(release: Release, text: string): boolean {
  const wanted = parseVersion(text);
  if (wanted === undefined || release.version === undefined) return release.text === text;
  return compareVersions(release.version, wanted) === 0;
}

/** The newest final release with a file that is not yanked; without one, what comes nearest to it. */
function latest(releases: readonly Release[]): Release | undefined {
  const rank = ({ version, files }: Release): number =>
    (files.some((file) => !yankedOf(file).yanked) ? 4 : 0) +
    (version && !isPrerelease(version) ? 2 : 0) +
    (files.length > 0 ? 1 : 0);
  let best: Release | undefined;
  for (const release of releases) if (best === undefined || rank(release) >= rank(best)) best = release;
  return best;
}

function render(
  served: ServedPage,
  releases: readonly Release[],
  release: Release,
  version: string | undefined,
): JsonObject {
  const { page, serial } = served;
  const reasons = release.files.map(yankedOf);
  const yanked = reasons.length > 0 && reasons.every((one) => one.yanked);
  const { text } = release;
  return {
    info: {
      name: typeof page.raw['name'] === 'string' ? page.raw['name'] : page.name,
      version: text,
      requires_python: firstString(release.files, 'requires-python'),
      requires_dist: null,
      summary: null,
      description: null,
      license: null,
      author: null,
      home_page: null,
      platform: null,
      classifiers: [],
      yanked,
      yanked_reason: yanked ? (reasons.find(({ reason }) => reason !== null)?.reason ?? null) : null,
    },
    last_serial: serial !== undefined && /^\d{1,15}$/.test(serial) ? Number(serial) : null,
    ...(version === undefined
      ? { releases: Object.fromEntries(releases.map((one) => [one.text, one.files.map(renderFile)])) }
      : {}),
    urls: release.files.map(renderFile),
    vulnerabilities: [],
  };
}

function renderFile(file: ProjectFile): JsonObject {
  const parsed = parseDistributionFilename(file.filename);
  const uploaded = file.raw['upload-time'];
  const { yanked, reason } = yankedOf(file);
  return {
    filename: file.filename,
    url: file.url,
    digests: { ...file.hashes, ...(file.sha256 === undefined ? {} : { sha256: file.sha256 }) },
    md5_digest: file.hashes['md5'] ?? null,
    size: file.size ?? null,
    packagetype: parsed?.kind === 'wheel' ? 'bdist_wheel' : parsed?.kind === 'sdist' ? 'sdist' : null,
    python_version: parsed?.kind === 'wheel' ? parsed.pythonTag : 'source',
    requires_python: firstString([file], 'requires-python'),
    upload_time: typeof uploaded === 'string' ? uploaded.replace(/\.\d+/, '').replace(/Z$/, '') : null,
    upload_time_iso_8601: typeof uploaded === 'string' ? uploaded : null,
    yanked,
    yanked_reason: reason,
  };
}

function firstString(files: readonly ProjectFile[], key: string): string | null {
  const found = files.map(({ raw }) => raw[key]).find((value) => typeof value === 'string' && value !== '');
  return typeof found === 'string' ? found : null;
}

/** Pages say `yanked` as a boolean or as the reason. */
function yankedOf(file: ProjectFile): { yanked: boolean; reason: string | null } {
  const { yanked } = file.raw;
  if (typeof yanked === 'string') return { yanked: true, reason: yanked === '' ? null : yanked };
  return { yanked: yanked === true, reason: null };
}
