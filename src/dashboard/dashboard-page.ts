/**
 * The dashboard: one page without anything from elsewhere (`page.html`), and the policy that keeps it so. Always true: no
 * script or style runs but the page's own, whatever a peer's name may smuggle into its text.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface DashboardPage {
  readonly body: Uint8Array;
  readonly contentSecurityPolicy: string;
}

export function loadDashboard(): DashboardPage {
  const page = readFileSync(new URL('page.html', import.meta.url), 'utf8');
  const policy = [
    "default-src 'none'",
    `script-src ${hashesOf(page, 'script')}`,
    // Hashes cover elements; the widths of the bar are set by the script, which no policy minds.
    `style-src ${hashesOf(page, 'style')}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return { body: Buffer.from(page), contentSecurityPolicy: policy.join('; ') };
}

function hashesOf(page: string, element: 'script' | 'style'): string {
  const contents = page.matchAll(new RegExp(`<${element}>(.*?)</${element}>`, 'gs'));
  return [...contents]
    .map(([, text = '']) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`)
    .join(' ');
}
