/** Faults of the upstream that the gateway mends behind its clients; the slow ones and the table are in `npm run test:faults`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asExpected, faultScenarios, playFault } from '../support/fault-scenarios.ts';
import { clientsMissing } from '../support/python-clients.ts';

const quick = faultScenarios.filter((scenario) => scenario.slow !== true);

for (const scenario of quick) {
  test(`${scenario.expect}: ${scenario.name}`, { skip: clientsMissing() }, async () => {
    // Two clients a scenario here: uv, which asks in parallel, and Poetry, which ends at the first cut; PDM and pip where they differ.
    const clients = scenario.name.startsWith('page')
      ? (['pip', 'pdm'] as const)
      : (['uv', 'poetry'] as const);
    const runs = await Promise.all(
      clients.map(async (client) => ({ client, ...(await playFault(scenario, client)) })),
    );
    for (const run of runs) assert.ok(asExpected(scenario, run), `${run.client}: ${run.output}`);
  });
}
