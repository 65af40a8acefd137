/**
 * docs/protocol.md is exact enough to write another node: its examples are right for our codec, for the vectors and for a
 * second implementation that was written from the page alone (`test/support/second-implementation/`); that one then talks
 * to a real `fondue up`.
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { multiaddr } from '@multiformats/multiaddr';
import { canonicalPage } from '../../src/core/canonical-page.ts';
import { digestToCid, parseDigest } from '../../src/core/digest.ts';
import { limits } from '../../src/core/limits.ts';
import { parseProjectName } from '../../src/core/project-name.ts';
import { readPageJson } from '../../src/core/read-page-json.ts';
import { decodeAnswer, encodeAnswer } from '../../src/network/blob-protocol/answers.ts';
import { ProtocolViolation } from '../../src/network/blob-protocol/frames.ts';
import { createFrameParser } from '../../src/network/blob-protocol/frame-parser.ts';
import { decodeRequest, encodeRequest, type BlobRequest } from '../../src/network/blob-protocol/requests.ts';
import { kadProtocol, mdnsServiceTag } from '../../src/network/libp2p/protocol-names.ts';
import { download, fileUrl, jsonPage } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { fixturePage, fixturesMissing } from '../support/fixtures.ts';
import { startNode } from '../support/node-process.ts';
import { addProvider, callDht, getProviders, namesOf } from '../support/second-implementation/dht.ts';
import * as second from '../support/second-implementation/frames.ts';
import { connectSecondPeer, getOf } from '../support/second-implementation/peer.ts';
import { createStockDhtPeer } from '../support/stock-dht-peer.ts';

const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');

interface Block {
  readonly language: string;
  readonly info: string;
  readonly text: string;
}

const blocks: Block[] = [...page.matchAll(/^```(\w+) ([^\n]+)\n(.*?)^```$/gms)].map(
  ([, language = '', info = '', text = '']) => ({ language, info, text }),
);

/** The hex of a block: each line up to two spaces, after which people read on. */
function hexOf({ text, info }: Block): Buffer {
  const lines = text.trimEnd().split('\n');
  const digits = lines.map((line) => /^([0-9a-f ]+?)(?: {2,}.*)?$/.exec(line)?.[1]?.replaceAll(' ', ''));
  assert.ok(
    digits.every((line) => line !== undefined && line.length % 2 === 0),
    `no hex in "${info}"`,
  );
  return Buffer.from(digits.join(''), 'hex');
}

const of = (kind: string): [name: string, bytes: Buffer][] =>
  blocks
    .filter(({ language, info }) => language === 'hex' && info.startsWith(`${kind} `))
    .map((block) => [block.info.slice(kind.length + 1), hexOf(block)]);

interface FrameVector {
  readonly name: string;
  readonly hex: string;
  readonly value: { readonly kind: string };
}
const frames = JSON.parse(
  readFileSync(new URL('../vectors/blob-protocol/frames.json', import.meta.url), 'utf8'),
) as {
  readonly requests: readonly FrameVector[];
  readonly answers: readonly FrameVector[];
  readonly violations: readonly { name: string; side: 'requests' | 'answers'; hex: string }[];
};

/** Through our own parser; null where the vectors have it. */
function ours(side: 'requests' | 'answers', bytes: Buffer): unknown[] {
  const seen: unknown[] = [];
  const parser = createFrameParser(side, {
    dataFrame: () => undefined,
    data: (part) => seen.push({ kind: 'data', bytes: Buffer.from(part) }),
    frame: (type, content) =>
      seen.push(side === 'requests' ? decodeRequest(type, content) : decodeAnswer(type, content)),
  });
  for (let at = 0; at < bytes.length;) at += parser.push(bytes.subarray(at));
  return seen.map((value) =>
    Object.fromEntries(
      Object.entries(value as object).map(([key, field]: [string, unknown]) => {
        if (key === 'hashes')
          return [key, (field as Uint8Array[]).map((one) => Buffer.from(one).toString('hex'))];
        if (Array.isArray(field)) return [key, field.map((item: unknown) => item ?? null)];
        return [key, field ?? null];
      }),
    ),
  );
}

describe('the examples of docs/protocol.md', () => {
  for (const side of ['request', 'answer'] as const) {
    const examples = of(side);
    const vectors = frames[`${side}s`];
    it(`of a ${side} are vectors, and both implementations read and write the same`, () => {
      assert.ok(examples.length >= (side === 'request' ? 4 : 7), `${examples.length} examples`);
      for (const [name, bytes] of examples) {
        const vector = vectors.find((one) => one.name === name);
        assert.equal(bytes.toString('hex'), vector?.hex, name);
        assert.deepEqual(ours(`${side}s`, bytes), [vector?.value], name);
      }
    });
  }

  it('of a whole answer to GET are what we send', () => {
    const [example] = of('exchange');
    const ok = encodeAnswer({ kind: 'ok', blobSize: 5, offset: 0, length: 5 });
    assert.equal(example?.[1].toString('hex'), `${Buffer.from(ok).toString('hex')}8300000568656c6c6f`);
    assert.deepEqual(ours('answers', example[1]).at(-1), { kind: 'data', bytes: Buffer.from('hello') });
  });

  it('of violations are vectors, and are violations to both', () => {
    const examples = of('violation');
    assert.ok(examples.length >= 5);
    for (const [info, bytes] of examples) {
      const [side = '', ...name] = info.split(' ');
      const vector = frames.violations.find((one) => one.name === name.join(' '));
      assert.deepEqual([side, bytes.toString('hex')], [vector?.side, vector?.hex], info);
      assert.throws(() => ours(vector!.side, bytes), ProtocolViolation, info);
    }
  });

  it('of content names are right for both', () => {
    const digest = createHash('sha256').update('hello').digest('hex');
    const names = namesOf(digest);
    assert.equal(names.cid, digestToCid(parseDigest(digest)).toString());
    assert.equal(names.key, Buffer.from(digestToCid(parseDigest(digest)).multihash.bytes).toString('hex'));
    for (const value of [digest, names.key, names.place, names.cid]) assert.ok(page.includes(`\`${value}\``));
    assert.deepEqual(of('rpc'), [['get-providers', getProviders(digest)]]);
  });

  it('of a canonical page are its vector', () => {
    const example = blocks.find(({ info }) => info.startsWith('canonical '));
    const name = example?.info.slice('canonical '.length);
    const vector = JSON.parse(
      readFileSync(new URL(`${name}.json`, canonicalFolder), 'utf8'),
    ) as CanonicalVector;
    assert.equal(example?.text.trim(), vector.canonical);
    assert.ok(page.includes(`\`${vector.sha256}\``));
  });

  it('are all looked at: no block is of a kind that no test knows', () => {
    const known = /^hex (?:request|answer|exchange|violation|rpc) |^text canonical |^(?:hex|text) index /;
    for (const { language, info } of blocks) assert.match(`${language} ${info}`, known);
    assert.equal(blocks.length, [...page.matchAll(/^```\w/gm)].length);
  });

  it('say the limits and names that are in the code', () => {
    const rows = [...page.matchAll(/^\| (.+?) +\| ([\d,]+) ?(\S*) +\| `(\w+)\.(\w+)` +\|$/gm)];
    assert.ok(rows.length >= 40, `${rows.length} rows`);
    const units: Record<string, number> = {
      '': 1, bytes: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, ms: 1, s: 1000, min: 60_000, h: 3_600_000,
    }; // prettier-ignore
    for (const [, what, number = '', unit = '', group = '', key = ''] of rows) {
      const table = limits[group as keyof typeof limits] as Record<string, unknown>;
      assert.equal(Number(number.replaceAll(',', '')) * (units[unit] ?? NaN), table[key], what);
    }
    for (const name of [kadProtocol, mdnsServiceTag, '/fondue/blob/1.0.0']) assert.ok(page.includes(name));
  });
});

describe('a second implementation of the frames', () => {
  for (const { name, hex, value } of frames.requests) {
    it(`reads and writes the request: ${name}`, () => {
      const bytes = Buffer.from(hex, 'hex');
      const read = second.readRequest(bytes);
      assert.equal(read?.rest.length, 0);
      if (value.kind === 'malformed') return assert.equal(read.value.kind, 'malformed');
      assert.deepEqual(read.value, value);
      assert.equal(second.encodeRequest(value as second.RequestValue).toString('hex'), hex);
      assert.equal(second.readRequest(bytes.subarray(0, -1)), undefined);
    });
  }
  for (const { name, hex, value } of frames.answers) {
    it(`reads and writes the answer: ${name}`, () => {
      const bytes = Buffer.from(hex, 'hex');
      assert.deepEqual(second.readAnswer(bytes)?.value, value);
      assert.equal(second.encodeAnswer(value as second.AnswerValue).toString('hex'), hex);
      assert.equal(second.readAnswer(bytes.subarray(0, -1)), undefined);
    });
  }
  for (const { name, side, hex } of frames.violations) {
    it(`refuses the violation: ${name}`, () => {
      const read = side === 'requests' ? second.readRequest : second.readAnswer;
      assert.throws(() => read(Buffer.from(hex, 'hex')), second.Violation);
    });
  }

  it('reads what ours writes, and ours what it writes', () => {
    const digest = parseDigest('ab'.repeat(32));
    const requests: BlobRequest[] = [
      { kind: 'have', digests: Array.from({ length: 256 }, () => digest) },
      { kind: 'get', digest, offset: 2 ** 34, length: 2 ** 40, deadlineMs: 600_000, priority: 2 },
      { kind: 'leaves', digest, from: 2 ** 32 - 1, count: 512 },
    ];
    for (const request of requests) {
      const bytes = Buffer.from(encodeRequest(request));
      assert.deepEqual(second.readRequest(bytes)?.value, request);
      assert.deepEqual(second.encodeRequest(request as second.RequestValue), bytes);
    }
  });
});

const canonicalFolder = new URL('../vectors/canonical-page/', import.meta.url);

interface CanonicalVector {
  readonly canonical?: string;
  readonly sha256?: string;
  readonly refused?: string;
}

function pythonMissing(): string | false {
  try {
    execFileSync('python3', ['-c', 'import sys; assert sys.version_info >= (3, 9)'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'there is no python3 of 3.9 or newer';
  }
}

async function inPython(paths: readonly string[]): Promise<Map<string, CanonicalVector>> {
  const script = new URL('../support/second-implementation/canonical_page.py', import.meta.url).pathname;
  const { stdout } = await promisify(execFile)('python3', [script, ...paths], {
    timeout: 60_000,
    maxBuffer: 2 ** 26,
  });
  const lines = stdout.trim().split('\n');
  return new Map(
    lines.map((line) => {
      const { name, ...answer } = JSON.parse(line) as CanonicalVector & { name: string };
      return [name, answer];
    }),
  );
}

describe('a second implementation of the canonical page, in Python', { skip: pythonMissing() }, () => {
  it('gives every vector', async () => {
    const names = readdirSync(canonicalFolder).filter((name) => name.endsWith('.json'));
    assert.ok(names.length >= 27);
    const answers = await inPython(names.map((name) => new URL(name, canonicalFolder).pathname));
    for (const name of names) {
      const vector = JSON.parse(readFileSync(new URL(name, canonicalFolder), 'utf8')) as CanonicalVector;
      const { canonical, sha256, refused } = vector;
      const expected = refused === undefined ? { canonical, sha256 } : { refused };
      assert.deepEqual(answers.get(name), expected, name);
    }
  });

  it('gives the same as ours for real pages', { skip: fixturesMissing() }, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'fondue-pages-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const projects = ['flask', 'numpy', 'jinja2', 'markupsafe'];
    const paths = projects.map((project) => join(folder, `${project}.json`));
    const fileOrigin = 'https://pypi.org';
    for (const [i, project] of projects.entries()) {
      const pageUrl = `https://pypi.org/simple/${project}/`;
      const input = fixturePage(project).toString('utf8');
      await writeFile(paths[i]!, JSON.stringify({ format: 'json', project, pageUrl, fileOrigin, input }));
    }
    const answers = await inPython(paths);
    for (const project of projects) {
      const read = readPageJson(fixturePage(project), {
        url: `https://pypi.org/simple/${project}/`,
        project: parseProjectName(project),
        strict: true,
      });
      const sha256 = createHash('sha256').update(canonicalPage(read, { fileOrigin })).digest('hex');
      assert.equal(answers.get(`${project}.json`)?.sha256, sha256, project);
    }
  });
});

const file = makeWheel({ name: 'raclette', extraBytes: 3_000_000 });
const bytes = file.bytes();
const absent = 'f'.repeat(64);

describe('a second implementation that talks to a real node', () => {
  it('gets what the page promises, byte by byte and code by code', async () => {
    await using pypi = await startFakePypi({ files: [file] });
    await using node = await startNode({ upstream: pypi.url });
    const { gateway } = node.ready;
    for (const [url, type] of [
      [`/simple/raclette/`, 'application/vnd.pypi.simple.v1+json'],
      [`/files/${file.sha256}/${file.filename}`, 'application/octet-stream'],
      [`/files/${file.sha256}/${file.filename}.metadata`, 'application/octet-stream'],
      [file.path, 'application/octet-stream'],
      [`${file.path}.metadata`, 'application/octet-stream'],
      ['/pypi/raclette/json', 'application/json'],
      ['/pypi/raclette/1.0/json', 'application/json'],
    ] as const) {
      const answer = await download(`${gateway}${url}`, { headers: jsonPage });
      assert.deepEqual([answer.status, answer.headers['content-type']], [200, type], url);
    }

    await using peer = await connectSecondPeer(node.ready.multiaddrs[0]!);
    const control = await peer.openBlobStream();
    const have = () => control.ask({ kind: 'have', digests: [file.sha256, absent] });
    assert.deepEqual(await have(), { kind: 'have', load: 0, sizes: [file.size, null] });

    const stream = await peer.openBlobStream();
    const { sha256: digest, size } = file;
    for (const [wanted, start, end] of [
      [{}, 0, size],
      [{ offset: 1_000_000, length: 200_000 }, 1_000_000, 1_200_000],
      [{ offset: size - 10, length: 1000, priority: 2 }, size - 10, size],
      [{ offset: 70_000, length: 0 }, 70_000, 70_000],
      [{ offset: size }, size, size],
    ] as const) {
      const answer = await stream.get({ digest, ...wanted });
      assert.equal(answer.end.kind, 'ok');
      assert.ok(answer.bytes.equals(bytes.subarray(start, end)), `${start} to ${end}`);
    }
    const errorTo = async (request: second.RequestValue | Buffer) => {
      stream.send(Buffer.isBuffer(request) ? request : second.encodeRequest(request));
      const answer = await stream.next();
      return answer?.kind === 'error' ? answer.code : answer;
    };
    assert.deepEqual((await stream.get({ digest: absent })).end, { kind: 'not-found' });
    assert.equal(await errorTo(getOf({ digest, offset: size + 1 })), 3);
    assert.equal(await errorTo(getOf({ digest, priority: 3 })), 1);
    assert.equal(await errorTo(second.frame(0x42, Buffer.from('of a later version'))), 2);
    assert.equal(await errorTo({ kind: 'leaves', digest, from: 3, count: 1 }), 3);
    assert.deepEqual(await stream.ask({ kind: 'leaves', digest: absent, from: 0, count: 1 }), {
      kind: 'not-found',
    });
    const chunks = [0, 1, 2].map((i) =>
      createHash('sha256')
        .update(bytes.subarray(i * 2 ** 20, (i + 1) * 2 ** 20))
        .digest('hex'),
    );
    assert.deepEqual(await control.ask({ kind: 'leaves', digest, from: 1, count: 512 }), {
      kind: 'leaves',
      total: 3,
      from: 1,
      hashes: chunks.slice(1),
    });

    // Split anywhere.
    for (const byte of second.encodeRequest(getOf({ digest, length: 5 }))) stream.send(Uint8Array.of(byte));
    assert.equal((await stream.next())?.kind, 'ok');
    assert.deepEqual(await stream.next(), { kind: 'data', bytes: bytes.subarray(0, 5) });

    // Eight GETs are at work and nobody reads: the ninth hears BUSY within about a second.
    const stuck = await Promise.all(Array.from({ length: 8 }, () => peer.openBlobStream()));
    // A stream that is new to the node may be behind an older one: a HAVE shows that it is there.
    for (const one of stuck) assert.equal((await one.ask({ kind: 'have', digests: [absent] }))?.kind, 'have');
    for (const one of stuck) {
      one.pause();
      one.send(second.encodeRequest(getOf({ digest })));
    }
    assert.deepEqual((await stream.get({ digest })).end, { kind: 'busy', retryMs: 500 });
    // A cancel is a reset: their places are free, and HAVE was answered meanwhile.
    assert.equal((await have())?.kind, 'have');
    for (const one of stuck) one.cancel();
    assert.ok((await stream.get({ digest })).bytes.equals(bytes));

    stream.send(second.encodeRequest({ kind: 'have', digests: [digest] }));
    await stream.closeWrite();
    assert.deepEqual(await stream.next(), { kind: 'have', load: 0, sizes: [size] });
    assert.equal(await stream.next(), undefined);
  });

  it('is reset for each violation, and banned for an hour at the third', async () => {
    await using pypi = await startFakePypi({ files: [file] });
    await using node = await startNode({ upstream: pypi.url });
    await using peer = await connectSecondPeer(node.ready.multiaddrs[0]!);
    const { violations } = frames;
    const wrong = violations.filter(({ side }) => side === 'requests').slice(0, 3);
    for (const { hex } of wrong) {
      const stream = await peer.openBlobStream();
      stream.send(Buffer.from(hex, 'hex'));
      await stream.reset;
    }
    await eventually('the connection is gone', () => peer.connection.status !== 'open');
    const { banned } = (await node.status()).network;
    assert.deepEqual(
      banned.map(({ peerId, reason }) => [peerId, reason]),
      [[peer.peerId, 'protocol']],
    );
  });

  it('finds the node in the DHT with stock kad-dht, and by hand; and is told on by it as the page says', async () => {
    await using pypi = await startFakePypi({ files: [file] });
    const server = await createStockDhtPeer();
    try {
      const address = server.getMultiaddrs()[0]!.toString();
      await using node = await startNode({ upstream: pypi.url, args: ['--bootstrap', address] });
      assert.equal((await download(fileUrl(node.ready.gateway, file))).sha256, file.sha256);

      await using peer = await connectSecondPeer(node.ready.multiaddrs[0]!);
      const id = peer.connection.remotePeer;
      const own = {
        id: peer.id,
        addresses: [80, 40_000].map((port) => multiaddr(`/ip4/127.0.0.1/tcp/${port}`).bytes),
      };
      await callDht(peer.connection, addProvider(absent, own));
      const told = await eventually('the node knows the record', async () => {
        const providers = await callDht(peer.connection, getProviders(absent));
        return providers.length > 0 && providers;
      });
      assert.deepEqual(
        told.map((one) => [Buffer.from(one.id), one.addresses.map((text) => multiaddr(text).toString())]),
        [[Buffer.from(peer.id), ['/ip4/127.0.0.1/tcp/40000']]],
      );

      await using other = await connectSecondPeer(address);
      await eventually(
        'the node has announced its blob',
        async () => {
          const providers = await callDht(other.connection, getProviders(file.sha256));
          return providers.some((one) => Buffer.from(id.toMultihash().bytes).equals(one.id));
        },
        25_000,
      );
      const script = new URL('../support/stock-dht-query.ts', import.meta.url).pathname;
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [script, address, namesOf(file.sha256).cid],
        { timeout: 30_000 },
      );
      const found = JSON.parse(stdout) as { peerId: string; dialled: boolean }[];
      assert.deepEqual(
        found.map(({ peerId, dialled }) => [peerId, dialled]),
        [[node.ready.peerId, true]],
      );
    } finally {
      await server.stop();
    }
  });
});
