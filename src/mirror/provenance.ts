/**
 * PEP 740 documents, passed through as the upstream gives them: they carry their own signatures. Always true: `absent` is
 * said only when a current page names none for the file, or the upstream said that it is not there.
 */
import { deadline, type Clock } from '../core/clock.ts';
import { limits } from '../core/limits.ts';
import { parseDistributionFilename } from '../core/distribution-filename.ts';
import type { ProjectFile } from '../core/project-page.ts';
import { compareVersions, parseVersion } from '../core/version.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Mirror } from './mirror.ts';
import { filesOf } from './page-files.ts';
import { collect } from './read-fully.ts';

export interface ProvenanceDeps {
  readonly project: Mirror['project'];
  readonly upstream: Pick<Upstream, 'file'>;
  readonly clock: Clock;
}

export function createProvenance(deps: ProvenanceDeps, options: { offline: boolean }): Mirror['provenance'] {
  return async (project, version, filename, patience = {}) => {
    const answer = await deps.project(project, patience);
    if (answer.kind !== 'page') return answer.kind === 'absent' ? { kind: 'absent' } : answer;
    const { page } = answer.served;
    const file = filesOf(page).byName(filename);
    const url = file && isOfVersion(file, version) ? provenanceUrl(file, page.url) : undefined;
    if (url === undefined) {
      if (!answer.stale) return { kind: 'absent' };
      return unknown(
        `the kept page of ${project} names no provenance of ${filename}; a newer one cannot be had now`,
      );
    }
    if (options.offline) return unknown('this node is offline');
    using limit = deadline(deps.clock, patience.wait ?? limits.gateway.wait, patience.signal);
    try {
      await using document = await deps.upstream.file(url, { signal: limit.signal });
      if (document === undefined) return { kind: 'absent' };
      const body = await collect(document.body, limits.file.metadataBytes, url);
      if (document.size !== undefined && document.size !== body.length)
        return unknown(`${url} ended after ${body.length} of ${document.size} bytes`);
      return { kind: 'provenance', body };
    } catch (error) {
      patience.signal?.throwIfAborted();
      return unknown((error as Error).message);
    }
  };
}

function isOfVersion(file: ProjectFile, text: string): boolean {
  const own = parseVersion(parseDistributionFilename(file.filename)?.version ?? '');
  const asked = parseVersion(text);
  // What is no version of PEP 440 cannot be told apart: the filename alone counts.
  return own === undefined || asked === undefined || compareVersions(own, asked) === 0;
}

function provenanceUrl(file: ProjectFile, base: string): string | undefined {
  const { provenance } = file.raw;
  if (typeof provenance !== 'string' || !URL.canParse(provenance, base)) return undefined;
  return new URL(provenance, base).href;
}

function unknown(reason: string): { kind: 'unknown'; reason: string; retryAfterSeconds: number } {
  return { kind: 'unknown', reason, retryAfterSeconds: limits.gateway.retryAfterSeconds };
}
