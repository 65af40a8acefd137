/** What a thread of the fuzzer is given to see that it notices. */
import fc from 'fast-check';
import type { Target } from '../../scripts/fuzz-case.ts';

export const targets: readonly Target[] = [
  {
    name: 'hangs',
    format: 'binary',
    refusals: [],
    valid: fc.constant(Buffer.from('valid')),
    read(bytes) {
      while (Buffer.from(bytes).toString() !== 'valid');
      return { again: bytes };
    },
  },
];
