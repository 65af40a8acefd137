/** The scenario that a command names: one of the program's own, or a file. */
import { readFile } from 'node:fs/promises';
import { InvalidArgumentError } from 'commander';
import { ConfigurationError } from '../core/errors.ts';
import { readScenario, type ScenarioFile } from '../simulator/scenario/read-scenario.ts';
import { builtInScenario } from '../simulator/scenarios/built-in-scenario.ts';

/** @throws ScenarioError with every problem; ConfigurationError */
export async function loadScenario(name: string): Promise<ScenarioFile> {
  if (!/[/\\]|\.ya?ml$/i.test(name)) {
    const { text, file } = builtInScenario(name);
    return readScenario(text, file);
  }
  let text: string;
  try {
    text = await readFile(name, 'utf8');
  } catch (cause) {
    throw new ConfigurationError(
      'usage',
      `the scenario ${name} cannot be read: ${(cause as Error).message}`,
      'name a YAML file, or a built-in scenario ("fondue sim list")',
      { cause },
    );
  }
  return readScenario(text, name);
}

/** An option's whole number from `min`. */
export function wholeNumber(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < min)
      throw new InvalidArgumentError(`write a whole number from ${min}`);
    return value;
  };
}
