/** What the commands of `fondue trust` share: the policy file is read, changed as a whole, replaced, and told with what is risky about it. */
import { chmod, mkdir, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { ConfigurationError, InvalidLogError } from '../core/errors.ts';
import { EMPTY_POLICY, formatPolicy, parsePolicy, type PolicyFile } from '../core/log/policy-file.ts';
import { policyOf, policyWarnings } from '../core/log/policy.ts';
import { readPolicyFile } from '../load-policy.ts';
import { createReplaceableFile } from '../store/replaceable-file.ts';
import { addConfigOptions, configFromOptions } from './config-options.ts';
import { printJson, printLine, printNote } from './output.ts';

export type PolicyOptions = Readonly<Record<string, unknown>>;

export function withPolicy(command: Command): Command {
  return addConfigOptions(command, ['policy', 'data-dir']);
}

/** `own`: flags of the command that are no settings. */
export async function editPolicy(
  options: PolicyOptions,
  own: readonly string[],
  change: (file: PolicyFile) => PolicyFile,
): Promise<void> {
  const { policy: path } = configFromOptions(options, own);
  const before = (await readPolicyFile(path)) ?? parsePolicy(EMPTY_POLICY, path);
  const after = changed(before, change);
  await write(path, formatPolicy(after));
  reportPolicy(after, options, false);
}

function changed(before: PolicyFile, change: (file: PolicyFile) => PolicyFile): PolicyFile {
  try {
    return change(before);
  } catch (cause) {
    if (!(cause instanceof InvalidLogError)) throw cause;
    throw new ConfigurationError('usage', cause.message, 'ask the publisher for the key, or copy it again', {
      cause,
    });
  }
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    // A policy kept in git may be a link into the checkout: the file is replaced, not the link.
    const target = await realpath(path).catch(() => path);
    // No secret: a node that runs as another user must be able to read it.
    const { mode } = await stat(target).catch(() => ({ mode: 0o644 }));
    await createReplaceableFile(target).replace(
      (async function* () {
        yield bytes;
      })(),
    );
    await chmod(target, mode & 0o777);
  } catch (cause) {
    throw new ConfigurationError(
      'environment',
      `the policy ${path} cannot be written: ${(cause as Error).message}`,
      'name another file with --policy',
      { cause },
    );
  }
}

export function reportPolicy(file: PolicyFile, options: PolicyOptions, list: boolean): void {
  const { k, publishers } = policyOf(file);
  const warnings = policyWarnings(k, publishers.length);
  if (options['json'] === true) {
    const shown = publishers.map(({ name, key, url }) => ({ name, verifierKey: key.text, url: url ?? null }));
    const { overrides = [], pardons = [] } = policyOf(file);
    return printJson({ policy: file.source, threshold: k, publishers: shown, overrides, pardons, warnings });
  }
  if (list || publishers.length > 0) printLine(`${k} of ${publishers.length} must agree (${file.source})`);
  for (const { name, key } of publishers)
    printLine(name === key.name ? `  ${key.text}` : `  ${name}  ${key.text}`);
  for (const one of file.exceptions)
    printLine(
      `  ${one.kind === 'override' ? `overrides the retraction of ${one.subject}` : `pardons the proof ${one.proof}`}` +
        (one.reason === '' ? '' : `: ${one.reason}`),
    );
  for (const warning of warnings) printNote(`warning: ${warning}`);
}
