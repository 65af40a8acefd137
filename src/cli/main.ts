/** The program `fondue`: one file a command beside this one. Exit codes: 0 done, 1 not done, 2 wrong usage. */
import { Command, CommanderError } from 'commander';
import { ConfigurationError } from '../core/errors.ts';
import { readPackageVersion } from './package-version.ts';
import { addEnvCommands } from './env.ts';
import { addMaintenanceCommands } from './maintain.ts';
import { exitCodes, reportFailure } from './output.ts';
import { addStatusCommand } from './status.ts';
import { addUpCommand } from './up.ts';
import { addWantedCommands } from './wanted.ts';

export async function main(args: readonly string[]): Promise<void> {
  const program = new Command('fondue')
    .description(
      'a peer-to-peer mirror of PyPI: pip, uv, Poetry and PDM use it through a gateway on localhost',
    )
    .version(readPackageVersion())
    .enablePositionalOptions()
    .exitOverride()
    .showSuggestionAfterError()
    .addHelpText('after', '\nExample:\n  fondue up');
  addUpCommand(program);
  addStatusCommand(program);
  addEnvCommands(program);
  addWantedCommands(program);

  addMaintenanceCommands(program);
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
  return new ConfigurationError('usage', error.message, 'see "fondue --help"', { cause: error });
}
