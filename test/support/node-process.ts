/** `fondue up` in a process of its own, as a user would run it: nothing here imports from `src/`. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const launcher = new URL('../../bin/fondue.js', import.meta.url).pathname;

export interface ReadyEvent {
  readonly event: 'ready';
  readonly version: string;
  readonly pid: number;
  readonly gateway: string;
  readonly peerId: string;
  readonly multiaddrs: readonly string[];
  readonly dataDir: string;
}

export interface NodeProcess extends AsyncDisposable {
  readonly ready: ReadyEvent;
  /** `<gateway>/simple/`. */
  readonly index: string;
  /** Milliseconds from the start of the process to the ready line. */
  readonly readyAfter: number;
  readonly stderr: () => string;
  /** All of it, the ready line included. */
  readonly stdout: () => string;
  readonly child: ChildProcess;
  /** Parsed `/-/status`. */
  status(): Promise<StatusObject>;
  /** SIGTERM by default; resolves to the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** The parts of the status object that tests look at. */
export interface StatusObject {
  readonly served: {
    readonly requests: number;
    readonly bytes: Record<'disk' | 'peer' | 'upstream', number>;
  };
  readonly fetched: {
    readonly bytes: Record<'peer' | 'upstream', number>;
    readonly blobs: Record<'peer' | 'upstream', number>;
    readonly discardedBytes: number;
  };
  readonly store: { readonly blobs: number; readonly partials: number; readonly corruptBlobs: number };
  readonly network: {
    readonly state: string;
    readonly connections: number;
    readonly providerRecords: number;
    readonly uploadedBytes: number;
    readonly peers: readonly { readonly peerId: string }[];
    readonly banned: readonly {
      readonly peerId: string;
      readonly reason: string;
      readonly digest: string | null;
    }[];
  };
  readonly upstream: { readonly state: string; readonly lastError: string | null; readonly requests: number };
  readonly process: { readonly rssBytes: number };
}

export interface NodeOptions {
  readonly upstream: string;
  /** A folder of its own, removed at the end, unless given. */
  readonly dataDir?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Elsewhere than on loopback: what runs the node there, and its addresses. */
  readonly at?: {
    readonly command: readonly string[];
    readonly gateway: string;
    readonly listen: string;
  };
}

export async function startNode(options: NodeOptions): Promise<NodeProcess> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'fondue-node-')));
  const start = performance.now();
  const { command, gateway, listen } = options.at ?? {
    command: [],
    gateway: '127.0.0.1:0',
    listen: '/ip4/127.0.0.1/tcp/0',
  };
  // prettier-ignore
  const [program = '', ...args] = [...command, process.execPath, launcher, 'up', '--json', '--data-dir', dataDir,
    '--gateway', gateway, '--listen', listen, '--upstream', options.upstream,
    // In a network namespace the upstream stands for PyPI.
    ...(options.at === undefined ? [] : ['--no-private-upstream']), ...(options.args ?? [])];
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const ready = await new Promise<ReadyEvent>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) => {
      const event = JSON.parse(line) as ReadyEvent;
      if (event.event === 'ready') resolve(event);
      else reject(new Error(`the node did not start: ${line}`));
    });
    void exited.then((code) =>
      reject(new Error(`the node ended with ${code} before it was ready: ${stderr}`)),
    );
  });
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
    child.kill(signal);
    return exited;
  };
  return {
    ready,
    index: `${ready.gateway}/simple/`,
    readyAfter: performance.now() - start,
    stderr: () => stderr,
    stdout: () => stdout,
    child,
    stop,
    async status() {
      const response = await fetch(`${ready.gateway}/-/status`);
      return (await response.json()) as StatusObject;
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) await stop('SIGKILL');
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Runs `fondue ARGS` to its end. */
export function fondue(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{
  exit: number;
  stdout: string;
  stderr: string;
}> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [launcher, ...args],
      { env: { ...process.env, ...env }, timeout: 120_000 },
      (error, stdout, stderr) =>
        resolve({ exit: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
    );
  });
}
