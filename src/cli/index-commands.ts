/**
 * `fondue index status|show|prove` ask the running node about the signed index; `fondue index verify` checks a proof file
 * with nothing but a policy: no node, no network.
 */
import { readFile, stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { ConfigurationError, InvalidContentError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import {
  checkNameProof,
  decodeNameProof,
  type JudgedVote,
  type ProofVerdict,
} from '../core/log/name-proof.ts';
import { policyOf } from '../core/log/policy.ts';
import { loadPolicyFile } from '../load-policy.ts';
import type { BeliefReport, IndexReport } from '../mirror/administration.ts';
import { createReplaceableFile } from '../store/replaceable-file.ts';
import { systemClock } from '../system-clock.ts';
import { askNode } from './ask-node.ts';
import { refuseBareGroup } from './bare-group.ts';
import { addConfigOptions, configFromOptions } from './config-options.ts';
import { ago, describeIndex } from './describe-index.ts';
import { addIndexRepairs } from './index-repairs.ts';
import { exitCodes, printJson, printLine, printNote } from './output.ts';

type Options = Readonly<Record<string, unknown>>;

export function addIndexCommands(program: Command): void {
  const index = program
    .command('index')
    .description('the signed index: what the running node knows, believes and can prove')
    .addHelpText('after', '\nExample:\n  fondue index status\n  fondue index prove flask --out flask.proof');
  refuseBareGroup(index);

  const status = index
    .command('status')
    .description('the publishers that are followed, how far and how fresh; exit code 1 until enough are')
    .addHelpText('after', '\nExample:\n  fondue index status --json');
  addConfigOptions(status, ['data-dir']).action(async (options: Options) => {
    const report = await askNode<IndexReport>(options, { action: 'index-status' });
    if (options['json'] === true) printJson(report);
    else printLine(describeIndex(report));
    process.exitCode = report.ready ? exitCodes.done : exitCodes.failed;
  });

  const show = index
    .command('show')
    .description('what is believed of a project; exit code 1 when that is unknown')
    .argument('<name>')
    .addHelpText('after', '\nExample:\n  fondue index show flask');
  addConfigOptions(show, ['data-dir']).action(async (project: string, options: Options) => {
    const report = await askNode<BeliefReport>(options, { action: 'index-show', body: { project } });
    if (options['json'] === true) printJson(report);
    else printLine(describeBelief(report));
    process.exitCode = report.belief === 'unknown' ? exitCodes.failed : exitCodes.done;
  });

  const prove = index
    .command('prove')
    .description("writes a file that proves what publishers' signed maps say of a project")
    .argument('<name>')
    .option('--out <FILE>', 'where to (default: standard output)')
    .addHelpText('after', '\nExample:\n  fondue index prove flask --out flask.proof');
  addConfigOptions(prove, ['data-dir']).action(async (project: string, options: Options) => {
    const text = await askNode<string>(options, { action: 'index-prove', body: { project }, own: ['out'] });
    const { out } = options as { out?: string };
    if (out === undefined) {
      process.stdout.write(text);
      return;
    }
    await writeProof(out, text);
    if (options['json'] === true) printJson({ file: out, bytes: Buffer.byteLength(text) });
    else printNote(`${out}: check it anywhere with: fondue index verify ${out} --policy FILE`);
  });

  addIndexRepairs(index);

  const verify = index
    .command('verify')
    .description(
      'checks a proof file, offline, with nothing but a policy; exit code 1 when it proves nothing',
    )
    .argument('<file>', 'as `fondue index prove` wrote it')
    .addHelpText('after', '\nExample:\n  fondue index verify flask.proof --policy policy');
  addConfigOptions(verify, ['policy', 'data-dir']).action(async (path: string, options: Options) => {
    const policy = policyOf(await loadPolicyFile(configFromOptions(options).policy));
    const now = systemClock.now();
    const verdict = checkNameProof(decodeNameProof(await readProof(path)), policy, now);
    if (options['json'] === true) printJson(toJson(verdict, now));
    else printLine(describeVerdict(verdict, now));
    process.exitCode = verdict.belief === undefined ? exitCodes.failed : exitCodes.done;
  });
}

async function writeProof(path: string, text: string): Promise<void> {
  try {
    await createReplaceableFile(path).replace(
      (async function* () {
        yield Buffer.from(text);
      })(),
    );
  } catch (cause) {
    const message = `the proof cannot be written to ${path}: ${(cause as Error).message}`;
    throw new ConfigurationError('environment', message, 'choose another file with --out', { cause });
  }
}

async function readProof(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size > limits.log.nameProofBytes) throw new InvalidContentError(`it has ${size} bytes`);
    return await readFile(path);
  } catch (cause) {
    const message = `the proof ${path} cannot be read: ${(cause as Error).message}`;
    throw new ConfigurationError('usage', message, 'name a file that `fondue index prove` wrote', { cause });
  }
}

function describeBelief(report: BeliefReport): string {
  const { project, belief, reason, serial, digest, length, since, ageSeconds, retraction } = report;
  const taken =
    retraction === null
      ? ''
      : `\n${retraction.publisher} took it back, no files are offered: ${retraction.reason}\nIf you do not agree: fondue trust override ${project} --reason TEXT`;
  if (belief === 'unknown') return `${project}: unknown: ${reason ?? ''}${taken}`;
  const age = `as of ${since ?? ''}, ${ago((ageSeconds ?? 0) * 1000)}`;
  if (belief === 'absent') return `${project}: there is no such project, ${age}${taken}`;
  return `${project}: serial ${serial}, page ${digest} (${length} bytes), ${age}${taken}`;
}

function describeVerdict({ project, k, votes, belief }: ProofVerdict, now: number): string {
  const lines = votes.map((vote) => `  ${describeVote(vote, now)}`);
  const counted = votes.filter(({ kind }) => kind === 'vote').length;
  if (belief === undefined)
    return [`${project}: NOT PROVED: ${counted} votes, ${k} must agree`, ...lines].join('\n');
  const { choice, at, upstream } = belief;
  const what =
    choice === 'absent'
      ? 'there is no such project'
      : `serial ${choice.serial}, page ${choice.digest} (${choice.length} bytes)`;
  return [`${project}: ${what}`, `at ${upstream}, as of ${new Date(at).toISOString()}, ${ago(now - at)}`]
    .concat(lines)
    .join('\n');
}

function describeVote(vote: JudgedVote, now: number): string {
  if (vote.kind === 'none') return `${vote.publisher ?? 'unknown signer'}: no vote: ${vote.reason}`;
  const { publisher, candidate, seq, observedAt } = vote;
  const what =
    candidate === 'absent' ? 'absent' : `serial ${candidate.serial}, ${candidate.digest.slice(0, 12)}`;
  return `${publisher}: ${what}, record ${seq}, seen ${ago(now - observedAt)}`;
}

function toJson({ project, k, votes, belief }: ProofVerdict, now: number): object {
  const shown =
    belief === undefined
      ? null
      : {
          ...(belief.choice === 'absent' ? { belief: 'absent' } : { belief: 'page', ...belief.choice }),
          upstream: belief.upstream,
          since: new Date(belief.at).toISOString(),
          ageSeconds: Math.max(0, Math.ceil((now - belief.at) / 1000)),
        };
  return { project, proved: belief !== undefined, threshold: k, ...shown, votes };
}
