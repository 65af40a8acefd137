/** Calls the admin socket of a running node. */
import { request, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { UnavailableError } from '../core/errors.ts';
import type { Progress } from '../mirror/administration.ts';
import type { NodeFile } from '../node-file.ts';

type Line = { progress: Progress } | { result: unknown } | { error: { code: string; message: string } };

/** The head of its answer comes before the action begins: a node that is stopped (SIGSTOP, a debugger) or stuck sends none. */
const ANSWER_TIME = 10_000;

/** The action's result; throws UnavailableError with the node's own words when it failed. */
export async function callAdmin<T>(
  node: NodeFile,
  action: string,
  body: unknown,
  onProgress: (progress: Progress) => void = () => undefined,
): Promise<T> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const call = request({ socketPath: node.adminSocket, path: `/${action}`, method: 'POST' }, resolve);
    const silent = (): void =>
      void call.destroy(new Error(`nothing came for ${ANSWER_TIME / 1000} s; it may be stopped or stuck`));
    const timer = setTimeout(silent, ANSWER_TIME);
    call.on('close', () => clearTimeout(timer)).on('response', () => clearTimeout(timer));
    call.on('error', (error) =>
      reject(
        new UnavailableError(`the running node (pid ${node.pid}) does not answer: ${error.message}`, [], 1, {
          cause: error,
        }),
      ),
    );
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
  for await (const text of createInterface({ input: response })) {
    const line = JSON.parse(text) as Line;
    if ('progress' in line) onProgress(line.progress);
    else if ('result' in line) return line.result as T;
    else throw new UnavailableError(line.error.message);
  }
  throw new UnavailableError(`the running node (pid ${node.pid}) went away in the middle`);
}
