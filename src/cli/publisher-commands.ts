/** `fondue publish retract|unretract|retractions|accept-loss`: what an operator tells the publisher that runs. */
import type { Command } from 'commander';
import { limits } from '../core/limits.ts';
import { formatDuration } from '../core/units.ts';
import type { AcceptedLoss, RetractionReport } from '../mirror/administration.ts';
import { systemClock } from '../system-clock.ts';
import { askNode } from './ask-node.ts';
import { addConfigOptions } from './config-options.ts';
import { exitCodes, printJson, printLine, printNote } from './output.ts';
import { readSubject } from './read-subject.ts';

type Options = Readonly<Record<string, unknown>>;

export function addPublisherCommands(publish: Command): void {
  const retract = publish
    .command('retract')
    .description('takes a project or a file back: followers stop offering it at once, for a day')
    .argument('<subject>', 'a project, or a file as sha256:DIGEST')
    .requiredOption('--reason <TEXT>', 'why: one line, signed and shown to everybody')
    .addHelpText(
      'after',
      '\nExample:\n  fondue publish retract evil-package --reason "steals tokens, see PYSEC-2026-1"',
    );
  onRunning(retract).action(async (text: string, options: Options) => {
    const subject = readSubject(text);
    const { reason } = options as { reason: string };
    const report = await tell<RetractionReport>(options, 'publisher-retract', { subject, reason }, [
      'reason',
    ]);
    if (options['json'] === true) printJson(report);
    else if (report.seq !== null) {
      printLine(
        `${subject} is taken back in record ${report.seq} (${report.retractions.length} of ${report.limit})`,
      );
      printNote(
        `Followers heed it for ${formatDuration(limits.belief.retractionLife)}, and not again for a week after, unless a second publisher agrees.`,
      );
    }
    settle(report);
  });

  const unretract = publish
    .command('unretract')
    .description('offers again what was taken back')
    .argument('<subject>', 'as it was taken back')
    .addHelpText('after', '\nExample:\n  fondue publish unretract evil-package');
  onRunning(unretract).action(async (text: string, options: Options) => {
    const subject = readSubject(text);
    const report = await tell<RetractionReport>(options, 'publisher-unretract', { subject });
    if (options['json'] === true) printJson(report);
    else if (report.seq !== null) printLine(`${subject} is offered again from record ${report.seq} on`);
    settle(report);
  });

  const retractions = publish
    .command('retractions')
    .description('what this publisher takes back')
    .addHelpText('after', '\nExample:\n  fondue publish retractions --json');
  onRunning(retractions).action(async (options: Options) => {
    const report = await tell<RetractionReport>(options, 'publisher-retractions', undefined);
    if (options['json'] === true) return printJson(report);
    printLine(`${report.retractions.length} of ${report.limit} retractions`);
    for (const { subject, reason, since } of report.retractions) {
      const ended = systemClock.now() - since >= limits.belief.retractionLife;
      printLine(
        `  ${subject}  ${new Date(since).toISOString()}${ended ? ' (its day is over)' : ''}  ${reason}`,
      );
    }
  });

  const acceptLoss = publish
    .command('accept-loss')
    .description('believes, once, a list of projects that was refused because it lost too many')
    .addHelpText(
      'after',
      '\nOnly after you have looked at the list: names that it lacks are still signed as gone only when their own\npages answer 404.\n\nExample:\n  fondue publish accept-loss',
    );
  onRunning(acceptLoss).action(async (options: Options) => {
    const loss = await tell<AcceptedLoss>(options, 'publisher-accept-loss', undefined);
    if (options['json'] === true) printJson(loss);
    else
      printLine(
        `a list that lost ${loss.lost} of ${loss.before} names is believed, once: it is read again now`,
      );
  });
}

function onRunning(command: Command): Command {
  return addConfigOptions(command, ['data-dir']);
}

function tell<T>(options: Options, action: string, body: unknown, own: string[] = []): Promise<T> {
  return askNode<T>(options, { action, body, own, what: 'publisher' });
}

/** Kept, and not signed: the upstream was never read, or the disk is full. */
function settle({ seq }: RetractionReport): void {
  if (seq !== null) return;
  printNote('not signed yet: it stands in the next record; the log of the publisher says what keeps it');
  process.exitCode = exitCodes.failed;
}
