/**
 * What pip does to install one project, on its gateway's machine: the page, then the newest file, through the use cases that
 * the gateway's routes call. Time-outs and retries are pip 26's: 15 s without a byte, five retries of what was answered 503
 * (urllib3: Retry-After, else 0.25 s doubling), none of a body that broke off. A fresh client each time: it has no cache.
 */
import { createHash } from 'node:crypto';
import { deadline, sleep, type Clock } from '../../core/clock.ts';
import type { Digest } from '../../core/digest.ts';
import { IntegrityError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { ProjectFile } from '../../core/project-page.ts';
import type { Mirror, OpenedFile, Patience, ProjectAnswer } from '../../mirror/mirror.ts';
import { OUT_OF_TIME, waitFor } from '../../mirror/wait-for.ts';
import type { AttemptEnd } from './model-event.ts';
import { versionOf } from './upstream-index.ts';

const READ_TIMEOUT = 15_000;
const RETRIES = 5;
const BACKOFF = 250;
const READ_BYTES = 262_144;

export interface PipClientDeps {
  readonly mirror: Pick<Mirror, 'project' | 'findFile' | 'openFile'>;
  readonly clock: Clock;
}

export interface GivenPage {
  readonly end: AttemptEnd;
  readonly answer: ProjectAnswer | undefined;
  /** What pip would take. */
  readonly newest: (ProjectFile & { readonly sha256: Digest }) | undefined;
}

const failed = (reason: string, outcome: AttemptEnd['outcome'] = 'failed'): AttemptEnd => ({
  outcome,
  bytes: 0,
  source: undefined,
  reason,
});

export async function fetchPage({ mirror, clock }: PipClientDeps, project: ProjectName): Promise<GivenPage> {
  const asked = await retrying(clock, (patience) => mirror.project(project, patience));
  if ('reason' in asked) return { end: asked, answer: undefined, newest: undefined };
  const { answer } = asked;
  if (answer.kind === 'unknown') return { end: failed(answer.reason), answer, newest: undefined };
  if (answer.kind === 'absent') return { end: failed('404', 'absent'), answer, newest: undefined };
  const files = answer.served.page.files.filter((file) => file.sha256 !== undefined);
  const newest = files.toSorted((a, b) => release(a) - release(b)).at(-1) as GivenPage['newest'];
  return { end: { outcome: 'verified', bytes: 0, source: answer.source, reason: undefined }, answer, newest };
}

export async function fetchFile(
  { mirror, clock }: PipClientDeps,
  file: { readonly filename: string; readonly sha256: Digest },
): Promise<AttemptEnd> {
  const asked = await retrying(clock, async (patience) => {
    const found = await mirror.findFile(file.sha256, file.filename, patience);
    return found.kind === 'file' ? mirror.openFile(found.ref, patience) : found;
  });
  if ('reason' in asked) return asked;
  const { answer } = asked;
  if (answer.kind === 'unknown') return failed(answer.reason);
  if (answer.kind === 'absent') return failed('404', 'absent');
  await using opened = answer.file;
  return await readBody(clock, opened, file.sha256);
}

function release(file: { readonly filename: string }): number {
  return Number.parseFloat(versionOf(file));
}

async function readBody(clock: Clock, file: OpenedFile, expected: Digest): Promise<AttemptEnd> {
  const hash = createHash('sha256');
  const { source } = file;
  let offset = 0;
  const end = (outcome: AttemptEnd['outcome'], reason?: string): AttemptEnd => ({
    outcome,
    bytes: offset,
    source,
    reason,
  });
  try {
    for (;;) {
      const target = new Uint8Array(READ_BYTES);
      const count = await waitFor(clock, file.read(target, offset), READ_TIMEOUT);
      if (count === OUT_OF_TIME) return end('timeout', 'no byte for 15 s');
      if (count === 0) break;
      hash.update(target.subarray(0, count));
      offset += count;
    }
  } catch (error) {
    // The gateway resets the connection: what came is no whole file.
    return end('failed', error instanceof IntegrityError ? error.message : String(error));
  }
  const actual = hash.digest('hex');
  return actual === expected ? end('verified') : end('wrong', `${actual} where ${expected} was promised`);
}

/** The first answer that is not 503, or the last; or how pip gave up. */
async function retrying<A extends { readonly kind: string }>(
  clock: Clock,
  ask: (patience: Patience) => Promise<A>,
): Promise<{ readonly answer: A } | (AttemptEnd & { readonly reason: string })> {
  for (let attempt = 0; ; attempt++) {
    using time = deadline(clock, READ_TIMEOUT);
    let wait = BACKOFF * 2 ** attempt;
    try {
      const answer = await ask({ wait: limits.gateway.wait, signal: time.signal });
      if (answer.kind !== 'unknown' || attempt === RETRIES) return { answer };
      const { retryAfterSeconds } = answer as unknown as { retryAfterSeconds: number };
      wait = retryAfterSeconds * 1000;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (attempt === RETRIES) {
        const outcome = time.signal.aborted ? 'timeout' : 'failed';
        return { outcome, bytes: 0, source: undefined, reason };
      }
    }
    await sleep(clock, wait);
  }
}
