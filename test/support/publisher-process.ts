/** `fondue publish` in a process of its own, with the events that it prints. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { eventually } from './eventually.ts';

const launcher = new URL('../../bin/fondue.js', import.meta.url).pathname;

export interface PublisherEvent {
  readonly event: 'ready' | 'progress' | 'signed' | 'stopped' | 'error';
  readonly done?: number;
  readonly total?: number;
  readonly size?: number;
  readonly names?: number;
  readonly changed?: number;
  readonly stale?: number;
  readonly complete?: boolean;
  readonly observedAt?: number;
  readonly message?: string;
  readonly gateway?: string;
  readonly multiaddrs?: readonly string[];
}

export interface PublisherProcess extends AsyncDisposable {
  readonly events: readonly PublisherEvent[];
  readonly stderr: () => string;
  readonly child: ChildProcess;
  /** The first event that fits, past or to come. */
  event(what: string, fits: (event: PublisherEvent) => boolean, limit?: number): Promise<PublisherEvent>;
  /** Resolves to the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export function startPublisher(options: {
  readonly upstream: string;
  readonly dataDir: string;
  readonly key: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}): PublisherProcess {
  // prettier-ignore
  const args = [launcher, 'publish', '--json', '--key', options.key, '--upstream', options.upstream,
    '--data-dir', options.dataDir, '--gateway', '127.0.0.1:0', '--listen', '/ip4/127.0.0.1/tcp/0', ...(options.args ?? [])];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  const events: PublisherEvent[] = [];
  createInterface({ input: child.stdout }).on('line', (line) =>
    events.push(JSON.parse(line) as PublisherEvent),
  );
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
    child.kill(signal);
    return exited;
  };
  return {
    events,
    stderr: () => stderr,
    child,
    stop,
    event: (what, fits, limit) =>
      eventually(
        what,
        () => {
          if (child.exitCode !== null)
            throw new Error(`the publisher ended: ${JSON.stringify(events.at(-1))} ${stderr}`);
          return events.find(fits);
        },
        limit,
      ),
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) await stop('SIGKILL');
    },
  };
}
