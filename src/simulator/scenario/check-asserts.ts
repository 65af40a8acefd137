/** That asserts speak of faults that are there, and can be decided before the run is over. */
import { closest } from 'fastest-levenshtein';
import { limits } from '../../core/limits.ts';
import type { Complain } from './complain.ts';
import { duration } from './quantities.ts';
import { cutsLinks, endOf, type Scenario, type WithinAssert } from './scenario.ts';

export function checkAsserts(scenario: Scenario, complain: Complain): void {
  for (const one of scenario.assert.within) checkWithin(one, scenario, complain);
  if (scenario.workload.pip !== undefined) return;
  for (const { ratio } of scenario.assert.atLeast) {
    if (ratio.startsWith('lookup'))
      complain(
        `/assert/at_least/${ratio}`,
        `without workload.pip nothing is looked up`,
        'remove it, or add workload.pip',
      );
  }
}

function checkWithin(one: WithinAssert, scenario: Scenario, complain: Complain): void {
  const { faults } = scenario;
  const { event, fault } = one.after;
  const pointer = `/assert/within/${one.condition}`;
  const ids = faults.map(({ id }) => id);
  const named = faults.filter((other) => (fault === undefined ? cutsLinks(other) : other.id === fault));
  if (named.length === 0) {
    complain(
      `${pointer}/after`,
      fault === undefined ? 'no fault cuts a link' : `there is no fault "${fault}"`,
      fault === undefined || ids.length === 0
        ? 'add a fault'
        : `did you mean ${event}(${closest(fault, ids)})?`,
    );
    return;
  }
  if (one.condition === 'converged' && scenario.workload.publishers.count === 0)
    complain(pointer, 'without publishers there is nothing to agree on', 'remove it, or add publishers');
  if (one.condition === 'reconverge_topology' && event !== 'heal')
    complain(`${pointer}/after`, 'a graph is whole again after a heal', `write heal(${fault})`);
  for (const other of named) {
    if (event === 'heal' && !cutsLinks(other)) {
      complain(
        `${pointer}/after`,
        `"${other.id}" (${other.kind}) cuts no link, so it has no heal`,
        `write end(${other.id})`,
      );
    } else if (fault !== undefined && other.for === undefined) {
      complain(`${pointer}/after`, `"${other.id}" never ends`, 'give the fault "for"');
    }
  }
  const ends = named.map(endOf).filter((end) => end !== Infinity);
  const needed = Math.max(...ends) + one.within + limits.scenario.hold * 1000;
  if (ends.length > 0 && needed > scenario.duration) {
    complain(
      `${pointer}/within`,
      `the run is over at ${duration.format(scenario.duration)}, before this can be decided at ${duration.format(needed)}`,
      `leave "duration" out, or write ${duration.format(needed)} or more`,
    );
  }
}
