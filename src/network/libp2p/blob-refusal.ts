/** What a peer's answer without bytes means to us, as an error. */
import { PeerError, type PeerFailure } from '../../core/errors.ts';
import { errorCode, type BlobAnswer } from '../blob-protocol/answers.ts';

const failures: Readonly<Record<number, PeerFailure>> = {
  [errorCode.malformed]: 'protocol',
  [errorCode.unknownRequest]: 'protocol',
  [errorCode.range]: 'unreadable',
  [errorCode.unreadable]: 'unreadable',
  [errorCode.closing]: 'unreachable',
  [errorCode.deadline]: 'deadline',
};

export function peerErrorOf(peerId: string, answer: BlobAnswer): PeerError {
  switch (answer.kind) {
    case 'not-found':
      return new PeerError({ peerId, failure: 'not-found' }, `${peerId} does not hold it`);
    case 'busy':
      return new PeerError({ peerId, failure: 'busy', retryAfter: answer.retryMs }, `${peerId} is busy`);
    case 'error': {
      const failure = failures[answer.code] ?? 'unreadable';
      return new PeerError(
        { peerId, failure },
        `${peerId} answered with error ${answer.code}: ${answer.text}`,
      );
    }
    default:
      return new PeerError({ peerId, failure: 'protocol' }, `${peerId} answered another question`);
  }
}
