/**
 * Reads the list of all projects in JSON (PEP 691) piece by piece: 43 MB on PyPI, never parsed whole. Always true: memory
 * is bounded by one entry and the rest beside the entries; a list that was cut is an error.
 */
import { InvalidContentError } from './errors.ts';
import { limits } from './limits.ts';
import { listEntry, type ListEntry, type ListPart } from './list-entry.ts';
import type { JsonObject } from './project-page.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const PROJECTS = '"projects"';
/** Depth within the list's own array; its entries are one deeper. */
const IN_PROJECTS = 2;

const NO_OBJECT = 'an entry of "projects" is no object';

/** One JSON text that may go over several chunks. */
interface Gathered {
  parts: Buffer[];
  length: number;
}

/** @throws InvalidContentError */
export async function* readListJson(body: AsyncIterable<Uint8Array>): AsyncGenerator<ListPart> {
  const scanner = createScanner();
  for await (const chunk of body) {
    const entries = scanner.scan(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
    yield { kind: 'entries', entries };
  }
  yield scanner.end();
}

function createScanner(): { scan(chunk: Buffer): ListEntry[]; end(): ListPart } {
  let depth = 0;
  let inString = false;
  let escaped = false;
  let inProjects = false;
  let seenProjects = false;
  /** The last string at depth 1: the key, when an array or object follows. */
  let key: Gathered | undefined;
  let lastKey = '';
  let entry: Gathered | undefined;
  const rest: Gathered = { parts: [], length: 0 };

  /** Where what is being gathered began in this chunk. */
  let from = 0;

  function close(chunk: Buffer, to: number): void {
    if (to <= from) return;
    if (entry !== undefined) gather(entry, chunk.subarray(from, to), limits.list.entryBytes);
    else if (!inProjects) gather(rest, chunk.subarray(from, to), limits.list.restBytes);
    from = to;
  }

  function scan(chunk: Buffer): ListEntry[] {
    const entries: ListEntry[] = [];
    from = 0;
    let keyFrom = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] as number;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) {
          inString = false;
          if (key !== undefined) {
            gather(key, chunk.subarray(keyFrom, i + 1), limits.list.restBytes);
            lastKey = textOf(key);
            key = undefined;
          }
        }
      } else if (byte === QUOTE) {
        inString = true;
        if (inProjects && depth === IN_PROJECTS) throw broken(NO_OBJECT);
        if (depth === 1) {
          key = { parts: [], length: 0 };
          keyFrom = i;
        }
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (inProjects && depth === IN_PROJECTS) {
          if (byte === OPEN_BRACKET) throw broken(NO_OBJECT);
          from = i;
          entry = { parts: [], length: 0 };
        }
        depth++;
        if (depth === IN_PROJECTS && byte === OPEN_BRACKET && lastKey === PROJECTS) {
          if (seenProjects) throw broken('"projects" stands in it twice');
          close(chunk, i + 1);
          inProjects = true;
          seenProjects = true;
        }
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        depth--;
        if (entry !== undefined && depth === IN_PROJECTS) {
          close(chunk, i + 1);
          const read = listEntry(parse(entry));
          entry = undefined;
          if (read !== undefined) entries.push(read);
        } else if (inProjects && depth < IN_PROJECTS) {
          inProjects = false;
          from = i;
        }
      } else if (inProjects && depth === IN_PROJECTS && byte > 0x20 && byte !== COMMA) {
        throw broken(NO_OBJECT);
      }
    }
    if (key !== undefined) gather(key, chunk.subarray(keyFrom), limits.list.restBytes);
    close(chunk, chunk.length);
    return entries;
  }

  return {
    scan,
    end() {
      // What was cut is no JSON.
      const { projects, ...others } = parse(rest);
      if (!Array.isArray(projects)) throw broken('"projects" is no list');
      return { kind: 'end', rest: others };
    },
  };
}

function gather(into: Gathered, bytes: Buffer, limit: number): void {
  into.length += bytes.length;
  if (into.length > limit) throw broken(`one part of it has more than ${limit} bytes`);
  // The chunk may be a buffer that its owner uses again.
  into.parts.push(Buffer.from(bytes));
}

function textOf({ parts, length }: Gathered): string {
  return Buffer.concat(parts, length).toString();
}

function parse(gathered: Gathered): JsonObject {
  const text = textOf(gathered);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  } catch {
    // Told below, with what it is.
  }
  throw broken(`${JSON.stringify(text.slice(0, 80))} is no JSON object`);
}

function broken(what: string): InvalidContentError {
  return new InvalidContentError(`the list of projects cannot be read: ${what}`);
}
