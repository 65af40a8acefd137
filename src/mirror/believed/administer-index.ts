/** What the owner may ask about the signed index: its state, what is believed of a project, and a proof of that. */
import { UnavailableError } from '../../core/errors.ts';
import { encodeNameProof } from '../../core/log/name-proof.ts';
import type { BeliefReport, IndexAdministration } from '../administration.ts';
import type { IndexHead } from '../follow/index-head.ts';

export function administerIndex(
  head: IndexHead,
  policyProblem: () => string | undefined = () => undefined,
): IndexAdministration {
  const iso = (ms: number): string => new Date(ms).toISOString();
  return {
    async status() {
      const observedAt = head.observedAt();
      return {
        ...head.status(),
        policyProblem: policyProblem() ?? null,
        serial: head.serial() ?? null,
        observedAt: observedAt === undefined ? null : iso(observedAt),
      };
    },
    async show(project) {
      const belief = await head.believe(project);
      const retracted = head.retracted(project);
      const retraction = head.retraction?.(project) ?? null;
      const nothing = { serial: null, digest: null, length: null, upstream: null };
      if (belief.kind === 'unknown') {
        const { reason } = belief;
        return {
          project,
          belief: 'unknown',
          reason,
          ...nothing,
          since: null,
          ageSeconds: null,
          retracted,
          retraction,
        };
      }
      const { since } = belief;
      const ageSeconds = Math.max(0, Math.ceil((head.now() - since) / 1000));
      const report: BeliefReport = {
        project,
        belief: belief.kind,
        reason: null,
        ...nothing,
        since: iso(since),
        ageSeconds,
        retracted,
        retraction,
      };
      if (belief.kind === 'absent') return report;
      const { serial, digest, length, upstream } = belief;
      return { ...report, serial, digest, length, upstream };
    },
    async prove(project) {
      const votes = (await head.prove?.(project)) ?? [];
      if (votes.length === 0)
        throw new UnavailableError(`no signed map that is here can be proved to say anything of ${project}`);
      return encodeNameProof({ project, votes });
    },
    async misconductProof(digest) {
      const proof = head.misconductProof?.(digest);
      if (proof === undefined) throw new UnavailableError(`there is no proof of misconduct ${digest} here`);
      return Buffer.from(proof).toString('base64');
    },
    async resetClock() {
      if (head.resetClock === undefined) throw new UnavailableError('this index keeps no time of its own');
      const { from, to } = await head.resetClock();
      return { from: iso(from), to: iso(to) };
    },
  };
}
