/** Starts the fake PyPI as a process of its own, for end-to-end tests, the demo and the benchmarks. It dies with this process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { ControlBodies } from './control.ts';
import type { LoggedRequest } from './fake-pypi.ts';

export interface FakePypiProcess extends AsyncDisposable {
  /** Simple index URL. */
  readonly url: string;
  readonly files: string;
  readonly pid: number;
  post<K extends keyof ControlBodies>(path: K, body: ControlBodies[K]): Promise<unknown>;
  /** By exact path, or with `*`. */
  requests(path?: string): Promise<LoggedRequest[]>;
  stop(): Promise<void>;
}

/** `args` as in `main.ts --help`. */
export async function spawnFakePypi(args: readonly string[]): Promise<FakePypiProcess> {
  const main = new URL('main.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [main, '--json', '--until-stdin-closes', ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  const [line] = (await Promise.race([once(lines, 'line'), exited])) as [unknown];
  if (typeof line !== 'string') throw new Error(`the fake PyPI did not start (exit code ${String(line)})`);
  const ready = JSON.parse(line) as { url: string; files: string; control: string; pid: number };
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exited;
  };
  const ask = async (path: string, body?: unknown): Promise<unknown> => {
    const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const response = await fetch(ready.control + path, init);
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
    return response.json();
  };
  return {
    url: ready.url,
    files: ready.files,
    pid: ready.pid,
    post: (path, body) => ask(path, body),
    requests: (path = '*') => ask(`/-/requests?path=${encodeURIComponent(path)}`) as Promise<LoggedRequest[]>,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
