/** The kept list of all projects as JSON (PEP 691) or HTML (PEP 503), piece by piece. */
import type { KeptList } from './project-list-file.ts';
import { parseProjectName } from '../core/project-name.ts';

/** Leaving the loop, or `return()` before it begins, closes the list. */
export async function openRenderedList(
  list: KeptList,
  format: 'json' | 'html',
): Promise<AsyncGenerator<Uint8Array>> {
  const body = encoded(await openListText(list, format));
  await body.next();
  return body;
}

/** As {@link openRenderedList}, for who encodes it. */
export async function openListText(list: KeptList, format: 'json' | 'html'): Promise<AsyncGenerator<string>> {
  const body = render(list, format);
  // Only what has begun closes at `return()`.
  await body.next();
  return body;
}

/** First an empty piece. */
async function* encoded(texts: AsyncGenerator<string>): AsyncGenerator<Uint8Array> {
  try {
    yield Buffer.alloc(0);
    for await (const text of texts) yield Buffer.from(text);
  } finally {
    await texts.return(undefined);
  }
}

/** First an empty piece. */
async function* render(list: KeptList, format: 'json' | 'html'): AsyncGenerator<string> {
  try {
    yield '';
    yield* format === 'json' ? asJson(list) : asHtml(list);
  } finally {
    await list.lines.return(undefined);
  }
}

async function* asJson({ lines }: KeptList): AsyncGenerator<string> {
  yield '{"projects":[';
  let separator = '';
  for await (const part of lines) {
    if (part.kind === 'entries') {
      if (part.entries.length === 0) continue;
      yield separator + part.entries.join(',');
      separator = ',';
    } else {
      const rest = { ...part.rest, meta: part.rest['meta'] ?? { 'api-version': '1.0' } };
      yield `],${JSON.stringify(rest).slice(1)}`;
    }
  }
}

async function* asHtml({ lines }: KeptList): AsyncGenerator<string> {
  yield '<!DOCTYPE html>\n<html>\n<head>\n<meta name="pypi:repository-version" content="1.0">\n<title>Simple index</title>\n</head>\n<body>\n';
  for await (const part of lines) {
    if (part.kind === 'end') yield '</body>\n</html>\n';
    else yield part.entries.map(anchor).join('');
  }
}

/** Names hold letters, digits, `.`, `_` and `-` only: nothing to escape. */
function anchor(line: string): string {
  const name = nameIn(line);
  return `<a href="${parseProjectName(name)}/">${name}</a>\n`;
}

const NAME = '{"name":"';

/** Where it stands first, as it does nearly always, the rest is not parsed: 886,324 objects would be garbage only. */
function nameIn(line: string): string {
  const end = line.startsWith(NAME) ? line.indexOf('"', NAME.length) : -1;
  const name = line.slice(NAME.length, end);
  return end < 0 || name.includes('\\') ? (JSON.parse(line) as { name: string }).name : name;
}
