/**
 * The recordings' faults, played by the upstream at the node instead of at the client: what should come of each, and one
 * run of one client through a fresh node. The fault hits `click`, a dependency of `flask`.
 */
import { startFakePypi, type FakePypiOptions } from './fake-pypi/fake-pypi.ts';
import type { Fault, FaultMatch, FaultOptions } from './fake-pypi/faults.ts';
import { fixtureProjects } from './fake-pypi/fixture-projects.ts';
import { startNode } from './node-process.ts';
import { createClientProject, type ClientName } from './python-clients.ts';

const flask = ['flask', 'click', 'blinker', 'itsdangerous', 'jinja2', 'markupsafe', 'werkzeug'];

export interface FaultScenario {
  readonly name: string;
  /**
   * `mended`: as if nothing had happened. `stopped`: an honest error, nothing of click installed. `honest`: one of the
   * two; what went out before the hash was known cannot be mended, and whether anything had is a matter of time.
   */
  readonly expect: 'mended' | 'stopped' | 'honest';
  readonly faults: readonly { fault: Fault | string; match?: FaultMatch; options?: FaultOptions }[];
  readonly upstream?: FakePypiOptions;
  /** Takes more than about ten seconds, or hardly differs from another: left to `npm run test:faults`. */
  readonly slow?: boolean;
}

const click: FaultMatch = { project: 'click' };
const clickFile: FaultMatch = { project: 'click', what: 'file' };
const clickPage: FaultMatch = { project: 'click', what: 'page' };
const portal =
  '<!doctype html><html><head><title>Log in</title></head><body><a href="/login">Log in to the Wi-Fi</a></body></html>';
const noMetadata: FakePypiOptions = {
  coreMetadata: 'none',
  apiVersion: '1.1',
  etag: false,
  gzip: false,
  serial: false,
};

export const faultScenarios: readonly FaultScenario[] = [
  { name: 'file cut once after 50 kB', expect: 'mended', faults: [{ fault: 'cut-file-once=50000' }] },
  { name: 'file always cut after 50 kB', expect: 'mended', faults: [{ fault: 'cut-file-always=50000' }] },
  {
    name: 'file cut once after 50 kB, no ranges',
    expect: 'mended',
    faults: [{ fault: 'cut-file-once=50000' }, { fault: 'no-ranges' }],
  },
  {
    name: 'file reset once after 50 kB',
    expect: 'mended',
    faults: [{ fault: { kind: 'reset', after: 50_000 }, match: clickFile, options: { times: 1 } }],
    slow: true,
  },
  {
    name: 'file always reset after 50 kB',
    expect: 'mended',
    faults: [{ fault: { kind: 'reset', after: 50_000 }, match: clickFile }],
  },
  {
    name: 'pause of 20 s in the file',
    expect: 'mended',
    faults: [
      { fault: { kind: 'stall', seconds: 20, after: 50_000 }, match: clickFile, options: { times: 1 } },
    ],
    slow: true,
  },
  {
    name: 'file 503 once',
    expect: 'mended',
    faults: [{ fault: { kind: 'status', status: 503 }, match: clickFile, options: { times: 1 } }],
  },
  {
    name: 'file 503 for 4 s',
    expect: 'mended',
    faults: [
      { fault: { kind: 'status', status: 503, retryAfter: 1 }, match: clickFile, options: { ms: 6000 } },
    ],
  },
  {
    name: 'a byte of the file flipped once',
    expect: 'honest',
    faults: [{ fault: { kind: 'flip' }, match: clickFile, options: { times: 1 } }],
  },
  {
    name: '.metadata 404',
    expect: 'mended',
    faults: [{ fault: { kind: 'status', status: 404 }, match: { ...click, what: 'metadata' } }],
  },
  {
    name: '.metadata 500',
    expect: 'mended',
    faults: [{ fault: { kind: 'status', status: 500 }, match: { ...click, what: 'metadata' } }],
  },
  { name: '.metadata of another hash', expect: 'mended', faults: [{ fault: 'wrong-hash', match: click }] },
  { name: 'no core-metadata', expect: 'mended', faults: [], upstream: noMetadata },
  {
    name: 'no core-metadata, no ranges',
    expect: 'mended',
    faults: [],
    upstream: { ...noMetadata, ranges: false },
  },
  {
    name: 'no core-metadata, HEAD 405',
    expect: 'mended',
    faults: [],
    upstream: { ...noMetadata, head: false },
    slow: true,
  },
  {
    name: 'no core-metadata, no ranges, HEAD 405',
    expect: 'mended',
    faults: [],
    upstream: { ...noMetadata, ranges: false, head: false },
  },
  { name: 'HTML only', expect: 'mended', faults: [], upstream: { format: 'html' } },
  {
    name: 'page as text/plain',
    expect: 'mended',
    faults: [{ fault: { kind: 'type', type: 'text/plain' }, match: clickPage }],
  },
  {
    name: 'page as application/json',
    expect: 'mended',
    faults: [{ fault: { kind: 'type', type: 'application/json' }, match: clickPage }],
    slow: true,
  },
  {
    name: 'page without a type',
    expect: 'mended',
    faults: [{ fault: { kind: 'type', type: undefined }, match: clickPage }],
  },
  {
    name: 'page in zstd, unasked',
    expect: 'mended',
    faults: [{ fault: { kind: 'encoding', coding: 'zstd' }, match: clickPage }],
  },
  {
    name: 'page redirected with 301',
    expect: 'mended',
    faults: [
      {
        fault: { kind: 'redirect', status: 301, to: '/simple/click/' },
        match: clickPage,
        options: { times: 1 },
      },
    ],
  },
  {
    name: 'page 503 once, Retry-After 2',
    expect: 'mended',
    faults: [
      { fault: { kind: 'status', status: 503, retryAfter: 2 }, match: clickPage, options: { times: 1 } },
    ],
  },
  {
    name: 'page 500 once',
    expect: 'mended',
    faults: [{ fault: { kind: 'status', status: 500 }, match: clickPage, options: { times: 1 } }],
  },
  {
    name: 'page 504 once',
    expect: 'mended',
    faults: [{ fault: { kind: 'status', status: 504 }, match: clickPage, options: { times: 1 } }],
    slow: true,
  },
  {
    name: 'first byte of the page after 8 s',
    expect: 'mended',
    faults: [{ fault: { kind: 'slow-first-byte', seconds: 8 }, match: clickPage, options: { times: 1 } }],
    slow: true,
  },
  {
    name: 'first byte of the page after 20 s',
    expect: 'mended',
    faults: [{ fault: { kind: 'slow-first-byte', seconds: 20 }, match: clickPage, options: { times: 1 } }],
    slow: true,
  },
  {
    name: 'page always 500',
    expect: 'stopped',
    faults: [{ fault: { kind: 'status', status: 500 }, match: clickPage }],
    slow: true,
  },
  {
    name: 'page always 503',
    expect: 'stopped',
    faults: [{ fault: { kind: 'status', status: 503 }, match: clickPage }],
    slow: true,
  },
  {
    name: 'page 401',
    expect: 'stopped',
    faults: [{ fault: { kind: 'status', status: 401 }, match: clickPage }],
    slow: true,
  },
  {
    name: 'page 403',
    expect: 'stopped',
    faults: [{ fault: { kind: 'status', status: 403 }, match: clickPage }],
    slow: true,
  },
  {
    name: 'a captive portal instead of the page',
    expect: 'stopped',
    faults: [{ fault: { kind: 'body', body: portal, type: 'text/html' }, match: clickPage }],
    slow: true,
  },
  {
    name: 'page hangs',
    expect: 'stopped',
    faults: [{ fault: { kind: 'hang' }, match: clickPage }],
    slow: true,
  },
  {
    name: 'page 404',
    expect: 'stopped',
    faults: [{ fault: { kind: 'status', status: 404 }, match: clickPage }],
  },
  {
    name: 'a byte of the file always flipped',
    expect: 'stopped',
    faults: [{ fault: { kind: 'flip' }, match: clickFile }],
    slow: true,
  },
  {
    name: 'file always a sound zip of other bytes',
    expect: 'stopped',
    faults: [{ fault: { kind: 'poison' }, match: clickFile }],
    slow: true,
  },
  {
    name: 'file always 404',
    expect: 'stopped',
    faults: [{ fault: { kind: 'status', status: 404 }, match: clickFile }],
    slow: true,
  },
  {
    name: 'file always 500',
    expect: 'stopped',
    faults: [{ fault: { kind: 'status', status: 500 }, match: clickFile }],
    slow: true,
  },
];

/** Whether a run came out as its scenario says. */
export function asExpected(scenario: FaultScenario, run: FaultRun): boolean {
  return !run.wrong && (scenario.expect === 'honest' || run.mended === (scenario.expect === 'mended'));
}

export interface FaultRun {
  readonly mended: boolean;
  /** click was installed although it should not have been, or with other bytes than the real ones. */
  readonly wrong: boolean;
  readonly seconds: number;
  readonly output: string;
  /** Last line that says why, for the table. */
  readonly words: string;
}

/** One client through a fresh node over a fresh upstream with the scenario's faults. */
export async function playFault(scenario: FaultScenario, client: ClientName): Promise<FaultRun> {
  await using pypi = await startFakePypi({ files: fixtureProjects({ names: flask }), ...scenario.upstream });
  for (const { fault, match, options } of scenario.faults) pypi.fault(match ?? click, fault, options);
  await using node = await startNode({ upstream: pypi.url, args: ['--no-mdns'] });
  await using project = await createClientProject();
  const started = performance.now();
  const run = await project.install(client, node.index);
  const seconds = (performance.now() - started) / 1000;
  const check = await project.run(
    'python',
    '-c',
    'import click; print("POISONED" if hasattr(click, "POISONED") else "clean")',
  );
  const clean = check.output.includes('clean');
  const mended = run.exit === 0 && clean;
  const wrong = check.output.includes('POISONED') || (scenario.expect === 'stopped' && run.exit === 0);
  const lines = run.output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const words =
    lines.findLast((line) => /error|fail|unable|no matching|not found/i.test(line)) ?? lines.at(-1) ?? '';
  const output = `${run.output}\n${node.stderr()}`;
  return { mended, wrong, seconds, output, words };
}
