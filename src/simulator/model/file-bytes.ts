/** The bytes of simulated files: the same for a seed, run and name, and another range of them is never the same by chance. */
import { createRandomness, deriveStream } from '../scenario/streams.ts';

/** Prime: a range that starts at a wrong place differs wherever sizes are powers of two. */
const PATTERN = 997;

export function makeFileBytes(
  { seed, run }: { readonly seed: number; readonly run: number },
  name: string,
  size: number,
): Uint8Array {
  const pattern = createRandomness(deriveStream(seed, run, 'upstream', `file ${name}`)).bytes(PATTERN);
  return new Uint8Array(Buffer.alloc(size, pattern));
}
