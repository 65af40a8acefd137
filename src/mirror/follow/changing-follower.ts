/**
 * A follower whose policy may become another one while the node runs. Must always hold: one follower at a time reads and writes
 * what is kept; a question that came meanwhile is answered by the new one; of what the old policy led to nothing is told
 * once {@link ChangingFollower.change} has resolved.
 */
import type { Candidate } from '../../core/belief/candidate.ts';
import type { Digest } from '../../core/digest.ts';
import { type Policy, samePolicy } from '../../core/log/policy.ts';
import type { NameEvidence } from '../../core/log/name-proof.ts';
import type { ProjectName } from '../../core/project-name.ts';
import { Gate } from '../../store/gate.ts';
import { createFollower, type Follower, type FollowerDeps, type FollowerOptions } from './follower.ts';
import type {
  ClockReset,
  IndexBelief,
  IndexHeadStatus,
  IndexSourceFacts,
  RetractedBy,
} from './index-head.ts';

export async function createChangingFollower(
  deps: FollowerDeps,
  options: FollowerOptions,
): Promise<ChangingFollower> {
  return new ChangingFollower(deps, options, await createFollower(deps, options));
}

export class ChangingFollower implements Follower {
  readonly #deps: FollowerDeps;
  #options: FollowerOptions;
  #current: Follower;
  #started = false;
  #closed = false;
  readonly #one = new Gate(1);
  /** Until it resolves nobody is asked. */
  #changing: Promise<void> | undefined;
  readonly #asked = new Set<Promise<unknown>>();
  #changes = 0;
  #resetsBefore = 0;

  constructor(deps: FollowerDeps, options: FollowerOptions, current: Follower) {
    this.#deps = deps;
    this.#options = options;
    this.#current = current;
  }

  start(): void {
    this.#started = true;
    this.#current.start();
  }

  /** Where it throws, what was followed is followed no more: call it again. */
  change(policy: Policy): Promise<void> {
    return this.#one.run(async () => {
      if (this.#closed || samePolicy(policy, this.#options.policy)) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#changing = promise;
      try {
        const before = this.#current;
        await before[Symbol.asyncDispose]();
        await Promise.allSettled(this.#asked);
        const options = { ...this.#options, policy };
        const next = await createFollower(this.#deps, options);
        this.#resetsBefore += before.clockResets?.() ?? 0;
        this.#changes++;
        [this.#current, this.#options] = [next, options];
        if (this.#started) next.start();
      } finally {
        this.#changing = undefined;
        resolve();
      }
    });
  }

  believe(project: ProjectName, signal?: AbortSignal): Promise<IndexBelief> {
    return this.#ask((head) => head.believe(project, signal), signal);
  }

  ownReading(project: ProjectName, reading: Candidate, observedAt: number): Promise<void> {
    return this.#ask((head) => head.ownReading(project, reading, observedAt));
  }

  prove(project: ProjectName): Promise<readonly NameEvidence[]> {
    return this.#ask(async (head) => (await head.prove?.(project)) ?? []);
  }

  resetClock(): Promise<ClockReset> {
    return this.#ask((head) => head.resetClock?.() ?? Promise.reject(new TypeError('it has no clock')));
  }

  async *names(): ReturnType<Follower['names']> {
    await this.#changing;
    yield* this.#current.names();
  }

  now(): number {
    return this.#current.now();
  }

  serial(): number | undefined {
    return this.#current.serial();
  }

  observedAt(): number | undefined {
    return this.#current.observedAt();
  }

  version(): string {
    return this.#changes === 0 ? this.#current.version() : `${this.#changes}-${this.#current.version()}`;
  }

  retracted(subject: Digest | ProjectName): boolean {
    return this.#current.retracted(subject);
  }

  retraction(subject: Digest | ProjectName): RetractedBy | undefined {
    return this.#current.retraction?.(subject);
  }

  status(): IndexHeadStatus {
    return this.#current.status();
  }

  source(): IndexSourceFacts | undefined {
    return this.#current.source?.();
  }

  clockResets(): number {
    return this.#resetsBefore + (this.#current.clockResets?.() ?? 0);
  }

  policyChanges(): number {
    return this.#changes;
  }

  policyId(): string {
    return this.#current.policyId?.() ?? '';
  }

  misconductProof(digest: Digest): Uint8Array | undefined {
    return this.#current.misconductProof?.(digest);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#one.run(async () => {
      this.#closed = true;
      await this.#current[Symbol.asyncDispose]();
    });
  }

  /** Again where the policy became another one under it: the old follower broke off, or answered from what is past. */
  async #ask<T>(question: (head: Follower) => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (;;) {
      while (this.#changing !== undefined) await this.#changing;
      signal?.throwIfAborted();
      const head = this.#current;
      const answer = question(head);
      this.#asked.add(answer);
      try {
        const found = await answer;
        if (head === this.#current && this.#changing === undefined) return found;
      } catch (error) {
        if (head === this.#current && this.#changing === undefined) throw error;
      } finally {
        this.#asked.delete(answer);
      }
    }
  }
}
