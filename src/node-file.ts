/** `node.json` in the data folder: where a running node can be reached. Written at start (0600), removed at the end. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

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

/** Undefined when no node runs here (no file, or its process is gone). */
export async function readNodeFile(dataDir: string): Promise<NodeFile | undefined> {
  try {
    const content = JSON.parse(await readFile(join(dataDir, 'node.json'), 'utf8')) as NodeFile;
    process.kill(content.pid, 0);
    return content;
  } catch {
    return undefined;
  }
}
