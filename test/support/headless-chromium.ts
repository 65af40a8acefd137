/** Pictures of pages, for tests that look at them; they skip where there is no Chromium. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path));

/** For `test`'s `skip`. */
export const withoutChromium = chromium === undefined && 'needs Chromium: apt-get install chromium';

const QUIET = [
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A PNG. */
export function screenshot(file: string): Promise<Uint8Array> {
  return browse(file, async (start, folder) => {
    const picture = join(folder, 'page.png');
    await start('--window-size=900,3200', `--screenshot=${picture}`);
    return readFile(picture);
  });
}

/** What the browser understood. */
export function dumpDom(file: string): Promise<string> {
  return browse(file, (start) => start('--dump-dom'));
}

type Start = (...flags: string[]) => Promise<string>;

async function browse<T>(file: string, work: (start: Start, folder: string) => Promise<T>): Promise<T> {
  const profile = await mkdtemp(join(tmpdir(), 'fondue-chromium-'));
  const start: Start = async (...own) => {
    if (chromium === undefined) throw new Error('there is no Chromium');
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', ...QUIET, `--user-data-dir=${profile}`];
    const args = [...flags, ...own, '--virtual-time-budget=2000', `file://${file}`];
    return (await run(chromium, args, { timeout: 60_000, maxBuffer: 64 * 1024 * 1024 })).stdout;
  };
  try {
    return await work(start, profile);
  } finally {
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
