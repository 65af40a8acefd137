/**
 * Reads the list of all projects in HTML (PEP 503) piece by piece. Always true: memory is bounded by one tag; a list that
 * was cut, and a text without a single project (a login page), is an error.
 */
import { Tokenizer, html as htmlNames } from 'parse5';
import { InvalidContentError } from './errors.ts';
import { limits } from './limits.ts';
import { listEntry, type ListEntry, type ListPart } from './list-entry.ts';

const { TAG_ID } = htmlNames;
/** A chunk's projects wait in memory; bigger chunks are split. */
const SLICE = 64 * 1024;

/** @throws InvalidContentError */
export async function* readListHtml(body: AsyncIterable<Uint8Array>): AsyncGenerator<ListPart> {
  const found: ListEntry[] = [];
  const scanner = createScanner((entry) => found.push(entry));
  const decoder = new TextDecoder('utf-8');
  let any = false;
  for await (const chunk of body) {
    for (let start = 0; start < chunk.length; start += SLICE) {
      scanner.write(decoder.decode(chunk.subarray(start, start + SLICE), { stream: true }), false);
      any ||= found.length > 0;
      yield { kind: 'entries', entries: found.splice(0) };
    }
  }
  scanner.write(decoder.decode(), true);
  yield { kind: 'entries', entries: found.splice(0) };
  if (!any || !scanner.complete())
    throw new InvalidContentError(
      `the list of projects cannot be read: the HTML ${any ? 'ends before its end' : 'links to no project'}`,
    );
  yield { kind: 'end', rest: { meta: { 'api-version': '1.0' } } };
}

function createScanner(onEntry: (entry: ListEntry) => void): {
  write(text: string, last: boolean): void;
  complete(): boolean;
} {
  let name: string | undefined;
  let open = false;
  let pending = 0;
  const tokenizer: Tokenizer = new Tokenizer(
    {},
    {
      onStartTag(tag) {
        pending = 0;
        if (tag.tagID === TAG_ID.HTML) open = true;
        if (tag.tagID === TAG_ID.A) name = '';
      },
      onEndTag(tag) {
        if (tag.tagID === TAG_ID.HTML || tag.tagID === TAG_ID.BODY) open = false;
        if (tag.tagID !== TAG_ID.A || name === undefined) return;
        const entry = listEntry({ name: name.trim() });
        name = undefined;
        if (entry !== undefined) onEntry(entry);
      },
      onCharacter({ chars }) {
        if (name !== undefined && name.length < 256) name += chars;
      },
      onWhitespaceCharacter() {
        if (name !== undefined) name += ' ';
      },
      onNullCharacter() {},
      onComment() {},
      onDoctype() {},
      onEof() {},
      onParseError(error) {
        if (error.code.startsWith('eof-in')) open = true;
      },
    },
  );
  return {
    write(text, last) {
      // The tokenizer keeps a tag or comment that has not ended, however long.
      pending += text.length;
      tokenizer.write(text, last);
      if (pending > limits.list.tagBytes)
        throw new InvalidContentError('the list of projects cannot be read: a tag in it has no end');
    },
    complete: () => !open,
  };
}
