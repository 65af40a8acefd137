/**
 * What pip does to install one project, over HTTP and by the plan: the page, then its newest file. Time-outs and retries are
 * pip 26's. A process of its own that knows nothing of Fondue: `client-child JOB`. Prints a line for each request that ended.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

export interface ClientJob {
  /** Wall clock of the plan's 0, ms. */
  readonly epoch: number;
  readonly installs: readonly { readonly at: number; readonly node: number; readonly project: string }[];
  /** By node, without trailing slash. */
  readonly gateways: readonly string[];
}

export interface ClientLine {
  readonly node: number;
  readonly what: 'page' | 'file';
  readonly project: string;
  readonly outcome: 'verified' | 'wrong' | 'failed' | 'absent';
  readonly reason: string | undefined;
  /** Wall clock, ms. */
  readonly began: number;
  readonly ended: number;
}

const READ_TIMEOUT = 15_000;
const RETRIES = 5;
const BACKOFF = 250;

const [path = ''] = process.argv.slice(2);
const job = JSON.parse(readFileSync(path, 'utf8')) as ClientJob;

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

async function get(url: string): Promise<Answer> {
  for (let attempt = 0; ; attempt++) {
    let wait = BACKOFF * 2 ** attempt;
    try {
      const stop = new AbortController();
      const silence = setTimeout(() => stop.abort(new Error('no byte for 15 s')), READ_TIMEOUT);
      try {
        const response = await fetch(url, {
          headers: { accept: 'application/vnd.pypi.simple.v1+json' },
          signal: stop.signal,
        });
        const parts: Uint8Array[] = [];
        for await (const part of response.body ?? []) {
          silence.refresh();
          parts.push(part as Uint8Array);
        }
        if (response.status !== 503 || attempt === RETRIES)
          return { status: response.status, body: Buffer.concat(parts) };
        wait = Number(response.headers.get('retry-after') ?? wait / 1000) * 1000;
      } finally {
        clearTimeout(silence);
      }
    } catch (error) {
      if (attempt === RETRIES) throw error;
    }
    await pause(wait);
  }
}

async function watched(
  own: Pick<ClientLine, 'node' | 'what' | 'project'>,
  work: () => Promise<Pick<ClientLine, 'outcome' | 'reason'>>,
): Promise<void> {
  const began = Date.now();
  const end = await work().catch((error: unknown) => ({ outcome: 'failed' as const, reason: String(error) }));
  console.log(JSON.stringify({ ...own, ...end, began, ended: Date.now() } satisfies ClientLine));
}

interface PageFile {
  readonly filename: string;
  readonly url: string;
  readonly hashes: { readonly sha256?: string };
}

const releaseOf = ({ filename }: PageFile): number =>
  Number.parseFloat(filename.slice(filename.lastIndexOf('-') + 1));

async function install(node: number, project: string): Promise<void> {
  const pageUrl = `${job.gateways[node]}/simple/${project}/`;
  let newest: PageFile | undefined;
  const refused = ({ status, body }: Answer): Pick<ClientLine, 'outcome' | 'reason'> => ({
    outcome: status === 404 ? 'absent' : 'failed',
    reason: `${status} ${body.toString().slice(0, 200)}`,
  });
  await watched({ node, what: 'page', project }, async () => {
    const answer = await get(pageUrl);
    if (answer.status !== 200) return refused(answer);
    const { files } = JSON.parse(answer.body.toString()) as { files: PageFile[] };
    newest = files.toSorted((a, b) => releaseOf(a) - releaseOf(b)).at(-1);
    return { outcome: 'verified', reason: undefined };
  });
  if (newest === undefined) return;
  const { url, hashes } = newest;
  await watched({ node, what: 'file', project }, async () => {
    const answer = await get(new URL(url, pageUrl).href);
    if (answer.status !== 200) return refused(answer);
    const right = createHash('sha256').update(answer.body).digest('hex') === hashes.sha256;
    return { outcome: right ? 'verified' : 'wrong', reason: undefined };
  });
}

for (const { at, node, project } of job.installs)
  setTimeout(() => void install(node, project), Math.max(0, job.epoch + at / 1000 - Date.now()));
process.stdin.resume().on('end', () => process.exit(0));
console.log(JSON.stringify({ event: 'ready' }));
