import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvalidContentError } from '../../src/core/errors.ts';
import { parseStrictJson } from '../../src/core/strict-json.ts';

test('a key twice in one object is refused, however it is written', () => {
  for (const text of [
    '{"a":1,"a":2}',
    '{"a":1,"b":{"c":[{"d":1,"d":1}]}}',
    String.raw`{"a":1,"\u0061":2}`,
    String.raw`{"\"":1,"\u0022":2}`,
    '{"":1,"":2}',
    '[1,{"x":{},"y":[{}],"x":0}]',
    String.raw`{"a":"\\","a":1}`,
    '{"__proto__":1,"__proto__":2}',
  ])
    assert.throws(() => parseStrictJson(text), InvalidContentError, text);
});

test('the same key in different objects is none twice', () => {
  for (const text of [
    '{"a":{"a":{"a":1}}}',
    '[{"a":1},{"a":2}]',
    '{"a":"a","b":"a:","c":"{\\"a\\":1,\\"a\\":2}"}',
    String.raw`{"a\\":1,"a":2,"a\"":3}`,
    '{"a":["a","a"],"b":1}',
    '{"a":{},"b":"a"}',
  ])
    assert.deepEqual(parseStrictJson(text), JSON.parse(text), text);
});

test('any JSON is read as JSON.parse reads it, and once a key is doubled anywhere it is refused', () => {
  fc.assert(
    fc.property(fc.json(), fc.string(), fc.json(), (text, key, inner) => {
      assert.deepEqual(parseStrictJson(text), JSON.parse(text));
      const name = JSON.stringify(key);
      assert.throws(
        () => parseStrictJson(`[${text},{${name}:${inner},${name}:${text}}]`),
        InvalidContentError,
      );
    }),
  );
});

test('what is not JSON is a SyntaxError', () => {
  for (const text of ['', '{', '{"a":1,}', '[1', '"\\', "{'a':1}", '{"a":1}x'])
    assert.throws(() => parseStrictJson(text), SyntaxError, text);
});
