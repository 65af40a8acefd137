/** The program `fondue`: one file a command beside this one. Exit codes: 0 done, 1 not done, 2 wrong usage. */
import { Command, CommanderError } from 'commander';
import { ConfigurationError } from '../core/errors.ts';
import { exitCodes, guardOutputs, reportFailure } from './output.ts';
import { readPackageVersion } from './package-version.ts';

type Add = (program: Command) => unknown;

/** What adds each command, loaded when it is wanted: all of the program takes a second to load, a key's commands a fifth. */
const groups: readonly { readonly names: readonly string[]; readonly load: () => Promise<Add> }[] = [
  { names: ['up'], load: async () => (await import('./up.ts')).addUpCommand },
  { names: ['publish'], load: async () => (await import('./publish.ts')).addPublishCommand },
  { names: ['status'], load: async () => (await import('./status.ts')).addStatusCommand },
  { names: ['env', 'run'], load: async () => (await import('./env.ts')).addEnvCommands },
  { names: ['warm', 'pin', 'unpin'], load: async () => (await import('./wanted.ts')).addWantedCommands },
  { names: ['key'], load: async () => (await import('./key.ts')).addKeyCommands },
  { names: ['trust'], load: async () => (await import('./trust.ts')).addTrustCommands },
  { names: ['index'], load: async () => (await import('./index-commands.ts')).addIndexCommands },
  { names: ['export'], load: async () => (await import('./export.ts')).addExportCommand },
  { names: ['sim'], load: async () => (await import('./sim.ts')).addSimCommands },
  { names: ['gc', 'verify'], load: async () => (await import('./maintain.ts')).addMaintenanceCommands },
];

export async function main(args: readonly string[]): Promise<void> {
  guardOutputs();
  const program = new Command('fondue')
    .description(
      'a peer-to-peer mirror of PyPI: pip, uv, Poetry and PDM use it through a gateway on localhost',
    )
    .version(readPackageVersion())
    .enablePositionalOptions()
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help to see how)')
    .addHelpText('after', '\nExample:\n  fondue up');
  const wanted = groups.filter(({ names }) => names.includes(args[0] ?? ''));
  const adding = await Promise.all((wanted.length > 0 ? wanted : groups).map(({ load }) => load()));
  for (const add of adding) add(program);
  for (const command of program.commands) command.exitOverride();
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version were asked for: 0; no command at all prints the help: wrong usage.
      process.exitCode = error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
      if (process.exitCode !== 0 && args.includes('--json')) reportFailure(usageError(error), true);
    } else {
      process.exitCode = reportFailure(error, args.includes('--json'));
    }
  }
}

function usageError(error: CommanderError): ConfigurationError {
  const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
  return new ConfigurationError('usage', message, 'add --help to see how', { cause: error });
}
