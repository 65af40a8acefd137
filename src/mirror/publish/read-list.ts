/**
 * The upstream's list of all projects, read to its end and believed only if it can be one: not cut, not empty, and not
 * without a part of the names that it had before. What is not believed counts as an upstream that was not reached.
 */
import { InvalidContentError } from '../../core/errors.ts';
import type { ListPart } from '../../core/list-entry.ts';
import { limits } from '../../core/limits.ts';
import type { ProjectName } from '../../core/project-name.ts';
import { readListHtml } from '../../core/read-list-html.ts';
import { readListJson } from '../../core/read-list-json.ts';
import type { ListAnswer } from '../../upstream/upstream.ts';
import { ListedNames } from './listed-names.ts';
import type { AcceptedLoss } from '../administration.ts';
import { apiVersionOf, metaOf, readSerial } from '../read-project.ts';

export interface ReadList {
  /** Those that are published, as far as they are listed. */
  readonly names: ListedNames;
  /** All that are listed. */
  readonly size: number;
  readonly bytes: number;
  /** Of the whole; 0 when it says none. */
  readonly serial: number;
  /** Every project has one. */
  readonly serials: boolean;
  readonly apiVersion: string | undefined;
}

/** `wanted`: whether a name is published. @throws InvalidContentError, UpstreamError */
export async function readWholeList(
  answer: ListAnswer,
  wanted: (project: ProjectName) => boolean,
  signal: AbortSignal,
): Promise<ReadList> {
  const names = new ListedNames();
  let [size, bytes, highest, serials] = [0, 0, 0, true];
  let end: Extract<ListPart, { kind: 'end' }> | undefined;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of answer.body) {
      signal.throwIfAborted();
      bytes += chunk.length;
      yield chunk;
    }
  }
  for await (const part of (answer.format === 'json' ? readListJson : readListHtml)(counted())) {
    if (part.kind === 'end') end = part;
    else
      for (const { name, raw } of part.entries) {
        const serial = readSerial(raw['_last-serial']);
        size++;
        serials &&= serial !== undefined;
        highest = Math.max(highest, serial ?? 0);
        if (wanted(name)) names.add(name, serial ?? 0);
      }
  }
  if (size === 0 || end === undefined)
    throw new InvalidContentError(`the list of projects of ${answer.url} is empty`);
  const serial = readSerial(metaOf(end.rest)['_last-serial']) ?? readSerial(answer.serial) ?? highest;
  return { names, size, bytes, serial, serials, apiVersion: apiVersionOf(end.rest) };
}

/** More names than go by themselves: a cut list, or another index. */
export function isTooMuch({ before, lost }: AcceptedLoss): boolean {
  const { listLoss, listLossFew } = limits.publish;
  const few = Math.min(listLossFew, Math.ceil(before / 4));
  return lost > Math.max(before * listLoss, few);
}

export function lossError(url: string, { before, lost }: AcceptedLoss): InvalidContentError {
  return new InvalidContentError(
    `the list of projects of ${url} lost ${lost} of ${before} names at once: it is not believed, and the index stands still. Look at it; if they are really gone: fondue publish accept-loss`,
  );
}
