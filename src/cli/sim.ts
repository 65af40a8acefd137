/** `fondue sim`: the simulator. What runs is in `sim-run.ts`; here is what only reads. */
import type { Command } from 'commander';
import { compareRuns } from '../simulator/results/compare-runs.ts';
import { renderComparison } from '../simulator/results/comparison-text.ts';
import { plotRunFolder } from '../simulator/results/read-run-folder.ts';
import { readStoredRuns } from '../simulator/results/stored-runs.ts';
import { writeSweepFolder } from '../simulator/results/sweep-folder.ts';
import { builtInNames, builtInScenario } from '../simulator/scenarios/built-in-scenario.ts';
import { refuseBareGroup } from './bare-group.ts';
import { printJson, printLine } from './output.ts';
import { addSimRunCommands, JSON_OPTION } from './sim-run.ts';
import { loadScenario } from './sim-scenario.ts';

interface Flags {
  readonly json?: boolean;
}

export function addSimCommands(program: Command): void {
  const sim = program
    .command('sim')
    .description('the simulator: the very nodes of `fondue up`, hundreds in one process under virtual time')
    .addHelpText('after', '\nExample:\n  fondue sim list\n  fondue sim run demo --seed 1 --out A');
  refuseBareGroup(sim);
  addSimRunCommands(sim);
  addCompare(sim);
  addPlot(sim);
  addValidate(sim);
  addList(sim);
}

function addCompare(sim: Command): void {
  sim
    .command('compare')
    .description('pairs the runs of two folders by seed and number, and says by how much B differs from A')
    .argument('<a>', 'a folder of a run or a sweep')
    .argument('<b>', 'another one, of the same scenario')
    .option(...JSON_OPTION)
    .addHelpText('after', '\nExample:\n  fondue sim compare before after')
    .action(async (a: string, b: string, { json }: Flags) => {
      const comparisons = compareRuns(await readStoredRuns(a), await readStoredRuns(b));
      if (json === true) for (const one of comparisons) printJson({ event: 'comparison', ...one });
      else printLine(comparisons.map(renderComparison).join('\n\n'));
    });
}

function addPlot(sim: Command): void {
  sim
    .command('plot')
    .description('makes plots, report and notebook of a folder again, from the data in it')
    .argument('<dir>', 'a folder of a run or a sweep')
    .option(...JSON_OPTION)
    .addHelpText('after', '\nExample:\n  fondue sim plot A')
    .action(async (dir: string, { json }: Flags) => {
      const runs = await readStoredRuns(dir);
      if (runs.some(({ folder }) => folder === '')) await plotRunFolder(dir);
      else await writeSweepFolder(dir);
      if (json === true) printJson({ event: 'plot', dir, runs: runs.length });
      else
        printLine(`${dir}/report.html, ${dir}/plots: of ${runs.length} run${runs.length === 1 ? '' : 's'}`);
    });
}

function addValidate(sim: Command): void {
  sim
    .command('validate')
    .description('only checks scenario files: every problem with its line')
    .argument('<file...>', 'YAML files, or names of built-in scenarios')
    .option(...JSON_OPTION)
    .addHelpText('after', '\nExample:\n  fondue sim validate mine.yaml')
    .action(async (names: string[], { json }: Flags) => {
      for (const file of names) {
        const { scenario, points } = await loadScenario(file);
        const { name, nodes, faults, runs } = scenario;
        if (json === true) printJson({ event: 'valid', file, name, points: points.length, runs });
        else
          printLine(
            `${file}: ${name}: nodes ${nodes.count}, faults ${faults.length}, points ${points.length}, runs of each ${runs}`,
          );
      }
    });
}

function addList(sim: Command): void {
  sim
    .command('list')
    .description('the built-in scenarios, each with the question that it answers')
    .option(...JSON_OPTION)
    .addHelpText('after', '\nExample:\n  fondue sim list')
    .action(({ json }: Flags) => {
      const all = builtInNames.map((name) => ({ name, question: builtInScenario(name).question }));
      if (json === true) for (const one of all) printJson({ event: 'scenario', ...one });
      else printLine(all.map(({ name, question }) => `${name}\n${wrap(question, 100)}`).join('\n\n'));
    });
}

function wrap(text: string, width: number): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`  ${word}`);
  }
  return lines.join('\n');
}
