/** The file that a publisher's secret key is in: one line, readable by its owner only, never overwritten. */
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ConfigurationError, InvalidLogError } from '../../core/errors.ts';
import { parseSignerKey, type Signer } from '../../core/log/signer-key.ts';
import { limits } from '../../core/limits.ts';
import { hasCode, realFileSystem, syncFolder } from '../file-system.ts';

/** @throws ConfigurationError when there is a file already, or it cannot be written */
export async function writeKeyFile(path: string, signerKey: string): Promise<void> {
  try {
    const handle = await open(path, 'wx', 0o600);
    try {
      // Whatever the umask took away or a file system gave.
      await handle.chmod(0o600);
      await handle.writeFile(`${signerKey}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await syncFolder(realFileSystem, dirname(path));
  } catch (cause) {
    if (hasCode(cause, 'EEXIST'))
      throw new ConfigurationError(
        'environment',
        `${path} exists: a key is never overwritten`,
        'choose another file with --out, or move that one away',
        { cause },
      );
    throw new ConfigurationError(
      'environment',
      `cannot write the key file ${path}: ${(cause as Error).message}`,
      'choose another place with --out',
      { cause },
    );
  }
}

/** @throws ConfigurationError when it is missing, no key, or others may read it */
export async function readKeyFile(path: string): Promise<Signer> {
  const text = await readSecret(path);
  try {
    return parseSignerKey(text.replace(/\n$/, ''));
  } catch (cause) {
    if (!(cause instanceof InvalidLogError)) throw cause;
    throw new ConfigurationError(
      'environment',
      `${path}: ${cause.message}`,
      'name the file that `fondue key new --out FILE` wrote',
      { cause },
    );
  }
}

async function readSecret(path: string): Promise<string> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (cause) {
    throw new ConfigurationError(
      'environment',
      `cannot read the key file ${path}: ${(cause as Error).message}`,
      'make one with: fondue key new --name NAME --out FILE',
      { cause },
    );
  }
  try {
    const status = await handle.stat();
    const { mode, size } = status;
    // Windows has no such bits.
    if (process.platform !== 'win32' && (mode & 0o077) !== 0)
      throw new ConfigurationError(
        'environment',
        `others may read the key file ${path} (its mode is ${(mode & 0o777).toString(8).padStart(4, '0')}): whoever has the key can sign in your name`,
        `chmod 600 ${path}; if others can have read it, make a new key`,
      );
    if (!status.isFile() || size > limits.log.keyFileBytes)
      throw new ConfigurationError('environment', `${path} is no key file`, 'name the key file');
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}
