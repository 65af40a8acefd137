/**
 * This node's own look at the upstream in quorum mode: a vote like any other, and the page's bytes besides. Must always
 * hold: one reading at a time for each project; it outlives the client that asked for it; what cannot be brought into
 * the canonical form of the publishers is no vote.
 */
import { deadline, type Clock } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { IndexHead, IndexSourceFacts } from '../follow/index-head.ts';
import { readProject } from '../read-project.ts';
import { createUpstreamHealth, isSilence } from '../upstream-health.ts';

export type OwnReading =
  | { readonly kind: 'page'; readonly bytes: Uint8Array }
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly reason: string };

export interface OwnReadings extends AsyncDisposable {
  /** Resolves when the vote is written down. Never rejects. */
  read(
    project: ProjectName,
    source: IndexSourceFacts | undefined,
    options?: { noCache?: boolean },
  ): Promise<OwnReading>;
  /** The upstream is known to be failing. */
  troubled(): boolean;
}

export interface OwnReadingsDeps {
  readonly upstream: Pick<Upstream, 'page'>;
  readonly head: Pick<IndexHead, 'ownReading'>;
  readonly clock: Clock;
}

export function createOwnReadings({ upstream, head, clock }: OwnReadingsDeps): OwnReadings {
  const closing = new AbortController();
  const running = new Map<ProjectName, Promise<OwnReading>>();
  const health = createUpstreamHealth(clock);

  async function look(project: ProjectName, source: IndexSourceFacts, noCache: boolean): Promise<OwnReading> {
    using limit = deadline(clock, limits.believed.pageFlight, closing.signal);
    try {
      const { fileOrigin, format } = source;
      const options = { noCache, fileOrigin, format, signal: limit.signal };
      const read = await readProject(upstream, project, {
        ...options,
        validators: undefined,
        quarantined: false,
      });
      health.succeeded();
      if (read.kind === 'absent') {
        await head.ownReading(project, 'absent', read.observedAt);
        return { kind: 'absent' };
      }
      if (read.kind !== 'page') return failed('the upstream sent no page');
      const { serial, digest, length } = read.entry;
      await head.ownReading(project, { serial, digest, length }, read.observedAt);
      return { kind: 'page', bytes: read.bytes };
    } catch (error) {
      if (isSilence(error) || limit.signal.aborted) health.failed();
      return failed((error as Error).message);
    }
  }

  return {
    async read(project, source, { noCache = false } = {}) {
      if (closing.signal.aborted) return failed('this node is closing');
      if (source === undefined) return failed('no record of a trusted publisher is here yet');
      const known = running.get(project);
      if (known !== undefined) return known;
      if (running.size >= limits.freshness.flights) return failed('too many pages are being fetched');
      const made = look(project, source, noCache).finally(() => running.delete(project));
      running.set(project, made);
      return made;
    },
    troubled: health.troubled,
    async [Symbol.asyncDispose]() {
      closing.abort(new DOMException('the node is closing', 'AbortError'));
      await Promise.all(running.values());
    },
  };
}

function failed(reason: string): OwnReading {
  return { kind: 'failed', reason };
}
