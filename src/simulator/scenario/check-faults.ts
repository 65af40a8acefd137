/** That faults have their own names, happen within the run, and name hosts that the scenario has. */
import { checkGroup } from './check-group.ts';
import type { Complain } from './complain.ts';
import { duration } from './quantities.ts';
import type { Fault, Scenario } from './scenario.ts';

export function checkFaults(scenario: Scenario, complain: Complain): void {
  const { faults } = scenario;
  for (const [index, fault] of faults.entries()) {
    const first = faults.findIndex(({ id }) => id === fault.id);
    if (first !== index)
      complain(
        `/faults/${index}/id`,
        `faults ${first} and ${index} are both "${fault.id}"`,
        'give each its own id',
      );
    if (fault.at >= scenario.duration) {
      complain(
        `/faults/${index}/at`,
        `"${fault.id}" begins at ${duration.format(fault.at)}, when the run of ${duration.format(scenario.duration)} is over`,
        'begin earlier, or give a longer duration',
      );
    }
    for (const [pointer, group, rest] of groupsWithPlaces(fault, index))
      checkGroup(pointer, group, scenario, complain, { rest });
  }
}

/** With the pointer of each, and whether it may hold `rest`. */
function groupsWithPlaces(fault: Fault, index: number): [string, readonly string[], boolean][] {
  const at = `/faults/${index}`;
  switch (fault.kind) {
    case 'partition':
      return [
        ...fault.groups.map((group, place): [string, readonly string[], boolean] => [
          `${at}/partition/${place}`,
          group,
          true,
        ]),
        ...(fault.bridge === undefined
          ? []
          : [[`${at}/bridge`, fault.bridge, false] as [string, readonly string[], boolean]]),
      ];
    case 'one-way':
      return [
        [`${at}/one-way`, fault.from, true],
        [`${at}/one-way`, fault.to, true],
      ];
    case 'upstream':
      return [];
    default:
      return [[`${at}/${fault.kind}`, fault.group, false]];
  }
}
