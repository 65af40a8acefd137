/** The scenarios that come with the program, each a YAML file in this folder whose first comment says what it asks. */
import { readFileSync } from 'node:fs';
import { closest } from 'fastest-levenshtein';
import { ConfigurationError } from '../../core/errors.ts';

/** In the order of the design: what splits, who is cut off, what comes and goes, who lies; then the quick one. */
export const builtInNames = [
  'even-split',
  'atlantic-split',
  'lone-publisher',
  'bridge',
  'flapping',
  'churn',
  'mass-restart',
  'byzantine-split',
  'demo',
] as const;
export type BuiltInName = (typeof builtInNames)[number];

export interface BuiltInScenario {
  readonly name: BuiltInName;
  /** The leading comment as one paragraph. */
  readonly question: string;
  /** `atlantic-split.yaml`, for messages. */
  readonly file: string;
  /** For `readScenario`. */
  readonly text: string;
}

/** @throws ConfigurationError that names the nearest one. */
export function builtInScenario(name: string): BuiltInScenario {
  const known = builtInNames.find((one) => one === name);
  if (known === undefined) {
    throw new ConfigurationError(
      'usage',
      `there is no built-in scenario "${name}"`,
      `did you mean ${closest(name, builtInNames)}? There are ${builtInNames.join(', ')}; a file is given by its path, ./mine.yaml`,
    );
  }
  const file = `${known}.yaml`;
  const text = readFileSync(new URL(file, import.meta.url), 'utf8');
  const comment = /^(?:#.*\n)+/.exec(text)?.[0] ?? '';
  return { name: known, question: comment.replaceAll(/^# ?/gm, '').trim().replaceAll('\n', ' '), file, text };
}
