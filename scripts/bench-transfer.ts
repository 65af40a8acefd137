/**
 * Transfer between two node processes on loopback: 100 MB and 1,000 files of 64 KB (16 in flight) through the blob protocol,
 * beside a raw js-libp2p Noise stream (64 KiB writes), a raw TCP stream of the same bytes and, for the files, bare requests
 * of one byte answered with 64 KiB each on as many reused Noise streams as are in flight, in the same run and the same
 * processes. Blobs are measured at the receiver, to the moment when the SHA-256 fits and the bytes are in the file; raw
 * streams to their last byte, without hash and without file.
 *
 *   node scripts/bench-transfer.ts [--quick] [--json]
 */
import { fork, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, open, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { connect as connectTcp, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noise } from '@chainsafe/libp2p-noise';
import type { Libp2p, Stream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { parseDigest, type Digest } from '../src/core/digest.ts';
import { createFactEmitter } from '../src/core/facts.ts';
import { createBlobService, type BlobService } from '../src/network/libp2p/blob-service.ts';
import { createNoiseCrypto } from '../src/network/libp2p/noise-crypto.ts';
import type { Shelf } from '../src/network/peer-network.ts';
import { systemClock, systemRandomness } from '../src/system-clock.ts';

export interface TransferOptions {
  /** Fewer and smaller rounds. */
  readonly quick: boolean;
  /** Measured in the same rounds: milliseconds. Round 0 warms up and is not counted. */
  readonly also?: Readonly<Record<string, (round: number) => Promise<number>>>;
}

export interface TransferResult {
  /** Where the received files were written. */
  readonly folder: string;
  readonly bigBytes: number;
  readonly smallFiles: number;
  readonly smallBytes: number;
  readonly inFlight: number;
  readonly rounds: number;
  /** Medians. */
  readonly tcpMBs: number;
  readonly noiseMBs: number;
  readonly blobMBs: number;
  readonly smallFilesPerSecond: number;
  /** Requests and answers of the same size on bare Noise streams: what is left to win. */
  readonly bareAnswersPerSecond: number;
  readonly blobToNoise: number;
  /** What each series cost both processes: says more than the clock on a machine that is not ours alone. */
  readonly cpu: Readonly<Record<Series, CpuSeconds>>;
  /** Milliseconds of every round. */
  readonly samples: Readonly<Record<Series, readonly number[]>>;
  readonly also: Readonly<Record<string, readonly number[]>>;
}

interface CpuSeconds {
  readonly sender: number;
  readonly receiver: number;
}

interface Sample {
  readonly ms: number;
  readonly senderCpu: number;
  readonly receiverCpu: number;
}

const RAW = '/fondue-bench/raw/1.0.0';
const BARE = '/fondue-bench/bare/1.0.0';
const WRITE = 64 * 1024;
const SMALL_FILE = 64 * 1024;
const IN_FLIGHT = 16;

interface Offer {
  readonly addresses: readonly string[];
  readonly rawAddresses: readonly string[];
  readonly tcpPort: number;
  readonly big: { readonly digest: Digest; readonly bytes: number };
  readonly small: readonly Digest[];
}

type Series = 'tcp' | 'noise' | 'blob' | 'bare' | 'small';

/** How much is sent, how often. */
export function transferSizes(
  quick: boolean,
): Pick<TransferResult, 'bigBytes' | 'smallFiles' | 'smallBytes' | 'inFlight' | 'rounds'> {
  const common = { smallBytes: SMALL_FILE, inFlight: IN_FLIGHT };
  return quick
    ? { ...common, bigBytes: 30_000_000, smallFiles: 200, rounds: 2 }
    : { ...common, bigBytes: 100_000_000, smallFiles: 1000, rounds: 7 };
}

/** Runs everything in two child processes; about 10 s, or 4 s when quick. */
export async function benchTransfer(options: TransferOptions): Promise<TransferResult> {
  const { bigBytes, smallFiles, smallBytes, inFlight, rounds } = transferSizes(options.quick);
  const others = Object.entries(options.also ?? {});
  const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const folder = await mkdtemp(join(base, 'fondue-bench-'));
  const sender = child('sender', [folder, String(bigBytes), String(smallFiles)]);
  const receiver = child('receiver', [folder]);
  try {
    const offer = (await message(sender)) as Offer;
    const run = async (series: Series): Promise<Sample> => {
      sender.send('usage');
      const before = (await message(sender)) as number;
      receiver.send({ series, offer });
      const { ms, cpu, error } = (await message(receiver)) as { ms: number; cpu: number; error?: string };
      if (error !== undefined) throw new Error(`${series}: ${error}`);
      sender.send('usage');
      return { ms, receiverCpu: cpu, senderCpu: ((await message(sender)) as number) - before };
    };
    const all: Record<Series, Sample[]> = { tcp: [], noise: [], blob: [], bare: [], small: [] };
    const also = Object.fromEntries(others.map(([name]) => [name, [] as number[]]));
    const order = Object.keys(all) as Series[];
    // The first round warms both processes up and is not counted.
    for (let round = 0; round <= rounds; round++) {
      for (const series of order) {
        const sample = await run(series);
        if (round > 0) all[series].push(sample);
      }
      for (const [name, measure] of others) {
        const ms = await measure(round);
        if (round > 0) also[name]?.push(ms);
      }
      order.push(order.shift() as Series);
    }
    const times = (series: Series): number[] => all[series].map((sample) => sample.ms);
    const ms = (series: Series): number => median(times(series));
    const megabytes = (series: Series): number => bigBytes / 1000 / ms(series);
    const cpu = (series: Series): CpuSeconds => ({
      sender: median(all[series].map((sample) => sample.senderCpu)) / 1000,
      receiver: median(all[series].map((sample) => sample.receiverCpu)) / 1000,
    });
    const noiseMBs = megabytes('noise');
    const blobMBs = megabytes('blob');
    return {
      folder: base,
      bigBytes,
      smallFiles,
      smallBytes,
      inFlight,
      rounds,
      tcpMBs: megabytes('tcp'),
      noiseMBs,
      blobMBs,
      smallFilesPerSecond: (smallFiles * 1000) / ms('small'),
      bareAnswersPerSecond: (smallFiles * 1000) / ms('bare'),
      blobToNoise: blobMBs / noiseMBs,
      cpu: {
        tcp: cpu('tcp'),
        noise: cpu('noise'),
        blob: cpu('blob'),
        bare: cpu('bare'),
        small: cpu('small'),
      },
      samples: {
        tcp: times('tcp'),
        noise: times('noise'),
        blob: times('blob'),
        bare: times('bare'),
        small: times('small'),
      },
      also,
    };
  } finally {
    sender.disconnect();
    receiver.disconnect();
    await rm(folder, { recursive: true, force: true });
  }
}

export function transferTable(result: TransferResult): string {
  const { bigBytes, smallFiles, noiseMBs } = result;
  const cpu = (series: Series): string =>
    `CPU s: sender ${result.cpu[series].sender.toFixed(2)}, receiver ${result.cpu[series].receiver.toFixed(2)}`;
  const row = (name: string, MBs: number, series: Series): string =>
    `${name.padEnd(42)} ${MBs.toFixed(0).padStart(6)} MB/s  ${(MBs / noiseMBs).toFixed(2).padStart(5)} of Noise  ${cpu(series)}`;
  const rate = (name: string, files: number, series: Series): string =>
    `${name.padEnd(42)} ${files.toFixed(0).padStart(6)} a second             ${cpu(series)}`;
  return [
    `${bigBytes / 1e6} MB between two processes, medians of ${result.rounds} (files in ${result.folder}):`,
    row('  raw TCP stream', result.tcpMBs, 'tcp'),
    row('  raw libp2p Noise stream, 64 KiB writes', noiseMBs, 'noise'),
    row('  blob protocol, hashed and in the file', result.blobMBs, 'blob'),
    `${smallFiles} files of ${result.smallBytes} bytes, ${result.inFlight} in flight:`,
    rate('  bare requests on Noise streams', result.bareAnswersPerSecond, 'bare'),
    rate('  blob protocol, hashed and in files', result.smallFilesPerSecond, 'small'),
  ].join('\n');
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

function child(role: string, rest: readonly string[]): ChildProcess {
  return fork(new URL(import.meta.url), ['--role', role, ...rest], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

function message(from: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const failed = (code: number | null): void => reject(new Error(`a child process ended with ${code}`));
    from.once('exit', failed);
    from.once('message', (value) => {
      from.off('exit', failed);
      resolve(value);
    });
  });
}

async function createHost(encrypter: ReturnType<typeof noise>): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [encrypter],
    streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: 4 << 20, maxReadBufferLength: 8 << 20 } })],
    connectionMonitor: { enabled: false },
  });
}

/** The blob protocol as the node runs it; the raw stream beside it is js-libp2p as it comes. */
async function createNode(shelf: Shelf): Promise<{ libp2p: Libp2p; blobs: BlobService }> {
  const libp2p = await createHost(noise({ crypto: createNoiseCrypto(systemRandomness) }));
  const blobs = createBlobService({
    libp2p,
    shelf,
    clock: systemClock,
    randomness: systemRandomness,
    facts: createFactEmitter(),
    uploadLimit: undefined,
    share: 'all',
    isLan: () => true,
    isRemembered: () => false,
    ban: () => undefined,
    isBanned: () => false,
  });
  await blobs.ready;
  return { libp2p, blobs };
}

function fileShelf(folder: string, sizes: ReadonlyMap<Digest, number>): Shelf {
  return {
    size: (digest) => sizes.get(digest),
    async open(digest) {
      const size = sizes.get(digest);
      if (size === undefined) return undefined;
      const file = await open(join(folder, digest));
      return {
        size,
        read: async (target, offset) => (await file.read(target, 0, target.length, offset)).bytesRead,
        [Symbol.asyncDispose]: () => file.close(),
      };
    },
    reportCorrupt: (digest) => console.error(`corrupt: ${digest}`),
    shared: () => sizes.keys(),
  };
}

async function runSender(folder: string, bigBytes: number, smallFiles: number): Promise<void> {
  const sizes = new Map<Digest, number>();
  const put = async (bytes: Uint8Array): Promise<Digest> => {
    const digest = parseDigest(createHash('sha256').update(bytes).digest('hex'));
    await writeFile(join(folder, digest), bytes);
    sizes.set(digest, bytes.length);
    return digest;
  };
  const big = { digest: await put(randomBytes(bigBytes)), bytes: bigBytes };
  const small: Digest[] = [];
  for (let i = 0; i < smallFiles; i++) small.push(await put(randomBytes(SMALL_FILE)));

  const chunk = randomBytes(WRITE);
  const { libp2p } = await createNode(fileShelf(folder, sizes));
  const stock = await createHost(noise());
  await stock.handle(RAW, (stream) => {
    stream.addEventListener('message', () => {
      let left = bigBytes;
      const write = (): void => {
        while (left > 0) {
          const more = stream.send(left < WRITE ? chunk.subarray(0, left) : chunk);
          left -= Math.min(left, WRITE);
          if (!more) return;
        }
      };
      stream.addEventListener('drain', () => queueMicrotask(write));
      write();
    });
  });
  await stock.handle(BARE, (stream) => stream.addEventListener('message', () => void stream.send(chunk)), {
    maxInboundStreams: IN_FLIGHT,
  });
  const server = createServer((socket) => {
    let left = bigBytes;
    const write = (): void => {
      while (left > 0) {
        const more = socket.write(left < WRITE ? chunk.subarray(0, left) : chunk);
        left -= Math.min(left, WRITE);
        if (!more) return;
      }
    };
    socket.on('drain', write);
    write();
  });
  server.listen(0, '127.0.0.1', () => {
    const addresses = libp2p.getMultiaddrs().map(String);
    const rawAddresses = stock.getMultiaddrs().map(String);
    const offer: Offer = {
      addresses,
      rawAddresses,
      tcpPort: (server.address() as AddressInfo).port,
      big,
      small,
    };
    process.send?.(offer);
  });
  process.on('message', () => process.send?.(usage()));
}

/** CPU milliseconds of this process, all threads. */
function usage(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function runReceiver(folder: string): Promise<void> {
  const { libp2p, blobs } = await createNode(fileShelf(folder, new Map()));
  const stock = await createHost(noise());
  let raw: Stream | undefined;
  let bare: Promise<Stream[]> | undefined;
  const series: Record<Series, (offer: Offer, peerId: string) => Promise<void>> = {
    tcp: (offer) =>
      new Promise((resolve, reject) => {
        let left = offer.big.bytes;
        const socket = connectTcp(offer.tcpPort, '127.0.0.1');
        socket.on('error', reject);
        socket.on('data', (bytes) => {
          left -= bytes.length;
          if (left > 0) return;
          socket.destroy();
          resolve();
        });
      }),
    async noise(offer) {
      raw ??= await stock.dialProtocol(
        offer.rawAddresses.map((address) => multiaddr(address)),
        RAW,
      );
      const stream = raw;
      const done = Promise.withResolvers<void>();
      let left = offer.big.bytes;
      stream.addEventListener('message', function count({ data }) {
        left -= data.byteLength;
        if (left > 0) return;
        stream.removeEventListener('message', count);
        done.resolve();
      });
      stream.send(new Uint8Array(1));
      await done.promise;
    },
    async bare({ rawAddresses, small }) {
      bare ??= openBare(stock, rawAddresses);
      let left = small.length;
      const ask = async (stream: Stream): Promise<void> => {
        while (left-- > 0) await askBare(stream);
      };
      await Promise.all((await bare).map(ask));
    },
    blob: (offer, peerId) => save(blobs, peerId, offer.big.digest, join(folder, 'received')),
    async small(offer, peerId) {
      let next = 0;
      const worker = async (_: unknown, i: number): Promise<void> => {
        for (let digest = offer.small[next++]; digest; digest = offer.small[next++])
          await save(blobs, peerId, digest, join(folder, `received-${i}`));
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
    },
  };
  process.on('message', ({ series: name, offer }: { series: Series; offer: Offer }) => {
    void (async () => {
      const connection = await libp2p.dial(offer.addresses.map((address) => multiaddr(address)));
      const start = performance.now();
      const before = usage();
      await series[name](offer, connection.remotePeer.toString());
      process.send?.({ ms: performance.now() - start, cpu: usage() - before });
    })().catch((error: unknown) => process.send?.({ ms: NaN, error: String(error) }));
  });
}

/** As many streams as requests are in flight. */
async function openBare(stock: Libp2p, addresses: readonly string[]): Promise<Stream[]> {
  const connection = await stock.dial(addresses.map((address) => multiaddr(address)));
  const streams: Stream[] = [];
  for (let i = 0; i < IN_FLIGHT; i++) {
    streams.push(await connection.newStream(BARE, { maxOutboundStreams: IN_FLIGHT }));
  }
  return streams;
}

function askBare(stream: Stream): Promise<void> {
  return new Promise((resolve) => {
    let left = SMALL_FILE;
    stream.addEventListener('message', function count({ data }) {
      left -= data.byteLength;
      if (left > 0) return;
      stream.removeEventListener('message', count);
      resolve();
    });
    stream.send(new Uint8Array(1));
  });
}

/** A blob into a file, as a store does it: hashed and written as it comes, checked at the end. */
async function save(blobs: BlobService, peerId: string, digest: Digest, path: string): Promise<void> {
  await using answer = await blobs.range(peerId, { digest, offset: 0 });
  const file = await open(path, 'w');
  try {
    const hash = createHash('sha256');
    let parts: Uint8Array[] = [];
    let gathered = 0;
    let writing: Promise<unknown> = Promise.resolve();
    const write = async (): Promise<void> => {
      const batch = parts;
      parts = [];
      gathered = 0;
      await writing;
      writing = writeAll(file, batch);
      writing.catch(() => undefined);
    };
    for await (const bytes of answer.body) {
      hash.update(bytes);
      parts.push(bytes);
      gathered += bytes.length;
      if (gathered >= 1 << 20) await write();
    }
    await write();
    await writing;
    if (hash.digest('hex') !== digest) throw new Error(`wrong bytes for ${digest}`);
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, parts: readonly Uint8Array[]): Promise<void> {
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  const { bytesWritten } = await file.writev(parts);
  if (bytesWritten !== total) throw new Error(`only ${bytesWritten} of ${total} bytes were written`);
}

if (import.meta.main) {
  const [flag, role, folder = '', bigBytes, smallFiles] = process.argv.slice(2);
  process.once('disconnect', () => process.exit(0));
  if (flag === '--role' && role === 'sender') await runSender(folder, Number(bigBytes), Number(smallFiles));
  else if (flag === '--role') await runReceiver(folder);
  else {
    const result = await benchTransfer({ quick: process.argv.includes('--quick') });
    console.log(process.argv.includes('--json') ? JSON.stringify(result) : transferTable(result));
  }
}
