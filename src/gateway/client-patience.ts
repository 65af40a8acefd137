/** What is known of a client's patience from its headers: how long it waits for a first byte, and whether it wants news. */
import type { limits } from '../core/limits.ts';

type Waits = Pick<typeof limits.gateway, 'wait' | 'waitUv' | 'waitPdm'>;

/** Milliseconds: what the client takes, less some (recorded: pip and Poetry give up after 15 s, uv after 30, PDM never). */
export function waitOf(userAgent: string | undefined, waits: Waits): number {
  if (userAgent?.startsWith('uv/')) return waits.waitUv;
  if (userAgent?.startsWith('pdm/')) return waits.waitPdm;
  return waits.wait;
}

/** `no-cache` (uv `--refresh`) asks for a revalidation; `max-age=0` does not: pip 23 sends it always. */
export function wantsNews(cacheControl: string | undefined): boolean {
  return cacheControl !== undefined && /(?:^|,)\s*no-cache\s*(?:,|$)/i.test(cacheControl);
}
