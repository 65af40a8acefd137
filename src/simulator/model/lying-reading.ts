/** What a lying publisher says that the upstream said: an older index as if it were now, or one with other files. */
import { hash } from 'node:crypto';
import { parseDigest } from '../../core/digest.ts';
import type { Misbehaviour } from '../scenario/scenario.ts';
import type { IndexReading } from './simulated-upstream.ts';
import type { PageVersion, UpstreamIndex } from './upstream-index.ts';

export interface PublisherLies {
  readonly does: (behaviour: Misbehaviour) => boolean;
  /** The index's serial when it began to lie. */
  readonly since: () => number | undefined;
  /** The serial that the run began with. */
  readonly first: number;
}

export function createLyingReading(
  index: UpstreamIndex,
  { does, since, first }: PublisherLies,
): IndexReading {
  /** undefined: now. */
  const past = (): number | undefined => (does('rolled-back') ? first : does('stale') ? since() : undefined);
  return {
    page(name) {
      const at = past();
      const page = at === undefined ? index.page(name) : index.pageAsOf(name, at);
      return page !== undefined && does('forged') ? forge(page) : page;
    },
    list: () => index.list(past()),
    changesSince: (serial) => {
      const at = past() ?? Infinity;
      return index.changesSince(serial).filter((event) => event.serial <= at);
    },
    fileAt: (url) => index.fileAt(url),
    bytesOf: (file) => index.bytesOf(file),
  };
}

/** Every file has another hash. */
function forge(page: PageVersion): PageVersion {
  let text = Buffer.from(page.body).toString();
  for (const { digest } of page.files) text = text.replaceAll(digest, parseDigest(hash('sha256', digest)));
  return { ...page, body: Buffer.from(text), etag: `"forged-${page.serial}"` };
}
