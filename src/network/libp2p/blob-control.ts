/**
 * HAVE and LEAVES to one peer, over its control stream, one at a time. Digests of callers that wait travel together, so that
 * many questions cost few round trips.
 */
import type { Digest } from '../../core/digest.ts';
import { PeerError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { BlobAnswer, HaveAnswer, LeavesAnswer } from '../blob-protocol/answers.ts';
import type { BlobRequest, LeavesRequest } from '../blob-protocol/requests.ts';
import { UnansweredError, type Opener } from './blob-opener.ts';
import { peerErrorOf } from './blob-refusal.ts';

export interface BlobControl {
  have(digests: readonly Digest[], signal: AbortSignal | undefined): Promise<HaveAnswer>;
  leaves(request: LeavesRequest, knownSize: number | undefined, signal?: AbortSignal): Promise<LeavesAnswer>;
}

interface Question {
  readonly digests: readonly Digest[];
  readonly answered: PromiseWithResolvers<HaveAnswer>;
}

export function createBlobControl(peerId: string, control: () => Promise<Opener>): BlobControl {
  const questions: Question[] = [];
  let last: Promise<unknown> = Promise.resolve();

  const ask = async (request: BlobRequest, knownSize?: number): Promise<BlobAnswer> => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await (await control()).ask(request, { knownSize });
      } catch (error) {
        if (attempt > 0 || !(error instanceof UnansweredError)) throw error;
      }
    }
  };
  /** As many of those that wait as go into one request. */
  const askNext = async (): Promise<void> => {
    const now: Question[] = [];
    let count = 0;
    for (let next = questions[0]; next; next = questions[0]) {
      if (count + next.digests.length > limits.blob.haveDigests) break;
      count += next.digests.length;
      now.push(next);
      questions.shift();
    }
    if (count === 0) return;
    try {
      const answer = await ask({ kind: 'have', digests: now.flatMap(({ digests }) => digests) });
      if (answer.kind !== 'have') throw peerErrorOf(peerId, answer);
      let at = 0;
      for (const { digests, answered } of now)
        answered.resolve({ ...answer, sizes: answer.sizes.slice(at, (at += digests.length)) });
    } catch (error) {
      for (const { answered } of now) answered.reject(error);
    }
  };
  const inTurn = <T>(action: () => Promise<T>): Promise<T> => {
    const result = last.then(action);
    last = result.catch(() => undefined);
    return result;
  };
  const haveOnce = async (
    digests: readonly Digest[],
    signal: AbortSignal | undefined,
  ): Promise<HaveAnswer> => {
    const question: Question = { digests, answered: Promise.withResolvers() };
    questions.push(question);
    const onAbort = (): void => {
      const at = questions.indexOf(question);
      if (at >= 0) questions.splice(at, 1);
      question.answered.reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    void inTurn(askNext);
    return question.answered.promise.finally(() => signal?.removeEventListener('abort', onAbort));
  };
  return {
    async have(digests, signal) {
      signal?.throwIfAborted();
      const sizes: (number | undefined)[] = [];
      let load = 0;
      for (let at = 0; at < digests.length; at += limits.blob.haveDigests) {
        const answer = await haveOnce(digests.slice(at, at + limits.blob.haveDigests), signal);
        sizes.push(...answer.sizes);
        load = answer.load;
      }
      return { kind: 'have', load, sizes };
    },
    async leaves(request, knownSize, signal) {
      const answer = await inTurn(() => {
        signal?.throwIfAborted();
        return ask(request, knownSize);
      });
      if (answer.kind !== 'leaves') throw peerErrorOf(peerId, answer);
      if (answer.hashes.length === 0 && answer.total > request.from)
        throw new PeerError({ peerId, failure: 'protocol' }, `${peerId} gave no leaf`);
      return answer;
    },
  };
}
