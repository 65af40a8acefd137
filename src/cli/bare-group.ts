/** A group of commands called without one of them, or with an unknown one: wrong usage, and its help says what there is. */
import type { Command } from 'commander';

export function refuseBareGroup(group: Command): void {
  group.action(() => {
    const [unknown] = group.args;
    if (unknown === undefined) group.help({ error: true });
    group.error(
      `error: unknown command '${group.name()} ${unknown}': there is ${group.commands.map((one) => one.name()).join(', ')}`,
    );
  });
  group.allowExcessArguments();
}
