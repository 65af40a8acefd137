/**
 * The key with which a gateway signs pages for `/serversig` (PEP 381): Ed25519, made at the first start, 0600. Not the
 * node's identity: that one signs handshakes, and what pages say is others' to choose.
 */
import { rename, rm } from 'node:fs/promises';
import type { Randomness } from '../core/clock.ts';
import { ConfigurationError } from '../core/errors.ts';
import { generateKeyPair, type Signer } from '../core/log/signer-key.ts';
import { hasCode } from './file-system.ts';
import { readKeyFile, writeKeyFile } from './publisher-log/key-file.ts';

/** @throws ConfigurationError when it is damaged, readable by others, or cannot be written */
export async function loadGatewayKey(path: string, randomness: Randomness): Promise<Signer> {
  try {
    return await readKeyFile(path);
  } catch (error) {
    if (!(error instanceof ConfigurationError) || !hasCode(error.cause, 'ENOENT')) throw error;
  }
  const temporary = `${path}.new`;
  await rm(temporary, { force: true });
  await writeKeyFile(temporary, generateKeyPair('gateway', randomness).signerKey);
  await rename(temporary, path);
  return readKeyFile(path);
}
