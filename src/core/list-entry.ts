/** One project of the list of all projects, and what the list says beside them. */
import { parseProjectName, type ProjectName } from './project-name.ts';
import type { JsonObject } from './project-page.ts';

export interface ListEntry {
  readonly name: ProjectName;
  /** As the upstream gave it, unknown keys included. */
  readonly raw: JsonObject;
}

/** What comes out of a list while it is read: its projects, and once, at the end, the rest of it (`meta`, ...). */
export type ListPart =
  | { readonly kind: 'entries'; readonly entries: readonly ListEntry[] }
  | { readonly kind: 'end'; readonly rest: JsonObject };

/** Undefined for a name that is none: PyPI has had some. */
export function listEntry(raw: JsonObject): ListEntry | undefined {
  if (typeof raw['name'] !== 'string') return undefined;
  try {
    return { name: parseProjectName(raw['name']), raw };
  } catch {
    return undefined;
  }
}
