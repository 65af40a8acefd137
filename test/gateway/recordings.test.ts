/**
 * What pip, uv, Poetry and PDM really sent (fixtures/clients), replayed header by header against a gateway over real pages.
 * The same kind of answer must come as the recorded, healthy server gave.
 */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { readPageJson } from '../../src/core/read-page-json.ts';
import { parseProjectName } from '../../src/core/project-name.ts';
import { fixturePage, fixturePath, fixturesMissing } from '../support/fixtures.ts';
import { someBytes } from '../support/memory-shelf.ts';
import { digestOf, type DoubleFile } from './mirror-double.ts';
import { startGateway, type TestGateway } from './test-gateway.ts';

interface Recorded {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly index?: number;
  readonly response: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly bytes: number;
    readonly fault?: string;
  };
}

const skip = fixturesMissing();
const recordings = skip
  ? []
  : readdirSync(fixturePath('clients')).filter(
      (name) => name.endsWith('.jsonl') && !name.startsWith('fault-'),
    );

/** Puts what a recorded request needs into the double: the real page, or a file of the length that was answered. */
function prepare(node: TestGateway, files: Map<string, DoubleFile>, request: Recorded): string {
  const [, kind, ...parts] = new URL(request.path, 'http://localhost').pathname.split('/');
  if (kind === 'simple' && request.response.status === 200) {
    const project = parseProjectName(parts[0] ?? '');
    const page = readPageJson(pageBytes(project), {
      url: `https://pypi.example/simple/${project}/`,
      project,
    });
    node.mirror.putPage(page);
    return request.path;
  }
  if ((kind !== 'files' && kind !== 'packages') || parts.length < 2) return request.path;
  const last = decodeURIComponent(parts.at(-1) ?? '');
  const filename = last.replace(/\.metadata$/, '');
  let file = files.get(`${kind} ${filename}`);
  if (file === undefined) {
    const path = `/packages/${[...parts.slice(0, -1), filename].join('/')}`;
    file = node.mirror.putFile({ filename, bytes: someBytes(1_200_000, filename.length), path });
    files.set(`${kind} ${filename}`, file);
    const body = Buffer.from(`Metadata-Version: 2.1\nName: ${filename}\n`);
    node.mirror.putMetadata(filename, { kind: 'metadata', body, digest: digestOf(body), source: 'upstream' });
  }
  // The bytes are ours, so the digest is; the shape of the URL stays.
  return kind === 'packages' ? request.path : `/files/${file.ref.digest}/${encodeURIComponent(last)}`;
}

function pageBytes(project: string): Buffer {
  try {
    return fixturePage(project);
  } catch {
    return Buffer.from(
      JSON.stringify({ meta: { 'api-version': '1.1' }, name: project, files: [], versions: [] }),
    );
  }
}

test(
  'every request of the healthy recordings gets the answer it got, of the type it got',
  { skip },
  async (t) => {
    await using node = await startGateway();
    const files = new Map<string, DoubleFile>();
    let replayed = 0;
    for (const name of recordings) {
      const lines = readFileSync(fixturePath(`clients/${name}`), 'utf8')
        .trim()
        .split('\n');
      const etags = new Map<string, string>();
      for (const line of lines) {
        const request = JSON.parse(line) as Recorded;
        if (request.method === undefined || request.index === 2 || request.response === undefined) continue;
        if (!['GET', 'HEAD'].includes(request.method) || request.response.status === 301) continue;
        if (request.response.fault !== undefined) continue;
        // A place the recording server moved its pages to.
        if (request.path.startsWith('/moved/')) continue;
        const path = prepare(node, files, request);
        const headers: Record<string, string> = {};
        for (const [key, value] of request.headers) headers[key.toLowerCase()] = value;
        headers['host'] = `127.0.0.1:${node.port}`;
        // Validators were the recorded server's: ours stand in where the client had one.
        if (headers['if-none-match'] !== undefined) headers['if-none-match'] = etags.get(path) ?? '"none"';
        if (headers['if-range'] !== undefined) headers['if-range'] = etags.get(path) ?? headers['if-range'];
        const answer = await node.ask(path, { method: request.method, headers });
        const where = `${name} ${request.method} ${request.path}`;
        if (headers['if-none-match'] !== '"none"') checkStatus(request, answer.status, where);
        if (answer.headers.etag !== undefined) etags.set(path, answer.headers.etag);
        if (answer.status === 200) checkAnswer(request, headers, answer, where);
        assert.equal(answer.broken, undefined, where);
        replayed++;
      }
    }
    assert.ok(replayed > 400, `${replayed} requests replayed`);
    assert.deepEqual(node.reported, []);
    t.diagnostic(`${replayed} requests of ${recordings.length} recordings`);
  },
);

function checkStatus(request: Recorded, status: number, where: string): void {
  const { status: recorded } = request.response;
  // Ranges were recorded against the real sizes; ours are other files.
  const fits = recorded === 416 || recorded === 206 ? [206, 416] : [recorded];
  assert.ok(fits.includes(status), `${where}: ${status} instead of ${recorded}`);
}

function checkAnswer(
  request: Recorded,
  sent: Readonly<Record<string, string>>,
  answer: Awaited<ReturnType<TestGateway['ask']>>,
  where: string,
): void {
  const coding = answer.headers['content-encoding'];
  const accepted = (sent['accept-encoding'] ?? '').toLowerCase();
  assert.ok(coding === undefined || accepted.includes(coding), `${where}: ${coding} unasked`);
  if (request.path.startsWith('/simple/')) {
    assert.equal(answer.headers['content-type'], request.response.headers['Content-Type'], where);
    const { body } = answer;
    const plain = coding === 'gzip' ? gunzipSync(body) : coding === 'zstd' ? zstdDecompressSync(body) : body;
    if (String(answer.headers['content-type']).endsWith('json'))
      assert.ok(JSON.parse(plain.toString()).files, where);
    return;
  }
  assert.equal(coding, undefined, where);
  assert.equal(answer.headers['accept-ranges'], 'bytes', where);
  assert.match(answer.headers.etag ?? '', /^"[0-9a-f]{64}"$/, where);
}
