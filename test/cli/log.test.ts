import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { logFacts } from '../../src/cli/log.ts';
import type { Digest } from '../../src/core/digest.ts';
import { createFactEmitter } from '../../src/core/facts.ts';

function logged(level: 'trace' | 'debug' | 'info', json: boolean): string {
  let text = '';
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      text += chunk.toString();
      done();
    },
  });
  const facts = createFactEmitter();
  const log = logFacts(level, json, stream as unknown as NodeJS.WriteStream);
  log.listen(facts);
  for (let i = 0; i < 3; i++) facts.emit('served:bytes', { source: 'disk', bytes: 1_048_576 });
  facts.emit('served:request', { route: 'file', status: 200, ms: 12 });
  facts.emit('storage:full', { message: 'the disk is full' });
  log.info('for your information');
  return text;
}

for (const json of [true, false]) {
  test(`each piece of a body is told at trace only, requests at debug (json: ${json})`, () => {
    const count = (text: string, what: RegExp): number => text.match(what)?.length ?? 0;
    const sent = /sent 1048576 bytes from disk/g;
    assert.deepEqual([count(logged('trace', json), sent), count(logged('debug', json), sent)], [3, 0]);
    assert.equal(count(logged('debug', json), /\n/g), 3);
    assert.match(logged('debug', json), /served:request/);
    assert.doesNotMatch(logged('info', json), /served:request/);
    assert.match(logged('info', json), /the disk is full[^]*for your information/);
  });
}

test('an upstream that answers is news, one that does not is a warning', () => {
  const lines: { level: number; msg: string }[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      lines.push(JSON.parse(chunk.toString()) as (typeof lines)[number]);
      done();
    },
  });
  const facts = createFactEmitter();
  logFacts('info', true, stream as unknown as NodeJS.WriteStream).listen(facts);
  facts.emit('upstream:changed', { state: 'ok', error: undefined });
  facts.emit('upstream:changed', { state: 'unreachable', error: 'refused' });
  const [info, warn] = [30, 40];
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [
      [info, 'the upstream answers'],
      [warn, 'the upstream does not answer: refused'],
    ],
  );
});

test('a full disk is a warning once for each kind of thing, until something was stored again', () => {
  const warned: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      warned.push((JSON.parse(chunk.toString()) as { msg: string }).msg);
      done();
    },
  });
  const facts = createFactEmitter();
  logFacts('warn', true, stream as unknown as NodeJS.WriteStream).listen(facts);
  const tell = (): void => {
    for (const message of ['the disk of /d is full', 'the page of a is lost', 'the page of b is lost'])
      facts.emit('storage:full', { message });
  };
  tell();
  tell();
  const once = ['the disk of /d is full', 'the page of a is lost'];
  assert.deepEqual(warned, once);
  const digest = '00'.repeat(32) as Digest;
  facts.emit('blob:added', { digest, size: 1, source: 'upstream', shareable: true });
  tell();
  assert.deepEqual(warned, [...once, ...once]);
});
