/** What the commands of `fondue trust` share: the policy file is read, changed as a whole, replaced, and told with what is risky about it. */
import { chmod, mkdir, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { ConfigurationError, InvalidLogError } from '../core/errors.ts';
import { parsePolicyToEdit } from '../core/log/edit-policy.ts';
import { EMPTY_POLICY, formatPolicy, parsePolicy, type PolicyFile } from '../core/log/policy-file.ts';
import { policyOf, policyWarnings } from '../core/log/policy.ts';
import { readPolicyFile } from '../load-policy.ts';
import type { PolicyReport } from '../mirror/administration.ts';
import { readNodeFile } from '../node-file.ts';
import { createReplaceableFile } from '../store/replaceable-file.ts';
import { callAdmin } from './admin-client.ts';
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
  const { policy: path, dataDir } = configFromOptions(options, own);
  const before = (await readPolicyFile(path, parsePolicyToEdit)) ?? parsePolicy(EMPTY_POLICY, path);
  const after = changed(before, change);
  await write(path, formatPolicy(after));
  reportPolicy(after, options, false);
  await tellNode(dataDir, path);
}

/** The node that runs on the data folder reads the file at once; by itself it would a little later. */
async function tellNode(dataDir: string, path: string): Promise<void> {
  const node = await readNodeFile(dataDir);
  if (node === undefined) return;
  const running = `the node that runs (pid ${node.pid})`;
  try {
    const { source, problem } = await callAdmin<PolicyReport>(node, 'policy-read', undefined);
    if (!(await isSame(source, path)))
      printNote(`${running} lives by another policy, ${source}: this changes nothing for it`);
    else if (problem === null) printNote(`${running} lives by it now`);
    else printNote(`warning: ${running} keeps the policy that it had: ${problem}`);
  } catch (error) {
    printNote(`${running} did not take it: ${(error as Error).message}`);
  }
}

async function isSame(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([a, b].map((path) => realpath(path).catch(() => path)));
  return one === other;
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
