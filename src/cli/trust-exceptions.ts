/**
 * `fondue trust override|pardon`: a person's word against a publisher's retraction, and for one that a proof of misconduct
 * excludes. Lines of the policy file, so that they are reviewed like the rest of it.
 */
import type { Command } from 'commander';
import { type Digest, isDigest } from '../core/digest.ts';
import { ConfigurationError } from '../core/errors.ts';
import { editException } from '../core/log/edit-policy.ts';
import { policyOf } from '../core/log/policy.ts';
import { loadPolicyFile } from '../load-policy.ts';
import type { IndexReport } from '../mirror/administration.ts';
import { readNodeFile } from '../node-file.ts';
import { callAdmin } from './admin-client.ts';
import { configFromOptions } from './config-options.ts';
import { editPolicy, type PolicyOptions, withPolicy } from './policy-edit.ts';
import { readSubject } from './read-subject.ts';

const OWN = ['reason', 'undo'];
const reasonHelp = 'why, for who reviews the policy';

export function addTrustExceptions(trust: Command): void {
  const override = trust
    .command('override')
    .description('serves what a publisher took back, whoever takes it back')
    .argument('<subject>', 'a project, or a file as sha256:DIGEST')
    .option('--reason <TEXT>', reasonHelp)
    .option('--undo', 'heeds retractions of it again')
    .addHelpText(
      'after',
      '\nExample:\n  fondue trust override numpy --reason "read the report: a false alarm"',
    );
  withPolicy(override).action(async (text: string, options: PolicyOptions) => {
    const subject = readSubject(text);
    const { reason, undo } = wordsOf(options);
    await editPolicy(options, OWN, (file) =>
      editException(file, { kind: 'override', subject, reason }, undo),
    );
  });

  const pardon = trust
    .command('pardon')
    .description('lets a publisher count again in spite of a proof of misconduct')
    .argument('<name>', 'what the policy calls it, or the digest of the proof (fondue index status)')
    .option('--reason <TEXT>', reasonHelp)
    .option('--undo', 'takes the pardon back')
    .addHelpText(
      'after',
      '\nExample:\n  fondue trust pardon example.org/fondue --reason "a restored backup; spoke to A."',
    );
  withPolicy(pardon).action(async (name: string, options: PolicyOptions) => {
    const { reason, undo } = wordsOf(options);
    const digest = name.replace(/^sha256:/, '');
    const proofs = isDigest(digest) ? [digest] : await provenAgainst(name, options, undo);
    await editPolicy(options, OWN, (file) =>
      proofs.reduce((edited, proof) => editException(edited, { kind: 'pardon', proof, reason }, undo), file),
    );
  });
}

function wordsOf(options: PolicyOptions): { reason: string; undo: boolean } {
  const { reason, undo } = options as { reason?: string; undo?: boolean };
  return { reason: reason ?? '', undo: undo === true };
}

/** The pardon is for the very proofs that a node has; another one is another decision. */
async function provenAgainst(name: string, options: PolicyOptions, undo: boolean): Promise<Digest[]> {
  const { policy: path, dataDir } = configFromOptions(options, OWN);
  const { publishers } = policyOf(await loadPolicyFile(path));
  const publisher = publishers.find((one) => one.name === name || one.key.text === name);
  if (publisher === undefined)
    throw new ConfigurationError(
      'usage',
      `${path} trusts no publisher "${name}"`,
      publishers.length === 0 ? 'there is none' : `it trusts ${publishers.map((one) => one.name).join(', ')}`,
    );
  const byDigest = `or name the proof by its digest: fondue trust pardon sha256:DIGEST${undo ? ' --undo' : ''}`;
  if (undo)
    throw new ConfigurationError(
      'usage',
      `which pardon of ${name} is taken back?`,
      `name the proof: fondue trust list shows its digest`,
    );
  const node = await readNodeFile(dataDir);
  if (node === undefined)
    throw new ConfigurationError(
      'environment',
      `no node runs on ${dataDir}: what is proven against ${name} is not known`,
      `start it with "fondue up --mode quorum", ${byDigest}`,
    );
  const { misconduct } = await callAdmin<IndexReport>(node, 'index-status', undefined);
  const proofs = misconduct.filter(({ origin }) => origin === publisher.key.name).map(({ digest }) => digest);
  if (proofs.length === 0)
    throw new ConfigurationError(
      'environment',
      `the node on ${dataDir} has no proof of misconduct of ${name}: there is nothing to pardon`,
      `fondue index status says what it has; ${byDigest}`,
    );
  return proofs;
}
