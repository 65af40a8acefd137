/** Network namespaces named after the process that made them: taken away at its end, or when the next one finds them. */
import { execFileSync } from 'node:child_process';

export function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Namespaces `PREFIX<pid>-…` and bridges `BRIDGE<pid>` of processes that were killed before they could. */
export function removeLeftovers({ prefix, bridge }: { prefix: string; bridge: string }): void {
  for (const line of ip('netns', 'list').split('\n')) {
    const [name = ''] = line.split(' ');
    const pid = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    removeNamespace(name);
    quietly(() => ip('link', 'del', `${bridge}${pid}`));
  }
}

export function removeNamespace(name: string): void {
  // A namespace, and pipes of its devices, stay as long as a process is in it, by name or not.
  quietly(() => {
    for (const pid of ip('netns', 'pids', name).split('\n').filter(Boolean))
      process.kill(Number(pid), 'SIGKILL');
  });
  quietly(() => ip('netns', 'del', name));
}

export function quietly(work: () => unknown): void {
  try {
    work();
  } catch {
    // Gone already, or never made.
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
