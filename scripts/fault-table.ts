/** Plays every fault at the node under every client and writes docs/faults.md; exit code 1 when one did not come out as it should. */
import { writeFileSync } from 'node:fs';
import { asExpected, faultScenarios, playFault } from '../test/support/fault-scenarios.ts';
import { clientsMissing, type ClientName } from '../test/support/python-clients.ts';

const clients = ['pip', 'pip23', 'uv', 'poetry', 'pdm'] as const;
const titles: Record<ClientName, string> = {
  pip: 'pip 26.3',
  pip23: 'pip 23.2.1',
  uv: 'uv 0.13.9',
  poetry: 'Poetry 2.5.1',
  pdm: 'PDM 2.29.3',
};

const missing = clientsMissing();
if (missing !== false) {
  console.error(missing);
  process.exit(1);
}

const rows: string[] = [];
let failures = 0;
for (const scenario of faultScenarios) {
  const runs = await Promise.all(clients.map((client) => playFault(scenario, client)));
  const cells = runs.map((run, index) => {
    const fine = asExpected(scenario, run);
    if (!fine) {
      failures++;
      console.error(`NOT as expected: ${scenario.name}, ${clients[index]}\n${run.output}`);
    }
    const outcome = run.mended ? 'fine' : `stops: ${run.words.replaceAll('|', '/').slice(0, 90)}`;
    return `${fine ? '' : '**not as it should:** '}${outcome} (${run.seconds.toFixed(0)} s)`;
  });
  rows.push(`| ${scenario.name} | ${cells.join(' | ')} |`);
  console.log(rows.at(-1));
}
const mended = faultScenarios.filter(({ expect }) => expect === 'mended').length;
writeFileSync(
  new URL('../docs/faults.md', import.meta.url),
  `# When the upstream fails

What each client saw through a fresh node while the upstream did this to \`click\`, a dependency of \`flask\`; made by \`npm run
test:faults\` with the real clients. ${mended} of these ${faultScenarios.length} are mended behind the client. For a page that cannot
be had and is not kept the gateway says 503: uv, Poetry and PDM stop; pip tries older releases of what depends on it after an exhausted
5xx, which is pip's own (here there is none). A file that stays wrong or missing is an error and nothing of it is installed.

| the upstream | ${clients.map((client) => titles[client]).join(' | ')} |
| --- | ${clients.map(() => '---').join(' | ')} |
${rows.join('\n')}
`,
);
console.log(failures === 0 ? 'all as expected' : `${failures} not as expected`);
process.exitCode = failures === 0 ? 0 : 1;
