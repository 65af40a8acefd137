/** Runs an owner's action on the node: over the admin socket where one runs, else by opening its folder ourselves. */
import type { Config } from '../config.ts';
import type { Administration, Outcome, Progress } from '../mirror/administration.ts';
import { readNodeFile } from '../node-file.ts';
import { createNode } from '../node.ts';
import { formatBytes } from '../core/units.ts';
import { callAdmin } from './admin-client.ts';
import { counted, exitCodes, printJson, printLine, printNote } from './output.ts';
import { readPackageVersion } from './package-version.ts';
import { createProgressBar } from './progress-bar.ts';

/** One action in both forms: its name and body for the socket, or a call on an opened node. */
export interface OwnerAction<T extends Outcome> {
  readonly name: string;
  readonly body: unknown;
  /** Needs the network (to fetch). */
  readonly network: boolean;
  call(administration: Administration, onProgress: (progress: Progress) => void): Promise<T>;
}

export async function administer<T extends Outcome>(config: Config, action: OwnerAction<T>): Promise<T> {
  using bar = createProgressBar(process.stderr);
  const onProgress = (progress: Progress): void => bar.show(progress);
  const running = await readNodeFile(config.dataDir);
  if (running !== undefined) return await callAdmin<T>(running, action.name, action.body, onProgress);
  await using node = await createNode(config, {
    version: readPackageVersion(),
    serve: false,
    ...(action.network ? {} : { alone: true }),
  });
  return await action.call(node.administration, onProgress);
}

/** Prints what was done; the exit code is 1 when anything was not. */
export function reportOutcome(outcome: Outcome, json: boolean, verb: string): void {
  if (json) printJson(outcome);
  else {
    for (const failure of outcome.failures) printNote(`not done: ${failure}`);
    printLine(`${verb} ${counted(outcome.files, 'file')}, ${formatBytes(outcome.bytes)}`);
  }
  process.exitCode = outcome.failures.length === 0 ? exitCodes.done : exitCodes.failed;
}
