/** Load on one URL by a process on a core of its own: wrk where it is, else `bench-http-load.ts`. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { findProgram, pinned } from './bench-machine.ts';

const run = promisify(execFile);

export interface Load {
  readonly perSecond: number;
  readonly bytesPerSecond: number;
  readonly errors: number;
}

export interface LoadOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
  readonly core: number;
}

/** Our own client tops out earlier than wrk and so flatters the slower server: the missing wrk is named. */
export async function load(url: string, options: LoadOptions): Promise<Load> {
  const { connections, seconds, core } = options;
  const headers = Object.entries(options.headers).map(([name, value]) => `${name}: ${value}`);
  if (findProgram('wrk') !== undefined) {
    const flags = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '20s'];
    const lines = headers.flatMap((line) => ['-H', line]);
    const { stdout } = await run(...pinned(core, ['wrk', ...flags, ...lines, url]));
    const bytes = /Transfer\/sec:\s+([\d.]+)([KMG]?)B/.exec(stdout);
    const unit = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }[bytes?.[2] ?? ''] ?? 1;
    return {
      perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1] ?? 0),
      bytesPerSecond: Number(bytes?.[1] ?? 0) * unit,
      errors: /Non-2xx|Socket errors/.test(stdout) ? 1 : 0,
    };
  }
  const client = new URL('bench-http-load.ts', import.meta.url).pathname;
  const command = [process.execPath, client, url, String(connections), String(seconds), ...headers];
  const { stdout } = await run(...pinned(core, command));
  const sum = JSON.parse(stdout) as { requests: number; bytes: number; seconds: number; errors: number };
  return {
    perSecond: sum.requests / sum.seconds,
    bytesPerSecond: sum.bytes / sum.seconds,
    errors: sum.errors,
  };
}
