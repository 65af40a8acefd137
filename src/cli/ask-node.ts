/** A question to the node that runs on the data folder of the flags. */
import { ConfigurationError } from '../core/errors.ts';
import { readNodeFile } from '../node-file.ts';
import { callAdmin } from './admin-client.ts';
import { configFromOptions } from './config-options.ts';

export interface NodeQuestion {
  readonly action: string;
  readonly body?: unknown;
  /** Flags of the command that are no settings. */
  readonly own?: readonly string[];
  /** What runs, and how it is started, for when it does not. */
  readonly what?: 'node' | 'publisher';
}

const starts = {
  node: 'start one with "fondue up --mode quorum"',
  publisher: 'start it with "fondue publish --key FILE", or name its folder with --data-dir',
} as const;

/** @throws ConfigurationError when nothing runs there, UnavailableError with the node's own words */
export async function askNode<T>(
  options: Readonly<Record<string, unknown>>,
  { action, body, own = [], what = 'node' }: NodeQuestion,
): Promise<T> {
  const { dataDir } = configFromOptions(options, own);
  const node = await readNodeFile(dataDir);
  if (node === undefined)
    throw new ConfigurationError('environment', `no ${what} runs on ${dataDir}`, starts[what]);
  return callAdmin<T>(node, action, body);
}
