/**
 * JSON in which one key twice in an object is an error: two readers of such a text may see different things, so nobody may
 * sign it (design/index, "Canonical page"). `JSON.parse` keeps the last one and says nothing.
 */
import { InvalidContentError } from './errors.ts';
import type { Json } from './project-page.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** @throws SyntaxError as JSON.parse does; InvalidContentError for a duplicate key, with its name and line */
export function parseStrictJson(text: string): Json {
  const value = JSON.parse(text) as Json;
  checkKeys(text);
  return value;
}

/** Walks a text that is known to be JSON: only strings, colons and braces matter. */
function checkKeys(text: string): void {
  // One entry an open container: the keys seen in an object, undefined for an array.
  const open: (Set<string> | undefined)[] = [];
  let last = '';
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const end = endOfString(text, at);
        last = text.slice(at, end + 1);
        at = end;
        break;
      }
      case 0x7b: // {
        open.push(new Set());
        break;
      case 0x5b: // [
        open.push(undefined);
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        break;
      case 0x3a: {
        // A colon outside a string ends a key.
        const key = last.includes('\\') ? (JSON.parse(last) as string) : last.slice(1, -1);
        const keys = open.at(-1);
        if (keys?.has(key))
          throw new InvalidContentError(
            `the key ${JSON.stringify(key.slice(0, 80))} stands twice in one object, near character ${at}`,
          );
        keys?.add(key);
        break;
      }
    }
  }
}

function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  // A quote is escaped when an odd number of backslashes stands before it.
  for (;;) {
    let slashes = end - 1;
    while (text.charCodeAt(slashes) === BACKSLASH) slashes--;
    if ((end - 1 - slashes) % 2 === 0) return end;
    end = text.indexOf('"', end + 1);
  }
}
