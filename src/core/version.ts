/**
 * Versions as PEP 440 orders them (packaging's `Version`). Always true: the order is total over what can be read, and two
 * spellings of one version (`1.0`, `1.0.0`, `v1`) are equal. What cannot be read is left to the caller.
 */

export interface Version {
  readonly epoch: bigint;
  /** Without trailing zeros: 1.0 is 1. */
  readonly release: readonly bigint[];
  /** a 0, b 1, rc 2; undefined: no pre-release. */
  readonly pre: readonly [stage: number, number: bigint] | undefined;
  readonly post: bigint | undefined;
  readonly dev: bigint | undefined;
  /** Lower case, its segments split by `.`. */
  readonly local: string | undefined;
}

/** packaging's VERSION_PATTERN, and a filename's `_` before a local version. */
const PATTERN =
  /^v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?(\d*))?(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d*))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:[+_]([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/i;
const LONGEST = 200;
const STAGES: Readonly<Record<string, number>> = {
  alpha: 0,
  a: 0,
  beta: 1,
  b: 1,
  preview: 2,
  pre: 2,
  c: 2,
  rc: 2,
};

/** Undefined for what is no version of PEP 440 (PyPI still has such releases). */
export function parseVersion(text: string): Version | undefined {
  const match = text.length > LONGEST ? null : PATTERN.exec(text.trim());
  if (match === null) return undefined;
  const [, epoch, release = '', stage, pre, shortPost, post, postNumber, dev, devNumber, local] = match;
  const numbers = release.split('.').map(BigInt);
  while (numbers.length > 1 && numbers.at(-1) === 0n) numbers.pop();
  const postText = shortPost ?? (post && (postNumber || '0'));
  return {
    epoch: BigInt(epoch ?? 0),
    release: numbers,
    pre: stage === undefined ? undefined : [STAGES[stage.toLowerCase()] ?? 0, BigInt(pre || 0)],
    post: postText === undefined ? undefined : BigInt(postText),
    dev: dev === undefined ? undefined : BigInt(devNumber || 0),
    local: local?.toLowerCase().replace(/[-_]/g, '.'),
  };
}

/** A pre-release or development release: offered only to those who ask for it. */
export function isPrerelease({ pre, dev }: Version): boolean {
  return pre !== undefined || dev !== undefined;
}

/** Below 0 when `a` is the older. */
export function compareVersions(a: Version, b: Version): number {
  return comparePublic(a, b) || compareLocal(a.local, b.local);
}

/** Whether a pin (`==`) names this version: a pin without a local part names every local version. */
export function isPinned(pin: Version, version: Version): boolean {
  return (
    comparePublic(pin, version) === 0 &&
    (pin.local === undefined || compareLocal(pin.local, version.local) === 0)
  );
}

function comparePublic(a: Version, b: Version): number {
  return (
    compare(a.epoch, b.epoch) ||
    compareReleases(a.release, b.release) ||
    compare(preRank(a), preRank(b)) ||
    compare(a.pre?.[1] ?? 0n, b.pre?.[1] ?? 0n) ||
    compareOptional(a.post, b.post, -1) ||
    compareOptional(a.dev, b.dev, 1)
  );
}

function compare(a: bigint | number | string, b: bigint | number | string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `missing`: where an absent one stands, -1 before all others, 1 behind them. */
function compareOptional(a: bigint | undefined, b: bigint | undefined, missing: -1 | 1): number {
  if (a === undefined) return b === undefined ? 0 : missing;
  return b === undefined ? -missing : compare(a, b);
}

function compareReleases(a: readonly bigint[], b: readonly bigint[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const order = compare(a[i] ?? 0n, b[i] ?? 0n);
    if (order !== 0) return order;
  }
  return 0;
}

/** 1.0.dev0 < 1.0a0.dev0 < 1.0a0 < 1.0a0.post0.dev0 < 1.0a0.post0 < 1.0 < 1.0.post0.dev0 < 1.0.post0 */
function preRank({ pre, post, dev }: Version): number {
  return pre?.[0] ?? (post === undefined && dev !== undefined ? -1 : 3);
}

/** Numbers stand behind words, and a longer one behind its own beginning. */
function compareLocal(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return compare(a === undefined ? 0 : 1, b === undefined ? 0 : 1);
  const [left, right] = [a.split('.'), b.split('.')];
  for (const [i, one] of left.entries()) {
    const other = right[i];
    if (other === undefined) return 1;
    const order = compareSegments(one, other);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function compareSegments(a: string, b: string): number {
  const [aIsNumber, bIsNumber] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (aIsNumber && bIsNumber) return compare(BigInt(a), BigInt(b));
  return compare(aIsNumber ? 1 : 0, bIsNumber ? 1 : 0) || compare(a, b);
}
