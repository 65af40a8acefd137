/**
 * What a distribution's filename says: kind, project, version. Wheels and PEP 625 sdists say it exactly; older sdists may
 * have dashes in the name and in the version, so for them there are candidates, likeliest first.
 */
import { limits } from './limits.ts';
import { parseProjectName } from './project-name.ts';
import type { ProjectName } from './project-name.ts';

export type DistributionFilename =
  | {
      readonly kind: 'wheel';
      readonly project: ProjectName;
      /** As written in the filename: not normalized, `_` for `+` in old wheels. */
      readonly version: string;
      readonly build: string | undefined;
      readonly pythonTag: string;
      readonly abiTag: string;
      readonly platformTag: string;
    }
  | { readonly kind: 'sdist'; readonly project: ProjectName; readonly version: string }
  /** Eggs, installers and packages that today's clients do not install. */
  | { readonly kind: 'other'; readonly project: ProjectName; readonly version: string };

const EXTENSION = /\.(?:whl|egg|exe|msi|rpm|deb|dmg|zip|tar|tgz|tbz|txz|tlz|tar\.(?:gz|bz2|xz|lz|lzma|Z))$/i;
const SDIST = /\.(?:zip|tar|tgz|tbz|txz|tlz|tar\.\w+)$/i;

/** PEP 440 as packaging's VERSION_PATTERN has it, without the leading `v` and local versions made of words only. */
const VERSION =
  /^v?(?:\d+!)?\d+(?:\.\d+)*(?:[-_.]?(?:a|b|c|rc|alpha|beta|pre|preview)[-_.]?\d*)?(?:-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)?(?:[-_.]?dev[-_.]?\d*)?(?:[+_][a-z0-9]+(?:[-_.][a-z0-9]+)*)?$/i;

/** bdist_dumb, bdist_wininst, bdist_msi and bdist_rpm put the platform behind the version: `1.0.linux-x86_64`, `1.0.win32-py2.7`. */
const PLATFORM =
  /[.-](?:linux|macosx|win32|win-amd64|win-arm64|cygwin|mingw|solaris|freebsd|noarch|src|i386|i686|x86_64)\b.*$/i;
/** bdist_egg: `-py2.7`, `-py2.7-win32`. */
const EGG_TAG = /-py\d(?:\.\d+)?(?:-.*)?$/i;
/** bdist_rpm's release number. */
const RPM_RELEASE = /-\d+$/;

/** Whether the name ends like a distribution at all. */
export function isDistributionFilename(filename: string): boolean {
  return EXTENSION.test(filename);
}

/** Undefined when it is no distribution's filename. Of an ambiguous sdist the likeliest reading. */
export function parseDistributionFilename(filename: string): DistributionFilename | undefined {
  const { stem, extension } = withoutExtension(filename);
  if (extension === undefined) return undefined;
  if (extension === '.whl') return parseWheel(stem);
  const { rest, platform } = withoutPlatform(stem, extension);
  const [likeliest] = splits(rest);
  if (likeliest === undefined) return undefined;
  return { kind: SDIST.test(extension) && !platform ? 'sdist' : 'other', ...likeliest };
}

/** Every project that a file of this name may belong to, likeliest first. */
export function candidateProjects(filename: string): ProjectName[] {
  const { stem, extension } = withoutExtension(filename);
  if (extension === undefined) return [];
  const wheel = extension === '.whl' ? parseWheel(stem) : undefined;
  if (wheel !== undefined) return [wheel.project];
  return [...new Set(splits(withoutPlatform(stem, extension).rest).map((split) => split.project))];
}

function withoutExtension(filename: string): { stem: string; extension: string | undefined } {
  const extension =
    filename.length > limits.page.filenameLength ? undefined : EXTENSION.exec(filename)?.[0].toLowerCase();
  return { stem: filename.slice(0, -(extension?.length ?? 0)), extension };
}

function parseWheel(stem: string): DistributionFilename | undefined {
  const parts = stem.split('-');
  if (parts.length !== 5 && parts.length !== 6) return undefined;
  const build = parts.length === 6 ? parts[2] : undefined;
  const project = projectName(parts[0] ?? '');
  const version = parts[1] ?? '';
  const [pythonTag = '', abiTag = '', platformTag = ''] = parts.slice(-3);
  if (project === undefined || version === '' || pythonTag === '' || abiTag === '' || platformTag === '')
    return undefined;
  if (build !== undefined && !/^\d/.test(build)) return undefined;
  return { kind: 'wheel', project, version, build, pythonTag, abiTag, platformTag };
}

function withoutPlatform(stem: string, extension: string): { rest: string; platform: boolean } {
  const rest =
    extension === '.egg'
      ? stem.replace(EGG_TAG, '')
      : extension === '.rpm'
        ? stem.replace(PLATFORM, '').replace(RPM_RELEASE, '')
        : stem.replace(PLATFORM, '');
  return rest === '' ? { rest: stem, platform: false } : { rest, platform: rest !== stem };
}

/**
 * All ways to part `name-version`. A version that PEP 440 knows wins, the longest of them (`1.0-1` is a post-release, not
 * a project called `foo-1.0`); then what begins like one; then the last dash.
 */
function splits(stem: string): { project: ProjectName; version: string }[] {
  const found: { project: ProjectName; version: string; rank: number }[] = [];
  for (let dash = stem.indexOf('-'); dash >= 0; dash = stem.indexOf('-', dash + 1)) {
    const project = projectName(stem.slice(0, dash));
    const version = stem.slice(dash + 1);
    if (project === undefined || version === '') continue;
    const rank = VERSION.test(version) ? 0 : /^v?\d/.test(version) ? 1 : 2;
    found.push({ project, version, rank });
  }
  if (found.every((split) => split.rank === 2)) found.reverse();
  return found
    .sort((left, right) => left.rank - right.rank)
    .map(({ project, version }) => ({ project, version }));
}

function projectName(text: string): ProjectName | undefined {
  try {
    return parseProjectName(text);
  } catch {
    return undefined;
  }
}
