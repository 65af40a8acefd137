/** The stock peers of `liar/` and `stock-peer/` as processes of their own, which end with the test. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

type Line = Readonly<Record<string, unknown>>;

interface PeerProcess extends AsyncDisposable {
  readonly pid: number;
  readonly peerId: string;
  readonly multiaddrs: readonly string[];
  /** What it has printed after its first line. */
  readonly lines: readonly Line[];
  readonly ended: Promise<unknown>;
}

async function spawnPeer(main: string, args: readonly string[]): Promise<PeerProcess> {
  const child = spawn(process.execPath, [new URL(main, import.meta.url).pathname, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines: Line[] = [];
  const printed = createInterface({ input: child.stdout });
  const closed = once(printed, 'close');
  const first = new Promise<Line>((resolve, reject) => {
    printed.on('line', (line) => {
      const parsed = JSON.parse(line) as Line;
      // The liar tells of GETs before its own first line when it is asked while it still dials.
      if (parsed['peerId'] === undefined) lines.push(parsed);
      else resolve(parsed);
    });
    void exited.then(([code]) => reject(new Error(`${main} ended with ${String(code)}`)));
  });
  const { peerId, multiaddrs } = (await first) as { peerId: string; multiaddrs?: string[] };
  return {
    pid: child.pid!,
    peerId,
    multiaddrs: multiaddrs ?? [],
    lines,
    ended: closed,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Says that it holds `blobs`, and sends garbage of their length, or one byte and then nothing. */
export function startLiar(
  dial: string,
  blobs: readonly { readonly sha256: string; readonly size: number }[],
  how: 'garbage' | 'drip',
): Promise<PeerProcess> {
  const list = blobs.map(({ sha256, size }) => `${sha256}=${size}`).join(',');
  return spawnPeer('liar/main.ts', ['--dial', dial, '--blobs', list, '--how', how]);
}

/** Asks for digests as any stranger may; slowly with a rate. */
export function startStranger(
  dial: string,
  digests: readonly string[],
  options: { readonly bytesPerSecond?: number; readonly only?: 'have' | 'get' } = {},
): Promise<PeerProcess> {
  const { bytesPerSecond, only } = options;
  return spawnPeer('stock-peer/main.ts', [
    '--dial',
    dial,
    '--digests',
    digests.join(','),
    ...(bytesPerSecond === undefined ? [] : ['--bytes-per-second', String(bytesPerSecond)]),
    ...(only === undefined ? [] : ['--only', only]),
  ]);
}

/** What a stranger was answered. */
export async function askAsStranger(dial: string, digests: readonly string[]): Promise<readonly Line[]> {
  await using stranger = await startStranger(dial, digests);
  await stranger.ended;
  return stranger.lines;
}
