/** That a group names what the scenario has. */
import { closest } from 'fastest-levenshtein';
import type { Complain } from './complain.ts';
import { parseExpression } from './group-expression.ts';
import type { GroupText, Scenario } from './scenario.ts';

/** Names of regions, profiles and nodes that the scenario does not have; `rest` and roles where they mean nothing. */
export function checkGroup(
  pointer: string,
  group: GroupText,
  scenario: Scenario,
  complain: Complain,
  { placing = false, rest = false }: { readonly placing?: boolean; readonly rest?: boolean } = {},
): void {
  const { regions, profiles, count } = scenario.nodes;
  for (const text of group) {
    const expression = parseExpression(text);
    if (expression === 'rest') {
      if (!rest)
        complain(pointer, '"rest" is what other groups leave; here are none', 'write all, or name the hosts');
      continue;
    }
    if (!Array.isArray(expression)) continue;
    for (const { atom } of expression) {
      if (atom.kind === 'region' || atom.kind === 'profile') {
        const names = [...(atom.kind === 'region' ? regions : profiles).keys()];
        if (names.includes(atom.name)) continue;
        complain(
          pointer,
          `"${text}": no node has the ${atom.kind} "${atom.name}"`,
          `did you mean "${closest(atom.name, names)}"? There are ${names.join(', ')}`,
        );
      } else if (atom.kind === 'node' && atom.last >= count) {
        complain(pointer, `"${text}": there is no node ${atom.last}`, `nodes are 0 to ${count - 1}`);
      } else if (placing && (atom.kind === 'role' || atom.kind === 'fraction')) {
        complain(
          pointer,
          `"${text}" cannot say where a role is placed`,
          'use regions, profiles or node numbers',
        );
      }
    }
  }
}
