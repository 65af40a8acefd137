/**
 * The policy that a node lives by. Must always hold: quorum mode never starts without one that names publishers, and a
 * file that cannot be read is never taken for an empty one.
 */
import { readFile } from 'node:fs/promises';
import type { Config } from './config.ts';
import { ConfigurationError } from './core/errors.ts';
import { parsePolicy, type PolicyFile } from './core/log/policy-file.ts';
import { policyOf, type Policy } from './core/log/policy.ts';

const NOBODY: Policy = { k: 1, publishers: [] };

/**
 * Undefined in direct mode, and in offline mode where nobody is trusted.
 * @throws ConfigurationError that names the file, its line, and what to do
 */
export async function loadPolicy(
  config: Pick<Config, 'mode' | 'policy' | 'policyGiven'>,
): Promise<Policy | undefined> {
  if (config.mode === 'direct') return undefined;
  const file = await readPolicyFile(config.policy);
  if (file === undefined) {
    if (config.mode === 'offline' && !config.policyGiven) return undefined;
    return refuse(`there is no policy ${config.policy}`, config.policy);
  }
  const policy = policyOf(file);
  if (policy.publishers.length > 0) return policy;
  return config.mode === 'offline'
    ? undefined
    : refuse(`the policy ${config.policy} trusts no publisher`, config.policy);
}

/** @throws ConfigurationError when there is none */
export async function loadPolicyFile(path: string): Promise<PolicyFile> {
  return (await readPolicyFile(path)) ?? refuse(`there is no policy ${path}`, path);
}

/** Whom a publisher listens to for hints, whatever its mode. @throws ConfigurationError */
export async function loadKnownPublishers(config: Pick<Config, 'policy'>): Promise<Policy> {
  const file = await readPolicyFile(config.policy);
  return file === undefined ? NOBODY : policyOf(file);
}

/**
 * As a running node reads it again: one that trusts nobody is a policy too, and then nobody is believed.
 * @throws ConfigurationError
 */
export async function rereadPolicy(config: Pick<Config, 'mode' | 'policy'>): Promise<Policy> {
  const file = await readPolicyFile(config.policy);
  if (file !== undefined) return policyOf(file);
  // A publisher that takes hints from nobody needs none.
  return config.mode === 'direct'
    ? NOBODY
    : refuse(`there is no policy ${config.policy} any more`, config.policy);
}

/** Undefined when there is none. @throws ConfigurationError */
export async function readPolicyFile(path: string, parse = parsePolicy): Promise<PolicyFile | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new ConfigurationError(
      'environment',
      `the policy ${path} cannot be read: ${(cause as Error).message}`,
      'give this user the right to read it, or name another with --policy',
      { cause },
    );
  }
  return parse(bytes, path);
}

function refuse(what: string, path: string): never {
  throw new ConfigurationError(
    'usage',
    `${what}: who is to be believed?`,
    `add two or three publishers with: fondue trust add VKEY --policy ${path}, then: fondue trust threshold 2 --policy ${path}`,
  );
}
