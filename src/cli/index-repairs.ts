/** `fondue index misconduct|reset-clock`: a proof as a file for others, and a person's word that the clock was wrong. */
import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { isDigest } from '../core/digest.ts';
import { ConfigurationError } from '../core/errors.ts';
import type { ClockReport } from '../mirror/administration.ts';
import { askNode } from './ask-node.ts';
import { addConfigOptions } from './config-options.ts';
import { printJson, printLine, printNote } from './output.ts';

type Options = Readonly<Record<string, unknown>>;

export function addIndexRepairs(index: Command): void {
  const misconduct = index
    .command('misconduct')
    .description('writes a proof that a publisher signed what contradicts itself: anybody can check it')
    .argument('<digest>', 'as `fondue index status` shows it')
    .requiredOption('--out <FILE>', 'where to; never overwritten')
    .addHelpText('after', '\nExample:\n  fondue index misconduct 5f1d... --out example.org.misconduct');
  addConfigOptions(misconduct, ['data-dir']).action(async (text: string, options: Options) => {
    const digest = text.replace(/^sha256:/, '');
    if (!isDigest(digest))
      throw new ConfigurationError(
        'usage',
        `"${text}" is no digest of a proof`,
        'copy the one that `fondue index status` shows',
      );
    const { out } = options as { out: string };
    const proof = Buffer.from(
      await askNode<string>(options, { action: 'index-misconduct', body: { digest }, own: ['out'] }),
      'base64',
    );
    try {
      await writeFile(out, proof, { flag: 'wx' });
    } catch (cause) {
      throw new ConfigurationError(
        'environment',
        `the proof cannot be written to ${out}: ${(cause as Error).message}`,
        'choose another file with --out',
        { cause },
      );
    }
    if (options['json'] === true) printJson({ file: out, bytes: proof.length, digest });
    else
      printNote(
        `${out}: two signatures of one key that contradict each other (docs/protocol.md has its form)`,
      );
  });

  const reset = index
    .command('reset-clock')
    .description('ages are counted by the clock as it is now, not by the latest time that it showed')
    .addHelpText(
      'after',
      '\nOnly after a clock that was ahead has been set right.\n\nExample:\n  fondue index reset-clock',
    );
  addConfigOptions(reset, ['data-dir']).action(async (options: Options) => {
    const { from, to } = await askNode<ClockReport>(options, { action: 'index-reset-clock' });
    if (options['json'] === true) printJson({ from, to });
    else printLine(`ages are counted from ${to}; until now it was ${from}`);
  });
}
