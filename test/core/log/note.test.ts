import assert from 'node:assert/strict';
import { createPrivateKey, sign } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from '../../../src/core/limits.ts';
import { openCheckpoint } from '../../../src/core/log/checkpoint.ts';
import { cosignatureTime, cosignedMessage } from '../../../src/core/log/cosignature.ts';
import { formatNote, openNote, parseNote, signNote } from '../../../src/core/log/note.ts';
import { generateKeyPair, parseSignerKey, type Signer } from '../../../src/core/log/signer-key.ts';
import {
  algorithms,
  createVerifierKey,
  keyId,
  parseVerifierKey,
  type VerifierKey,
} from '../../../src/core/log/verifier-key.ts';
import { damages, keyNames, noteTexts, signerOf } from './arbitraries.ts';
import { isLogError } from './log-error.ts';

const alice = signerOf('alice.example/log', 1);
const bob = signerOf('bob.example/log', 2);
const CHECKPOINT = 'alice.example/log\n1\nTszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBb0=\n';

/** A witness of tlog-cosignature, as its specification says. */
function cosign(name: string, seed: number, text: string, time: bigint) {
  const key = createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, seed)]),
    format: 'der',
    type: 'pkcs8',
  });
  const head = Buffer.alloc(8);
  head.writeBigUInt64BE(time);
  const bytes = Buffer.concat([head, sign(null, cosignedMessage(Buffer.from(text), time), key)]);
  const verifier = createVerifierKey(name, algorithms.cosignature, signerOf(name, seed).key.publicKey);
  return { verifier, signature: { name, id: verifier.id, bytes } };
}

test('keys can be generated, written, read, and sign notes that verify', () => {
  fc.assert(
    fc.property(keyNames, fc.uint8Array({ minLength: 32, maxLength: 32 }), noteTexts, (name, seed, text) => {
      const pair = generateKeyPair(name, { bytes: () => seed, float: () => 0 });
      const signer = parseSignerKey(pair.signerKey);
      const key = parseVerifierKey(pair.verifierKey);
      assert.equal(key.text, pair.verifierKey);
      assert.equal(signer.key.text, key.text);
      const opened = openNote(signNote(text, [signer]), [key]);
      assert.equal(opened.text, text);
      assert.equal(opened.verified[0]?.key, key);
    }),
  );
});

test('no part of a key is a key, nor is one with a letter changed', () => {
  const pair = generateKeyPair('alice.example', { bytes: () => Buffer.alloc(32, 7), float: () => 0 });
  for (const [text, parse] of [
    [pair.verifierKey, parseVerifierKey],
    [pair.signerKey, parseSignerKey],
  ] as const) {
    parse(text);
    for (let i = 0; i <= text.length; i++)
      for (let j = i; j <= text.length; j++)
        if (i !== 0 || j !== text.length) assert.throws(() => parse(text.slice(i, j)), isLogError);
    for (let i = 0; i < text.length; i++) {
      const changed = text.slice(0, i) + String.fromCharCode(text.charCodeAt(i) + 1) + text.slice(i + 1);
      // Only a key of another algorithm can pass: its ID may be computed in another way.
      assert.ok(
        throwsOrUnknown(() => parse(changed)),
        changed,
      );
    }
  }
});

function throwsOrUnknown(parse: () => Signer | VerifierKey): boolean {
  try {
    const key = parse();
    return 'algorithm' in key && key.algorithm !== algorithms.ed25519;
  } catch (error) {
    return isLogError(error);
  }
}

test('a secret key is in no error', () => {
  const secret = generateKeyPair('alice.example', {
    bytes: () => Buffer.alloc(32, 7),
    float: () => 0,
  }).signerKey;
  const material = secret.slice(-30);
  for (let i = 0; i < secret.length; i++) {
    try {
      parseSignerKey(`${secret.slice(0, i)}!${secret.slice(i + 1)}`);
    } catch (error) {
      assert.ok(!(error as Error).message.includes(material));
    }
  }
});

test('an altered note is not accepted, whatever was altered', () => {
  fc.assert(
    fc.property(noteTexts, damages, (text, damage) => {
      const note = Buffer.from(signNote(text, [alice]));
      const damaged = Buffer.from(damage(note));
      let opened;
      try {
        opened = openNote(damaged, [alice.key]);
      } catch (error) {
        assert.ok(isLogError(error));
        return;
      }
      // Signatures of nobody may come beside; the text may not change.
      assert.equal(opened.text, text);
      assert.equal(opened.verified.length, 1);
      if (opened.unverified.length === 0 && parseNote(damaged).signatures.length === 1)
        assert.deepEqual(damaged, note);
    }),
    { numRuns: 500 },
  );
});

test('any bytes are a note that is written as it was read, or refused', () => {
  const marked = fc.string({
    unit: fc.constantFrom('a', '\n', '\n\n', '\u2014 ', ' ', 'x08gow==', 'AAAAAAA='),
  });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        marked.map((text) => Buffer.from(text)),
      ),
      (bytes) => {
        let note;
        try {
          note = parseNote(bytes);
        } catch (error) {
          assert.ok(isLogError(error));
          return;
        }
        assert.deepEqual(Buffer.from(formatNote(note)), Buffer.from(bytes));
      },
    ),
    { numRuns: 1000 },
  );
});

test('a note over 64 KiB is refused before it is looked at', () => {
  const line = `${'a'.repeat(1023)}\n`;
  const fits = line.repeat(63);
  openNote(signNote(fits, [alice]), [alice.key]);
  assert.throws(() => signNote(line.repeat(64), [alice]), { code: 'NOTE_TOO_LARGE' });
  assert.throws(() => parseNote(Buffer.alloc(limits.log.noteBytes + 1, 0xff)), { code: 'NOTE_TOO_LARGE' });
});

test('what no reader would take is not written', () => {
  for (const text of ['abc', '', 'a\tb\n', 'a\u0000\n', '\ud800\n'])
    assert.throws(() => signNote(text, [alice]), { code: 'NOTE_MALFORMED' }, JSON.stringify(text));
  assert.throws(() => signNote('a\n', []), { code: 'NOTE_MALFORMED' });
  for (const name of ['', 'a b', 'a+b', 'a\u2028b', 'a\u0001b', 'a'.repeat(256), 'a\ud800'])
    assert.throws(
      () => generateKeyPair(name, { bytes: (length) => new Uint8Array(length), float: () => 0 }),
      { code: 'KEY_MALFORMED' },
    );
});

test('a second signature of a known key that is wrong spoils the note', () => {
  const note = parseNote(signNote('a\n', [alice]));
  const wrong = { name: alice.key.name, id: alice.key.id, bytes: Buffer.alloc(64) };
  const both = formatNote({ text: note.text, signatures: [...note.signatures, wrong] });
  assert.throws(() => openNote(both, [alice.key]), { code: 'NOTE_BAD_SIGNATURE' });
});

test('two keys of one name and ID are refused when they matter', () => {
  const twin = { ...bob.key, name: alice.key.name, id: alice.key.id };
  assert.throws(() => openNote(signNote('a\n', [alice]), [alice.key, twin]), { code: 'KEY_AMBIGUOUS' });
  openNote(signNote('a\n', [alice]), [alice.key, { ...alice.key }]);
});

test('a signature with an S that is not reduced is refused', () => {
  const [signature] = parseNote(signNote('a\n', [alice])).signatures;
  const bytes = Buffer.from(signature?.bytes ?? []);
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  let s = BigInt(`0x${Buffer.from(bytes.subarray(32).toReversed()).toString('hex')}`) + order;
  for (let i = 32; i < 64; i++, s >>= 8n) bytes[i] = Number(s & 0xffn);
  const note = formatNote({ text: 'a\n', signatures: [{ name: alice.key.name, id: alice.key.id, bytes }] });
  assert.throws(() => openNote(note, [alice.key]), { code: 'NOTE_BAD_SIGNATURE' });
});

test('a witness cosigns with a time, and does not stand in for the log', () => {
  const witness = cosign('witness.example/w1', 3, CHECKPOINT, 1_679_315_147n);
  const note = parseNote(signNote(CHECKPOINT, [alice]));
  const bytes = formatNote({ ...note, signatures: [...note.signatures, witness.signature] });
  const opened = openCheckpoint(bytes, [witness.verifier, alice.key]);
  assert.deepEqual(
    opened.signedBy.map(({ key }) => key),
    [alice.key],
  );
  assert.deepEqual(
    opened.cosignedBy.map(({ key }) => key),
    [witness.verifier],
  );
  assert.equal(cosignatureTime(opened.cosignedBy[0]?.bytes ?? Buffer.alloc(0)), 1_679_315_147n);
  assert.throws(() => openCheckpoint(bytes, [witness.verifier]), { code: 'CHECKPOINT_OTHER_ORIGIN' });
});

test("a cosigner that has the log's own name is no log", () => {
  const twin = cosign(alice.key.name, 3, CHECKPOINT, 5n);
  const alone = formatNote({ text: CHECKPOINT, signatures: [twin.signature] });
  assert.throws(() => openCheckpoint(alone, [twin.verifier, alice.key]), { code: 'CHECKPOINT_OTHER_ORIGIN' });
});

test('a cosignature with another time, or a time over 2^63 - 1, is wrong', () => {
  for (const time of [0n, 2n ** 63n - 1n]) {
    const { verifier, signature } = cosign('w', 3, CHECKPOINT, time);
    openNote(formatNote({ text: CHECKPOINT, signatures: [signature] }), [verifier]);
    signature.bytes.writeBigUInt64BE(time ^ 1n);
    assert.throws(() => openNote(formatNote({ text: CHECKPOINT, signatures: [signature] }), [verifier]), {
      code: 'NOTE_BAD_SIGNATURE',
    });
  }
  const { verifier, signature } = cosign('w', 3, CHECKPOINT, 2n ** 63n);
  assert.throws(() => openNote(formatNote({ text: CHECKPOINT, signatures: [signature] }), [verifier]), {
    code: 'NOTE_BAD_SIGNATURE',
  });
});

test('one key for notes and for cosignatures has two IDs, and a signature of one kind is not one of the other', () => {
  const { name, publicKey, id } = alice.key;
  const cosigner = createVerifierKey(name, algorithms.cosignature, publicKey);
  assert.notEqual(cosigner.id, id);
  assert.throws(() => openNote(signNote(CHECKPOINT, [alice]), [cosigner]), { code: 'NOTE_UNKNOWN_KEY' });
  assert.throws(() => openNote(signNote(CHECKPOINT, [alice]), [{ ...cosigner, id }]), {
    code: 'NOTE_BAD_SIGNATURE',
  });
});

test('an ML-DSA key is read and its signatures are passed over', () => {
  const publicKey = Buffer.alloc(1312, 9);
  const key = createVerifierKey('future.example', algorithms.mlDsa, publicKey);
  assert.deepEqual(parseVerifierKey(key.text).id, keyId('future.example', 6, publicKey));
  const note = parseNote(signNote('a\n', [alice]));
  const signature = { name: key.name, id: key.id, bytes: Buffer.alloc(8 + 2420, 1) };
  const bytes = formatNote({ text: note.text, signatures: [signature, ...note.signatures] });
  assert.equal(openNote(bytes, [key, alice.key]).unverified.length, 1);
  assert.throws(() => openNote(bytes, [key]), { code: 'NOTE_UNKNOWN_KEY' });
  assert.throws(() => parseVerifierKey(createVerifierKey('a', 6, publicKey.subarray(1)).text), {
    code: 'KEY_MALFORMED',
  });
});

test('a signer key of another algorithm, or with the ID of another name, is refused', () => {
  const { signerKey } = generateKeyPair('alice.example', {
    bytes: () => Buffer.alloc(32, 7),
    float: () => 0,
  });
  const material = Buffer.concat([Buffer.of(6), Buffer.alloc(32)]).toString('base64');
  assert.throws(() => parseSignerKey(signerKey.replace(/[^+]+$/, material)), { code: 'KEY_UNSUPPORTED' });
  assert.throws(() => parseSignerKey(signerKey.replace('alice', 'alyce')), { code: 'KEY_WRONG_ID' });
});
