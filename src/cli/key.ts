/** `fondue key new|rotate|show`: a publisher's key. The secret stays in its file; only the verifier key is printed. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { ConfigurationError, InvalidLogError } from '../core/errors.ts';
import { generateKeyPair, type KeyPair } from '../core/log/signer-key.ts';
import { readKeyFile, writeKeyFile } from '../store/publisher-log/key-file.ts';
import { systemRandomness } from '../system-clock.ts';
import { printJson, printLine, printNote } from './output.ts';
import { refuseBareGroup } from './bare-group.ts';

export function addKeyCommands(program: Command): void {
  const key = program
    .command('key')
    .description("a publisher's key")
    .addHelpText(
      'after',
      '\nExample:\n  fondue key new --name example.org/fondue --out publisher.key\n  fondue key show publisher.key',
    );
  refuseBareGroup(key);

  key
    .command('new')
    .description('makes a key and prints its verifier key, which others put into their policies')
    .requiredOption(
      '--name <NAME>',
      'of the log: a host name and a path of yours, such as example.org/fondue',
    )
    .requiredOption('--out <FILE>', 'where the secret key is written, for you alone; never overwritten')
    .option('--json', 'one JSON object on standard output')
    .addHelpText('after', '\nExample:\n  fondue key new --name example.org/fondue --out publisher.key')
    .action(async ({ name, out, json }: { name: string; out: string; json?: boolean }) => {
      const { signerKey, verifierKey } = makeKeyPair(name);
      await writeKeyFile(out, signerKey);
      if (json === true) return printJson({ verifierKey, file: resolve(out) });
      printLine(verifierKey);
      printNote(
        `The secret key is in ${out}: give it to nobody. With an older copy of its log it must never sign again.`,
      );
      printNote('Others believe it with: fondue trust add VERIFIER-KEY');
    });

  key
    .command('rotate')
    .description('makes the key that takes over from another: of the same log')
    .argument('<file>', 'the key that signs now')
    .requiredOption('--out <FILE>', 'where the new secret key is written, for you alone; never overwritten')
    .option('--json', 'one JSON object on standard output')
    .addHelpText(
      'after',
      '\nExample:\n  fondue key rotate publisher.key --out next.key\n  fondue publish --key publisher.key --next-key next.key',
    )
    .action(async (file: string, { out, json }: { out: string; json?: boolean }) => {
      const before = (await readKeyFile(file)).key;
      const { signerKey, verifierKey } = makeKeyPair(before.name);
      await writeKeyFile(out, signerKey);
      if (json === true) return printJson({ verifierKey, file: resolve(out), replaces: before.text });
      printLine(verifierKey);
      printNote(`Start the publisher with both for a week: fondue publish --key ${file} --next-key ${out}`);
      printNote(`Followers carry over by themselves, and put it into their policies meanwhile:`);
      printNote(`  fondue trust replace ${before.name} ${verifierKey}`);
    });

  key
    .command('show')
    .description('prints the verifier key of a key file')
    .argument('<file>', 'as `fondue key new` wrote it')
    .option('--json', 'one JSON object on standard output')
    .addHelpText('after', '\nExample:\n  fondue key show publisher.key')
    .action(async (file: string, { json }: { json?: boolean }) => {
      const { key } = await readKeyFile(file);
      if (json === true) printJson({ verifierKey: key.text, name: key.name, file: resolve(file) });
      else printLine(key.text);
    });
}

function makeKeyPair(name: string): KeyPair {
  try {
    return generateKeyPair(name, systemRandomness);
  } catch (cause) {
    if (!(cause instanceof InvalidLogError)) throw cause;
    throw new ConfigurationError('usage', `--name: ${cause.message}`, 'choose another name', { cause });
  }
}
