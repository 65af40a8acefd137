/** What the benchmarks need of the machine: programs, cores, memory, a folder on a tmpfs. */
import { spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where the program is, or undefined. */
export function findProgram(name: string): string | undefined {
  const { status, stdout } = spawnSync('sh', ['-c', `command -v ${name} || command -v /usr/sbin/${name}`]);
  return status === 0 ? stdout.toString().trim() : undefined;
}

const canPin = (): boolean => availableParallelism() > 1 && findProgram('taskset') !== undefined;

/** `taskset` before a command, so that server and client do not share a core; nothing where that cannot be done. */
export function pinned(core: number, command: readonly string[]): [string, string[]] {
  const [program = '', ...args] = command;
  return canPin() ? ['taskset', ['-c', String(core), ...command]] : [program, args];
}

/** All threads of a running process to one core, where that can be done. */
export function pinProcess(pid: number, core: number): void {
  if (canPin()) spawnSync('taskset', ['-a', '-c', '-p', String(core), String(pid)]);
}

export async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await gone;
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

export interface Workspace extends AsyncDisposable {
  readonly folder: string;
}

/** On a tmpfs where there is one: on a disk, what is measured is the disk. */
export async function createWorkspace(): Promise<Workspace> {
  const folder = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'fondue-bench-'));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** Resident bytes of a process and its children, all threads; undefined where there is no /proc. */
export function residentBytes(pid: number): number | undefined {
  if (!existsSync(`/proc/${pid}/status`)) return undefined;
  const own = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
  const tasks = spawnSync('sh', ['-c', `cat /proc/${pid}/task/*/children`]).stdout.toString();
  const children = tasks.split(/\s+/).filter((text) => text !== '');
  return children.reduce((sum, child) => sum + (residentBytes(Number(child)) ?? 0), Number(own) * 1024);
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  /** Of the last 1, 5 and 15 minutes. */
  readonly load: readonly number[];
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    node: process.version,
    load: loadavg().map((value) => Math.round(value * 100) / 100),
  };
}
