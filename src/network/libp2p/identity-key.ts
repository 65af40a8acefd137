/**
 * The node's identity: an Ed25519 key in `identity.key`, 0600, as libp2p's private key protobuf. Made once and written
 * whole (temporary file, fsync, rename): losing it silently would make a stranger of a known peer.
 */
import { open, readFile, rename } from 'node:fs/promises';
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import { ConfigurationError } from '../../core/errors.ts';

export async function loadIdentity(path: string): Promise<PrivateKey> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return createIdentity(path);
    throw new ConfigurationError(
      'environment',
      `the node's key ${path} cannot be read: ${(error as Error).message}`,
      'give this user the right to read it',
      { cause: error },
    );
  }
  try {
    const key = privateKeyFromProtobuf(bytes);
    if (key.type !== 'Ed25519') throw new Error(`it holds a key of type ${key.type}`);
    return key;
  } catch (error) {
    throw new ConfigurationError(
      'environment',
      `the node's key ${path} is damaged: ${(error as Error).message}`,
      'restore it from a copy, or delete it and be known to peers as a new node',
      { cause: error },
    );
  }
}

async function createIdentity(path: string): Promise<PrivateKey> {
  const key = await generateKeyPair('Ed25519');
  const temporary = `${path}.new`;
  try {
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.chmod(0o600);
      await file.writeFile(privateKeyToProtobuf(key));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    throw new ConfigurationError(
      'environment',
      `the node's key ${path} cannot be written: ${(error as Error).message}`,
      'choose a data folder that this user may write',
      { cause: error },
    );
  }
  return key;
}
