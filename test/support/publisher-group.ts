/**
 * Publishers with keys of their own and a policy that names them all, as people set them up: `fondue key new`, `fondue trust
 * add`, `fondue publish`. Imports nothing from `src/`.
 */
import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fondue } from './node-process.ts';
import { type PublisherProcess, startPublisher } from './publisher-process.ts';

export interface GroupOptions {
  /** Holds everything; the caller's to remove. */
  readonly folder: string;
  readonly upstream: string;
  readonly names: readonly string[];
  readonly threshold: number;
  /** What they publish. */
  readonly projects: readonly string[];
  /** Seconds. */
  readonly interval: number;
  /** By name: more of the environment. */
  readonly env?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export interface PublisherGroup extends AsyncDisposable {
  readonly policy: string;
  readonly members: readonly GroupMember[];
  member(name: string): GroupMember;
  /** `--bootstrap` for each that runs. */
  bootstrap(): string[];
}

export class GroupMember {
  readonly name: string;
  readonly dataDir: string;
  readonly #key: string;
  readonly #options: GroupOptions;
  #process: PublisherProcess | undefined;
  #ready = { address: '', gateway: '' };

  constructor(name: string, key: string, options: GroupOptions) {
    this.name = name;
    this.dataDir = join(options.folder, name);
    this.#key = key;
    this.#options = options;
  }

  get process(): PublisherProcess {
    if (this.#process === undefined) throw new Error(`${this.name} does not run`);
    return this.#process;
  }

  get isRunning(): boolean {
    return this.#process !== undefined;
  }

  get address(): string {
    return this.#ready.address;
  }

  get gateway(): string {
    return this.#ready.gateway;
  }

  get key(): string {
    return this.#key;
  }

  /** Resolves when it is up. @param more flags */
  async start(bootstrap: readonly string[], more: readonly string[] = []): Promise<void> {
    const { folder, upstream, interval, env } = this.#options;
    this.#process = startPublisher({
      upstream,
      dataDir: this.dataDir,
      key: this.#key,
      // prettier-ignore
      args: ['--no-mdns', '--projects', join(folder, 'projects.txt'), '--interval', `${interval}s`,
        ...bootstrap.flatMap((address) => ['--bootstrap', address]), ...more],
      env: env?.[this.name] ?? {},
    });
    const ready = await this.#process.event('ready', ({ event }) => event === 'ready');
    this.#ready = { address: ready.multiaddrs?.[0] ?? '', gateway: ready.gateway ?? '' };
  }

  async stop(signal?: NodeJS.Signals): Promise<void> {
    await this.#process?.stop(signal);
    this.#process = undefined;
  }

  /** Copies its log, map and what it read, while it does not run. */
  async backUp(to: string): Promise<void> {
    await this.#copy(this.dataDir, to);
  }

  /** A new machine that has the backup and nothing else: no peers that it remembers, no pages. */
  async restore(from: string): Promise<void> {
    await rm(this.dataDir, { recursive: true });
    await this.#copy(from, this.dataDir);
  }

  async #copy(from: string, to: string): Promise<void> {
    if (this.isRunning) throw new Error(`${this.name} still runs`);
    for (const part of ['fondue.json', 'publisher'])
      await cp(join(from, part), join(to, part), { recursive: true });
  }

  /** Records in its log, as this process has told. */
  get size(): number {
    return Math.max(0, ...this.process.events.map(({ size }) => size ?? 0));
  }

  /** Resolves when the log has so many records. */
  async signed(size: number, limit = 30_000): Promise<void> {
    await this.process.event(`record ${size} of ${this.name}`, (event) => (event.size ?? 0) >= size, limit);
  }
}

async function command(...args: string[]): Promise<string> {
  const { exit, stdout, stderr } = await fondue(args);
  if (exit !== 0) throw new Error(`fondue ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout.trim();
}

/** Resolves when each has signed a complete record. */
export async function startPublisherGroup(options: GroupOptions): Promise<PublisherGroup> {
  const { folder, names, threshold } = options;
  await using stack = new AsyncDisposableStack();
  const policy = join(folder, 'policy');
  await writeFile(join(folder, 'projects.txt'), `${options.projects.join('\n')}\n`);
  const keyOf = (name: string): string => join(folder, `${name}.key`);
  const verifierKeys = await Promise.all(
    names.map((name) => command('key', 'new', '--name', `${name}.example`, '--out', keyOf(name))),
  );
  for (const key of verifierKeys) await command('trust', 'add', key, '--policy', policy);
  await command('trust', 'threshold', String(threshold), '--policy', policy);
  const members = names.map((name) => new GroupMember(name, keyOf(name), options));
  for (const member of members) stack.defer(() => member.stop('SIGKILL'));
  const bootstrap = (): string[] =>
    members.flatMap(({ isRunning, address }) => (isRunning ? ['--bootstrap', address] : []));
  const [first, ...others] = members;
  await first?.start([]);
  await Promise.all(others.map((member) => member.start(first === undefined ? [] : [first.address])));
  for (const { process } of members)
    await process.event('a complete record', ({ complete }) => complete === true, 30_000);
  const running = stack.move();
  return {
    policy,
    members,
    member(name) {
      const found = members.find((member) => member.name === name);
      if (found === undefined) throw new Error(`there is no publisher ${name}`);
      return found;
    },
    bootstrap,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
