/**
 * Patterns of private project names: `acme-*`. Only `*` is special. Their literal parts are normalized as names are, so
 * that `Acme_*` means the same; matching takes time linear in the name.
 */
import { ConfigurationError } from './errors.ts';
import type { ProjectName } from './project-name.ts';

/** True for names that match any of `patterns`. @throws ConfigurationError for a pattern that is none */
export function createProjectMatcher(patterns: readonly string[]): (name: ProjectName) => boolean {
  const compiled = patterns.map(compileProjectPattern);
  return (name) => compiled.some((matches) => matches(name));
}

/** @throws ConfigurationError */
export function compileProjectPattern(pattern: string): (name: ProjectName) => boolean {
  const parts = literalParts(pattern);
  return (name) => matches(parts, name);
}

/** The literal parts between the stars: `a*b` is `['a', 'b']`, `acme-*` is `['acme-', '']`. */
function literalParts(pattern: string): readonly string[] {
  const normalized = pattern.replace(/[-_.]+/g, '-').toLowerCase();
  // No name begins or ends with a dash: such a pattern would silently match nothing.
  if (pattern.length > 200 || !/^[a-z0-9*](?:[a-z0-9*-]*[a-z0-9*])?$/.test(normalized)) {
    throw new ConfigurationError(
      'usage',
      `private: "${pattern.slice(0, 80)}" is not a pattern of project names`,
      'Write letters, digits, ".", "_", "-" and "*", such as acme-*',
    );
  }
  return normalized.split(/\*+/);
}

function matches(parts: readonly string[], name: string): boolean {
  const [head = '', ...rest] = parts;
  const tail = rest.pop();
  if (tail === undefined) return name === head;
  if (name.length < head.length + tail.length || !name.startsWith(head) || !name.endsWith(tail)) return false;
  let at = head.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= name.length - tail.length;
}
