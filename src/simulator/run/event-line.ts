/** An event of the model as it stands in a run's folder: without the bytes of pages, times in microseconds of the kernel. */
import type { ModelEvent } from '../model/model-event.ts';

export function eventLine(at: number, event: ModelEvent): string {
  if (event.kind !== 'index-changed') return JSON.stringify({ at, ...event });
  const { change } = event;
  const { project, serial, content } = change.page;
  const file = 'file' in change ? { filename: change.file.filename, digest: change.file.digest } : {};
  return JSON.stringify({ at, kind: event.kind, change: change.kind, project, serial, content, ...file });
}
