/** `fondue warm`, `fondue pin`, `fondue unpin`: files named by lock files, requirements or digests. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { isDigest } from '../core/digest.ts';
import { ConfigurationError } from '../core/errors.ts';
import { readLockFile, readRequirement } from '../core/lock-files.ts';
import type { WantedFile } from '../core/wanted-file.ts';
import type { ActionOptions, Administration, Outcome } from '../mirror/administration.ts';
import { administer, reportOutcome } from './administer.ts';
import { addConfigOptions, configFromOptions } from './config-options.ts';
import { printNote } from './output.ts';

interface WantedCommand {
  readonly name: 'warm' | 'pin' | 'unpin';
  readonly description: string;
  readonly verb: string;
  readonly network: boolean;
}

const commands: readonly WantedCommand[] = [
  { name: 'warm', description: 'fetches files ahead', verb: 'fetched', network: true },
  {
    name: 'pin',
    description: 'keeps files whatever the quota says, and fetches what is missing',
    verb: 'pinned',
    network: true,
  },
  { name: 'unpin', description: 'lets files go again when space is needed', verb: 'unpinned', network: true },
];

export function addWantedCommands(program: Command): void {
  for (const { name, description, verb, network } of commands) {
    const command = program
      .command(name)
      .description(description)
      .argument('<what...>', 'requirements.txt, uv.lock, pylock.toml, foo==1.0, foo, or a SHA-256')
      .addHelpText('after', `\nExample:\n  fondue ${name} requirements.txt flask==3.1.3`);
    addConfigOptions(command).action(async (what: string[], options: Record<string, unknown>) => {
      const config = configFromOptions(options);
      const wanted = (await Promise.all(what.map(readWanted))).flat();
      const outcome = await administer<Outcome>(config, {
        name,
        body: wanted,
        network,
        call: (administration: Administration, onProgress: NonNullable<ActionOptions['onProgress']>) =>
          administration[name](wanted, { onProgress }),
      });
      reportOutcome(outcome, options['json'] === true, verb);
    });
  }
}

/** One argument: a digest, a file that exists under a lock file's name, or a requirement. */
async function readWanted(what: string): Promise<readonly WantedFile[]> {
  const lower = what.toLowerCase();
  if (isDigest(lower)) return [{ kind: 'blob', digest: lower }];
  if (/\.(txt|in|lock|toml)$/i.test(what)) {
    let text: string;
    try {
      text = await readFile(what, 'utf8');
    } catch (error) {
      throw new ConfigurationError(
        'usage',
        `${what} cannot be read: ${(error as Error).message}`,
        'check the path',
        {
          cause: error,
        },
      );
    }
    const { wanted, notes } = readLockFile(basename(what), text);
    for (const note of notes) printNote(`${what}: ${note}`);
    return wanted;
  }
  return [readRequirement(what)];
}
