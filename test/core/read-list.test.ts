import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ListPart } from '../../src/core/list-entry.ts';
import type { JsonObject } from '../../src/core/project-page.ts';
import { readListHtml } from '../../src/core/read-list-html.ts';
import { readListJson } from '../../src/core/read-list-json.ts';

/** The bytes in chunks of the given sizes, each in a buffer that is used again. */
async function* chunked(text: string, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? bytes.length;
    const chunk = Buffer.from(bytes.subarray(at, at + size));
    yield chunk;
    chunk.fill(0);
    at += size;
  }
}

async function read(
  reader: (body: AsyncIterable<Uint8Array>) => AsyncIterable<ListPart>,
  text: string,
  sizes: readonly number[] = [text.length + 1],
): Promise<{ entries: JsonObject[]; rest: JsonObject }> {
  const entries: JsonObject[] = [];
  let rest: JsonObject | undefined;
  for await (const part of reader(chunked(text, sizes))) {
    if (part.kind === 'entries') entries.push(...part.entries.map(({ raw }) => raw));
    else rest = part.rest;
  }
  assert.ok(rest);
  return { entries, rest };
}

async function* endless(start: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(start);
  for (let i = 0; i < 2000; i++) yield Buffer.alloc(1024, 0x61);
  assert.fail('it was read to the end');
}
async function drain(parts: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of parts);
}

const names = fc.array(fc.stringMatching(/^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,8}[A-Za-z0-9])?$/), {
  maxLength: 20,
});
const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 5 });

test('JSON in chunks of any size comes out as JSON.parse reads it, unknown keys included', async () => {
  await fc.assert(
    fc.asyncProperty(
      names,
      sizes,
      fc.jsonValue(),
      fc.boolean(),
      fc.boolean(),
      async (all, cut, extra, spaced, last) => {
        const projects = all.map((name, i) => ({ name, '_last-serial': i, extra }));
        const meta = { 'api-version': '1.4', extra };
        const list = last ? { projects, meta } : { meta, 'projects"': [1], projects, x: { projects: [1] } };
        const text = JSON.stringify(list, undefined, spaced ? 2 : undefined);
        const { projects: _, ...rest } = JSON.parse(text) as JsonObject;
        assert.deepEqual(await read(readListJson, text, cut), {
          entries: JSON.parse(JSON.stringify(projects)),
          rest,
        });
      },
    ),
  );
});

test('what is cut, doubled, or no list is refused', async () => {
  const whole = '{"meta":{},"projects":[{"name":"a"},{"name":"b"}]}';
  for (let length = 0; length < whole.length; length++)
    await assert.rejects(read(readListJson, whole.slice(0, length)), /list of projects/, String(length));
  for (const text of [
    '{"projects":["a"]}',
    '{"projects":[["a"]]}',
    '{"projects":[1]}',
    '{"projects":{"name":"a"}}',
    '{"meta":{}}',
    '[{"name":"a"}]',
    '{"projects":[],"projects":[]}',
    '{"projects":[{"name":}]}',
    '<html></html>',
  ])
    await assert.rejects(read(readListJson, text), /list of projects/, text);
});

test('entries whose name is none are left out', async () => {
  const text = '{"projects":[{"name":"../x"},{"name":1},{},{"name":"ok"}]}';
  assert.deepEqual((await read(readListJson, text)).entries, [{ name: 'ok' }]);
});

test('an entry, the rest, or a tag without end is refused before it fills memory', async () => {
  await assert.rejects(drain(readListJson(endless('{"projects":[{"name":"'))), /more than 65536 bytes/);
  await assert.rejects(drain(readListJson(endless('{"meta":"'))), /more than 65536 bytes/);
  await assert.rejects(drain(readListHtml(endless('<html><a href="'))), /no end/);
  await assert.rejects(drain(readListHtml(endless('<html><!--'))), /no end/);
});

test('HTML in chunks of any size gives the names of its links', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(names, { minLength: 1 }), sizes, async (lists, cut) => {
      const all = [...lists.flat(), 'x'];
      const links = all.map((name) => `<a href='/simple/${name}/' >\n ${name}</a><br/>`).join('\n');
      const text = `<!DOCTYPE html><html><head><title>Simple index</title></head><body>${links}</body></html>`;
      const { entries } = await read(readListHtml, text, cut);
      assert.deepEqual(
        entries,
        all.map((name) => ({ name })),
      );
    }),
    { numRuns: 50 },
  );
});

test('HTML that was cut, and a login page, are refused', async () => {
  const whole = '<html><body><a href="a/">a</a><a href="b/">b</a></body></html>';
  for (const length of [20, 35, 50])
    await assert.rejects(read(readListHtml, whole.slice(0, length)), /list of projects/);
  await assert.rejects(
    read(readListHtml, '<html><body><form>log in</form></body></html>'),
    /links to no project/,
  );
});
