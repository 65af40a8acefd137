/**
 * The list of all projects as it is kept: compressed lines, so that neither reading nor rendering it takes memory. The
 * first line says when it was observed, then one JSON object a project, and the last line holds the rest of the list.
 */
import { createGunzip, createGzip } from 'node:zlib';
import { InvalidContentError } from '../core/errors.ts';
import type { ListPart } from '../core/list-entry.ts';
import type { JsonObject } from '../core/project-page.ts';
import type { ProjectName } from '../core/project-name.ts';
import type { ReplaceableFile } from '../store/replaceable-file.ts';
import { throughZlib } from './through-zlib.ts';

export interface ListFacts {
  /** Wall clock, ms. */
  readonly observedAt: number;
  /** URL of the index it came from. */
  readonly upstream: string;
  /** Another one for each list that was written: the base of ETags. */
  readonly version: string;
}

export interface KeptList {
  readonly facts: ListFacts;
  /** One JSON object a project; then the rest of the list. Batches of lines. Leaving the loop, or `return()` before it begins, closes the file. */
  readonly lines: AsyncGenerator<ListLines>;
}

type ListLines =
  | { readonly kind: 'entries'; readonly entries: readonly string[] }
  | { readonly kind: 'end'; readonly rest: JsonObject };

/** Marks the last line: a file without it was cut. */
const END = '=';
const BATCH = 64 * 1024;

/** Writes the list as it comes; `skip`s names that must not be shown. Throws what `parts` throws. */
export async function writeList(
  file: ReplaceableFile,
  facts: ListFacts,
  parts: AsyncIterable<ListPart>,
  skip: (name: ProjectName) => boolean,
): Promise<void> {
  async function* text(): AsyncGenerator<string> {
    let batch = `${JSON.stringify(facts)}\n`;
    for await (const part of parts) {
      if (part.kind === 'end') batch += `${END}${JSON.stringify(part.rest)}\n`;
      else for (const { name, raw } of part.entries) if (!skip(name)) batch += `${JSON.stringify(raw)}\n`;
      if (batch.length < BATCH) continue;
      yield batch;
      batch = '';
    }
    yield batch;
  }
  await file.replace(throughZlib(text(), createGzip({ level: 4 })));
}

/** Undefined when there is none, or none that can be read. */
export async function readList(file: ReplaceableFile): Promise<KeptList | undefined> {
  const chunks = await file.read();
  if (chunks === undefined) return undefined;
  const lines = linesOf(throughZlib(chunks, createGunzip()));
  try {
    const first = await lines.next();
    const facts = first.done ? undefined : readFacts(first.value.shift());
    if (facts !== undefined && !first.done) {
      const kept = contents(first.value, lines);
      // Only what has begun closes at `return()`.
      await kept.next();
      return { facts, lines: kept };
    }
  } catch {
    // Damaged: as if there were none.
  }
  await lines.return(undefined);
  return undefined;
}

function readFacts(line: string | undefined): ListFacts | undefined {
  const facts: unknown = JSON.parse(line ?? 'null');
  if (typeof facts !== 'object' || facts === null) return undefined;
  const { observedAt, upstream, version } = facts as Record<string, unknown>;
  if (typeof observedAt !== 'number' || typeof upstream !== 'string') return undefined;
  return typeof version === 'string' ? { observedAt, upstream, version } : undefined;
}

/** First an empty batch. */
async function* contents(
  first: readonly string[],
  lines: AsyncGenerator<string[]>,
): AsyncGenerator<ListLines> {
  try {
    yield { kind: 'entries', entries: [] };
    let batch: readonly string[] | undefined = first;
    while (batch !== undefined) {
      const last = batch.at(-1);
      const ends = last?.startsWith(END) === true;
      if (batch.length > 0) yield { kind: 'entries', entries: ends ? batch.slice(0, -1) : batch };
      if (ends) {
        yield { kind: 'end', rest: JSON.parse(last.slice(END.length)) as JsonObject };
        return;
      }
      const next: IteratorResult<string[]> = await lines.next();
      batch = next.done ? undefined : next.value;
    }
    throw new InvalidContentError('the kept list of projects has no end');
  } finally {
    await lines.return(undefined);
  }
}

/** Batches of whole lines. */
async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string[]> {
  const decoder = new TextDecoder();
  let tail = '';
  for await (const chunk of chunks) {
    const lines = (tail + decoder.decode(chunk, { stream: true })).split('\n');
    tail = lines.pop() ?? '';
    if (lines.length > 0) yield lines;
  }
}
