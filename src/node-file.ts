/** `node.json` in the data folder: where a running node can be reached. Written at start (0600), removed at the end. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ConfigurationError } from './core/errors.ts';

export interface NodeFile {
  readonly pid: number;
  readonly gateway: string;
  readonly adminSocket: string;
}

export async function writeNodeFile(dataDir: string, content: NodeFile): Promise<void> {
  const path = join(dataDir, 'node.json');
  await writeFile(`${path}.new`, `${JSON.stringify(content)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

export async function removeNodeFile(dataDir: string): Promise<void> {
  await rm(join(dataDir, 'node.json'), { force: true });
}

/**
 * Undefined when no node runs here: no file, its process gone, or nobody at its socket (after `kill -9` the number may be
 * another process's).
 * @throws ConfigurationError when the folder is another user's: then nobody can say
 */
export async function readNodeFile(dataDir: string): Promise<NodeFile | undefined> {
  let content: NodeFile;
  try {
    content = JSON.parse(await readFile(join(dataDir, 'node.json'), 'utf8')) as NodeFile;
    process.kill(content.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') return undefined;
    throw new ConfigurationError(
      'environment',
      `the data folder ${dataDir} is another user's: what runs on it cannot be read`,
      'run this as the user that the node runs as, or as root',
      { cause: error },
    );
  }
  return (await listens(content.adminSocket)) ? content : undefined;
}

/** A process that is stopped or busy still listens; one that is gone does not. */
function listens(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}
