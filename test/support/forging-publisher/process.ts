/** The forging publisher as a process of its own, which ends with the test. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Commands } from './commands.ts';

type Told = { readonly id: number; readonly result?: unknown; readonly error?: string };

export type Forger = Commands & AsyncDisposable;

export function startForger(): Forger {
  const main = new URL('main.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [main], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let ids = 0;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { id, result, error } = JSON.parse(line) as Told;
    const told = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) told?.resolve(result);
    else told?.reject(new Error(`the forging publisher: ${error}`));
  });
  child.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`the forging publisher ended with ${code}`));
  });
  const ask = (command: string) => (args: object) => {
    const answer = Promise.withResolvers<unknown>();
    waiting.set(++ids, answer);
    child.stdin.write(`${JSON.stringify({ id: ids, command, args })}\n`);
    return answer.promise;
  };
  const names = [
    'publisher',
    'fork',
    'page',
    'sign',
    'peer',
    'dial',
    'behave',
    'gossip',
    'seen',
    'leave',
  ] as const;
  return Object.assign(Object.fromEntries(names.map((name) => [name, ask(name)])) as unknown as Commands, {
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  });
}
