/** `env.json`: which program made a folder, so that somebody else can make it again. Nothing of the machine or its user. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface Environment {
  readonly version: string;
  /** undefined: not from a checkout. */
  readonly commit: string | undefined;
  /** Something in the checkout was changed since. */
  readonly modified: boolean | undefined;
  readonly node: string;
  /** SHA-256 of package-lock.json. */
  readonly lockFile: string | undefined;
}

const run = promisify(execFile);

/** `root`: the folder of our package.json. */
export async function readEnvironment(root: string): Promise<Environment> {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const git = async (...args: string[]): Promise<string | undefined> => {
    try {
      return (await run('git', ['-C', root, ...args], { timeout: 10_000 })).stdout.trim();
    } catch {
      return undefined;
    }
  };
  // An installed package may lie in a checkout of something else.
  const own = (await git('ls-files', '--error-unmatch', 'package.json')) !== undefined;
  const commit = own ? await git('rev-parse', 'HEAD') : undefined;
  const changes = own ? await git('status', '--porcelain') : undefined;
  const lock = await readFile(join(root, 'package-lock.json')).catch(() => undefined);
  return {
    version,
    commit,
    modified: changes === undefined ? undefined : changes !== '',
    node: process.versions.node,
    lockFile: lock && createHash('sha256').update(lock).digest('hex'),
  };
}
