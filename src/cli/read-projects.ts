/** A file of project names: one a line, `#` begins a comment. */
import { readFileSync } from 'node:fs';
import { ConfigurationError } from '../core/errors.ts';
import { parseProjectName, type ProjectName } from '../core/project-name.ts';

/** For the flag `--projects`. @throws ConfigurationError that names file and line */
export function readProjects(path: string): ProjectName[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw usage(
      `--projects: ${path} cannot be read: ${(cause as Error).message}`,
      'name a file that exists',
      cause,
    );
  }
  const names = text.split('\n').flatMap((line, index): ProjectName[] => {
    const name = line.replace(/#.*/, '').trim();
    if (name === '') return [];
    try {
      return [parseProjectName(name)];
    } catch (cause) {
      throw usage(
        `${path}, line ${index + 1}: ${(cause as Error).message}`,
        'give one project name a line',
        cause,
      );
    }
  });
  if (names.length === 0) throw usage(`--projects: ${path} names no project`, 'give one project name a line');
  return names;
}

function usage(message: string, fix: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError('usage', message, fix, { cause });
}
