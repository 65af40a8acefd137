/**
 * Requests that a web page of another site makes a browser send. It cannot read the answers (no CORS headers are ever sent),
 * but it could have this node fetch files until its disk is full of them. Browsers say so in headers that no page can change
 * (https://www.w3.org/TR/fetch-metadata/), to loopback over plain HTTP too; pip, uv, Poetry and PDM send none of them.
 */
import type { IncomingHttpHeaders } from 'node:http';

/** What somebody opened in a tab of its own (a link to the dashboard) is let in. */
export function isFromAnotherSite(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== 'cross-site' && site !== 'same-site') return false;
  return headers['sec-fetch-mode'] !== 'navigate' || headers['sec-fetch-dest'] !== 'document';
}
