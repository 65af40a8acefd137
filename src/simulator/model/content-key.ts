/** What a page says of its files, as one digest: equal for the upstream's version and for what a gateway made of it. */
import { hash } from 'node:crypto';
import { parseDigest, type Digest } from '../../core/digest.ts';

export function contentKey(
  files: readonly { readonly filename: string; readonly sha256: string | undefined }[],
): Digest {
  const lines = files.map(({ filename, sha256 }) => `${filename} ${sha256 ?? ''}`).sort();
  return parseDigest(hash('sha256', lines.join('\n')));
}
