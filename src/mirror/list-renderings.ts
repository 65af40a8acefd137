/**
 * The list of all projects in its compressed forms, one file each beside the list: 43 MB become about 9. Always true: a form
 * is made once for each version of the list, one at a time, and never in memory; what is given belongs to the version asked
 * for; a form that cannot be made (a full disk) costs its compression, nothing else.
 */
import { constants, createGzip, createZstdCompress } from 'node:zlib';
import type { Clock } from '../core/clock.ts';
import { UnavailableError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { ReplaceableFile } from '../store/replaceable-file.ts';
import { readList } from './project-list-file.ts';
import { openListText } from './render-list.ts';
import { throughZlib } from './through-zlib.ts';
import { waitFor } from './wait-for.ts';

/** JSON or HTML, gzip or zstd: the name of its file too. */
export type ListForm = `${'json' | 'html'}-${'gzip' | 'zstd'}`;

export interface ListRenderings extends AsyncDisposable {
  /**
   * Waits at most `ms` while it is made; undefined when it is not there by then: the making goes on.
   * Leaving the loop, or `return()` before it begins, closes the file.
   */
  open(
    version: string,
    form: ListForm,
    ms: number,
    signal: AbortSignal | undefined,
  ): Promise<AsyncGenerator<Uint8Array> | undefined>;
}

export interface ListRenderingsDeps {
  readonly list: ReplaceableFile;
  /** Called once a form. */
  readonly fileFor: (form: ListForm) => ReplaceableFile;
  readonly clock: Clock;
}

export function createListRenderings(deps: ListRenderingsDeps): ListRenderings {
  const { list, clock } = deps;
  const files = new Map<ListForm, ReplaceableFile>();
  const closing = new AbortController();
  const flights = new Map<ListForm, { version: string; made: Promise<void> }>();
  /** The version that a form could not be made of. */
  const failed = new Map<ListForm, string>();
  let last: Promise<void> = Promise.resolve();

  function fileFor(form: ListForm): ReplaceableFile {
    const file = files.get(form) ?? deps.fileFor(form);
    files.set(form, file);
    return file;
  }

  async function write(version: string, form: ListForm): Promise<void> {
    if (closing.signal.aborted) return;
    try {
      const kept = await readList(list);
      // A newer list came meanwhile: its own flight makes it.
      if (kept?.facts.version !== version) {
        await kept?.lines.return(undefined);
        return;
      }
      const [format, coding] = form.split('-') as ['json' | 'html', 'gzip' | 'zstd'];
      const compressor =
        coding === 'gzip'
          ? createGzip()
          : createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 3 } });
      await fileFor(form).replace(
        labelled(version, throughZlib(whileOpen(await openListText(kept, format)), compressor)),
      );
    } catch {
      if (!closing.signal.aborted) failed.set(form, version);
    }
  }

  async function* whileOpen(texts: AsyncIterable<string>): AsyncGenerator<string> {
    for await (const text of texts) {
      closing.signal.throwIfAborted();
      yield text;
    }
  }

  function make(version: string, form: ListForm): Promise<void> {
    const flight = flights.get(form);
    if (flight?.version === version) return flight.made;
    const made = last.then(() => write(version, form));
    last = made;
    flights.set(form, { version, made });
    return made.finally(() => {
      if (flights.get(form)?.made === made) flights.delete(form);
    });
  }

  return {
    async open(version, form, ms, signal) {
      const held = await openLabelled(fileFor(form), version);
      if (held !== undefined || failed.get(form) === version || closing.signal.aborted) return held;
      await waitFor(clock, make(version, form), Math.min(ms, limits.list.compress), signal);
      return openLabelled(fileFor(form), version);
    },
    async [Symbol.asyncDispose]() {
      closing.abort(new UnavailableError('the node is closing'));
      await last;
    },
  };
}

/** The file begins with the list's version, so that one of another list is never taken for it, after a restart too. */
async function* labelled(version: string, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield Buffer.from(`${version}\n`, 'latin1');
  yield* body;
}

async function openLabelled(
  file: ReplaceableFile,
  version: string,
): Promise<AsyncGenerator<Uint8Array> | undefined> {
  const chunks = await file.read().catch(() => undefined);
  if (chunks === undefined) return undefined;
  const body = behindLabel(chunks, `${version}\n`);
  // Its first step reads the label.
  const first = await body.next().catch(() => undefined);
  return first?.value === undefined ? undefined : body;
}

/** First an empty chunk, when the label fits; then what stands behind it. */
async function* behindLabel(chunks: AsyncIterable<Uint8Array>, label: string): AsyncGenerator<Uint8Array> {
  let head = Buffer.alloc(0);
  let read = false;
  for await (const chunk of chunks) {
    if (read) {
      yield chunk;
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < label.length) continue;
    if (head.toString('latin1', 0, label.length) !== label) return;
    read = true;
    yield Buffer.alloc(0);
    if (head.length > label.length) yield head.subarray(label.length);
  }
}
