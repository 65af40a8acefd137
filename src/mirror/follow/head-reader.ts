/** What a follower answers its own node: `IndexHead` over the book of beliefs and the voters' newest records. */
import { hash } from 'node:crypto';
import type { Candidate } from '../../core/belief/candidate.ts';
import { type Digest, isDigest } from '../../core/digest.ts';
import { UnavailableError } from '../../core/errors.ts';
import { decodeAnnouncement } from '../../core/log/announcement.ts';
import type { NameEvidence } from '../../core/log/name-proof.ts';
import type { Policy } from '../../core/log/policy.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { Admission } from './admission.ts';
import type { AgreedFormat } from './agreed-format.ts';
import { agreedReading, agreedSerial, agreedSource, type SaidOfPage } from './agreed-facts.ts';
import type { AskBundles } from './ask-bundles.ts';
import type { BeliefBook } from './belief-book.ts';
import type { FollowTime } from './follow-time.ts';
import type { MapHead } from './followed-map.ts';
import type { FollowedVoter } from './followed-voter.ts';
import type {
  ClockReset,
  IndexBelief,
  IndexHead,
  IndexHeadStatus,
  IndexSourceFacts,
  RetractedBy,
  VoterStatus,
} from './index-head.ts';
import { listBelieved, type ListedName } from './list-believed.ts';
import { viewAnswer } from './loaded-view.ts';
import type { MisconductDesk } from './misconduct-desk.ts';
import type { NameLists } from './name-lists.ts';
import type { Refusals } from './refusals.ts';
import type { Alarms, RetractionDesk } from './take-record.ts';

export interface HeadReaderDeps {
  readonly policy: Policy;
  readonly upstream: string;
  /** `policyKey`. */
  readonly scope: string;
  readonly format: Pick<AgreedFormat, 'format'>;
  readonly admission: Admission;
  readonly alarms: Alarms;
  readonly book: BeliefBook;
  readonly bundles: AskBundles;
  readonly lists: Pick<NameLists, 'bytes'>;
  readonly misconduct: MisconductDesk;
  readonly refusals: Refusals;
  readonly retractions: RetractionDesk;
  readonly time: FollowTime;
  readonly voters: readonly FollowedVoter[];
  /** Of this run of the program: what is believed without a map is not the same in the next. */
  readonly run: string;
  /** Called when a map turns out to be damaged on disk. */
  onDamage(): void;
  /** Aborts when the follower closes. */
  readonly signal: AbortSignal;
}

export class HeadReader implements IndexHead {
  readonly #deps: HeadReaderDeps;
  #revision = 0;

  constructor(deps: HeadReaderDeps) {
    this.#deps = deps;
  }

  /** Goes on where who asks leaves: others may wait for the same answer. */
  async believe(project: ProjectName): Promise<IndexBelief> {
    try {
      return await this.#believe(project);
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      this.#deps.onDamage();
      return { kind: 'unknown', reason: `${error.message}: it is being mended from peers` };
    }
  }

  async #believe(project: ProjectName): Promise<IndexBelief> {
    const { book, bundles, policy } = this.#deps;
    let belief = await book.believed(project);
    if (belief === undefined && policy.k > 0) {
      if (await bundles.ask(project, this.#deps.signal)) {
        belief = await book.believed(project);
        if (belief !== undefined) this.advanced();
      }
    }
    if (belief === undefined) return { kind: 'unknown', reason: this.#whyUnknown(project) };
    const since = belief.at;
    if (belief.choice === 'absent') return { kind: 'absent', since, floor: belief.floor };
    const source = await this.#source(project, belief.choice);
    if (source === undefined)
      return { kind: 'unknown', reason: `no publisher says where the files of ${project} are` };
    const { format = 'json' } = this.#deps.format;
    const { upstream } = this.#deps;
    return { kind: 'page', ...belief.choice, since, ...source, format, upstream };
  }

  now(): number {
    return this.#deps.time.forAges(this.#deps.admission.signed, this.#deps.policy.k);
  }

  serial(): number | undefined {
    return agreedSerial(this.#heads(), this.#deps.policy.k);
  }

  observedAt(): number | undefined {
    return agreedReading(this.#heads(), this.#deps.policy.k);
  }

  names(): AsyncIterable<ListedName> {
    const { book, policy, voters } = this.#deps;
    const mapped = voters.filter(({ slot }) => book.view(slot) !== undefined);
    return listBelieved(
      book,
      policy.k,
      mapped.map(({ slot, map }) => ({ slot, map: map.map })),
    );
  }

  version(): string {
    const heads = this.#deps.voters.map(({ slot, map }) => [slot, map.head?.record.seq ?? -1]);
    const serials = this.#heads().map(({ record }) => record.mapRoot);
    return hash('sha256', JSON.stringify([this.#deps.run, this.#revision, heads, serials]), 'hex').slice(
      0,
      32,
    );
  }

  policyId(): string {
    return hash('sha256', this.#deps.scope, 'hex').slice(0, 32);
  }

  clockResets(): number {
    return this.#deps.time.resets;
  }

  resetClock(): Promise<ClockReset> {
    return this.#deps.time.reset(this.#deps.admission.signed, this.#deps.policy.k);
  }

  misconductProof(digest: Digest): Uint8Array | undefined {
    return this.#deps.misconduct.proof(digest);
  }

  /** Something that is believed, or shown, may be another now. */
  advanced(): void {
    this.#revision++;
  }

  retracted(subject: Digest | ProjectName): boolean {
    return this.retraction(subject) !== undefined;
  }

  retraction(subject: Digest | ProjectName): RetractedBy | undefined {
    const { policy, retractions } = this.#deps;
    const found = retractions.inForce(isDigest(subject) ? `sha256:${subject}` : subject, this.now());
    const publisher = policy.publishers.find(({ key }) => key.text === found?.slot)?.name ?? '';
    return found && { publisher, reason: found.reason };
  }

  async ownReading(project: ProjectName, reading: Candidate, observedAt: number): Promise<void> {
    const { book, time } = this.#deps;
    await book.ownVote(project, { candidate: reading, at: Math.min(observedAt, time.now()) });
    this.advanced();
  }

  status(): IndexHeadStatus {
    const { admission, alarms, book, misconduct, policy, refusals, time, voters } = this.#deps;
    const observedAt = this.observedAt();
    const heads = this.#heads();
    return {
      k: policy.k,
      excluded: voters.filter(({ slot }) => admission.isExcluded(slot)).length,
      ready: policy.k > 0 && heads.length >= policy.k,
      voters: voters.map((voter) => this.#voterStatus(voter)),
      age: observedAt === undefined ? undefined : Math.max(0, this.now() - observedAt),
      clock: time.judge(admission.signed, policy.k),
      alarms: alarms.list(),
      misconduct: misconduct.list(),
      refused: refusals.counts(),
      kept: book.size,
    };
  }

  source(): IndexSourceFacts | undefined {
    const { upstream } = this.#deps;
    const { format } = this.#deps.format;
    const said = this.#heads().map(({ record }) => ({ ...record, holds: 'unknown' as const }));
    const source = agreedSource(said, 'absent');
    return source && format && { upstream, fileOrigin: source.fileOrigin, format };
  }

  async prove(project: ProjectName): Promise<readonly NameEvidence[]> {
    const { admission, lists, voters } = this.#deps;
    const votes: NameEvidence[] = [];
    for (const { slot, log, map } of voters) {
      const record = map.head?.record;
      const announcement = log.announcementOf(record?.seq);
      if (record === undefined || announcement === undefined || admission.isExcluded(slot)) continue;
      const proof = await map.map.prove(project);
      // The map may have moved on while it was read.
      if (map.head?.record !== record) continue;
      votes.push({
        announcement: decodeAnnouncement(announcement),
        proof,
        stale: record.stale === null ? undefined : await lists.bytes(record.stale),
        scope: record.scope === 'all' ? undefined : await lists.bytes(record.scope),
      });
    }
    return votes;
  }

  #voterStatus({ slot, origin, log, map, silent }: FollowedVoter): VoterStatus {
    const { admission, policy } = this.#deps;
    const record = map.head?.record;
    return {
      name: policy.publishers.find(({ key }) => key.text === slot)?.name ?? origin,
      origin,
      size: log.size,
      seq: record?.seq,
      names: record?.count ?? 0,
      complete: record?.complete ?? false,
      serial: record?.serial,
      observedAt: map.head?.observedAt,
      signedAt: record?.signedAt,
      excluded: admission.isExcluded(slot),
      noVote: silent?.reason,
      successor: admission.successorIn(slot),
    };
  }

  #heads(): (MapHead & { readonly slot: string })[] {
    const { admission, voters } = this.#deps;
    return voters.flatMap(({ slot, map }) =>
      map.head === undefined || admission.isExcluded(slot) ? [] : [{ ...map.head, slot }],
    );
  }

  async #source(project: ProjectName, page: Candidate): Promise<ReturnType<typeof agreedSource>> {
    const { voters, admission, book, bundles } = this.#deps;
    const said: SaidOfPage[] = [];
    for (const { slot, map, log } of voters) {
      if (admission.isExcluded(slot)) continue;
      if (map.head !== undefined && book.view(slot) !== undefined) {
        const { fileOrigin, apiVersion } = map.head.record;
        said.push({ fileOrigin, apiVersion, holds: viewAnswer(await map.map.get(project)) });
      } else {
        // Known by bundles alone so far.
        const record = bundles.source(slot) ?? log.newestRecord();
        if (record !== undefined) said.push({ ...record, holds: 'unknown' });
      }
    }
    return agreedSource(said, page);
  }

  #whyUnknown(project: ProjectName): string {
    const { policy } = this.#deps;
    const heads = this.#heads().length;
    if (policy.k === 0) return 'the policy trusts no publisher';
    const silent = this.#deps.voters.find((voter) => voter.silent !== undefined);
    if (heads < policy.k && silent?.silent !== undefined)
      return `${policy.k} publishers must agree, and ${silent.origin} is no vote here: ${silent.silent.reason}`;
    if (heads < policy.k)
      return `${policy.k} publishers must agree, and the index of ${heads} has arrived so far`;
    return `fewer than ${policy.k} publishers agree on ${project} now`;
  }
}
