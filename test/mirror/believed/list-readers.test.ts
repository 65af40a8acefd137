/** `/simple/` read by many in all forms, from disk, while it is made again and again. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { parseProjectName, type ProjectName } from '../../../src/core/project-name.ts';
import { createBelievedList } from '../../../src/mirror/believed/believed-list.ts';
import { createReplaceableFile } from '../../../src/store/replaceable-file.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { temporaryFolder } from '../../support/disk-store.ts';
import { createHeadDouble } from './believed-node.ts';

const DECODERS = { identity: (bytes: Buffer) => bytes, gzip: gunzipSync, zstd: zstdDecompressSync };
const FORMS = (['json', 'html'] as const).flatMap((format) =>
  (['identity', 'gzip', 'zstd'] as const).map((coding) => ({ format, coding })),
);
/** Some buffers full, whatever the form. */
const NAMES = 10_000;
const LISTS = 4;
const READERS_A_FORM = 3;

/** Not the same length in any two lists: a byte of another list in the wrong place is seen. */
function namesOf(list: number): { name: ProjectName; serial: number }[] {
  return Array.from({ length: NAMES }, (_, at) => {
    const name = parseProjectName(`list-${list}-${'x'.repeat(list)}-${Math.imul(at, 2654435761) >>> 0}`);
    return { name, serial: at };
  });
}

function namesIn(text: string, format: 'json' | 'html'): string[] {
  if (format === 'html') {
    assert.ok(text.endsWith('</body>\n</html>\n'));
    return Array.from(text.matchAll(/^<a href="([^"]+)\/">\1<\/a>$/gm), ([, name]) => name as string);
  }
  return (JSON.parse(text) as { projects: { name: string }[] }).projects.map(({ name }) => name);
}

test('whoever reads the list while it is made anew gets one whole list, the same for one version', async () => {
  await using folder = await temporaryFolder();
  const clock = createFakeClock();
  const head = createHeadDouble(clock);
  const deps = {
    head,
    clock,
    file: createReplaceableFile(join(folder.path, 'list')),
    fileFor: (form: string) => createReplaceableFile(join(folder.path, form)),
    isPrivate: () => false,
  };
  const put = (list: number): void => {
    head.list = namesOf(list);
    head.observed = clock.now();
    head.put(parseProjectName('other'), { kind: 'unknown', reason: '' });
  };
  put(0);
  await using lists = createBelievedList(deps, { allowOld: false });
  const lines = Array.from({ length: LISTS }, (_, list) =>
    namesOf(list)
      .map(({ name }) => name)
      .join('\n'),
  );
  const texts = new Map<string, string>();
  const seen = new Set<number>();
  const read = async ({ format, coding }: (typeof FORMS)[number]): Promise<void> => {
    const answer = await lists.projectList(format, { coding });
    if (answer.kind !== 'list') return;
    const chunks: Buffer[] = [];
    for await (const chunk of answer.body) {
      // As a socket does: the bytes are looked at later.
      chunks.push(chunk as Buffer);
      await setImmediate();
    }
    const text = DECODERS[answer.coding](Buffer.concat(chunks)).toString();
    const list = lines.indexOf(namesIn(text, format).join('\n'));
    assert.ok(list >= 0, `${format} ${coding}: names of no list, or of two`);
    seen.add(list);
    const key = `${format} ${answer.version}`;
    assert.equal(texts.get(key) ?? text, text);
    texts.set(key, text);
  };
  let ended = false;
  const readers = FORMS.flatMap((form) =>
    Array.from({ length: READERS_A_FORM }, async () => {
      while (!ended) await read(form);
    }),
  );
  const moving = (async () => {
    for (let list = 1; list < LISTS; list++) {
      while (!seen.has(list - 1) && !ended) await setImmediate();
      put(list);
      await clock.advance(120_000);
    }
  })();
  await Promise.race([moving, Promise.all(readers)]).finally(() => (ended = true));
  await Promise.all(readers);
  for (const form of FORMS) await read(form);
  assert.equal(seen.size, LISTS);
});
