import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConfigurationError } from '../../../src/core/errors.ts';
import {
  addPublisher,
  parsePolicyToEdit,
  removePublisher,
  setThreshold,
} from '../../../src/core/log/edit-policy.ts';
import {
  EMPTY_POLICY,
  formatPolicy,
  parsePolicy,
  type PolicyFile,
} from '../../../src/core/log/policy-file.ts';
import { policyOf, policyWarnings } from '../../../src/core/log/policy.ts';
import { algorithms, createVerifierKey } from '../../../src/core/log/verifier-key.ts';
import { damages, signerOf } from './arbitraries.ts';

const [alice, bob, carol] = ['alice.example', 'bob.example', 'carol.example'].map(
  (name, i) => signerOf(name, i + 1).key.text,
) as [string, string, string];
const dora = signerOf('dora.example', 4).key.text;

const SAMPLE = `# Whom we trust, and why.
log ${alice} https://alice.example/log
log ${bob}
  log ${carol}

# Alice runs the mirror of the university.
witness alice ${alice}
witness\tbob ${bob}
witness carol ${carol} https://carol.example

group publishers   2 alice bob carol
quorum publishers
`;

const parse = (text: string): PolicyFile => parsePolicy(Buffer.from(text), 'policy.txt');
const textOf = (file: PolicyFile): string => Buffer.from(formatPolicy(file)).toString();

/** Message and fix. */
function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof ConfigurationError && error.fault === 'usage', String(error));
    return `${error.message} -> ${error.fix}`;
  }
  return assert.fail('was not refused');
}

test('a policy says how many of which publishers must agree', () => {
  const { k, publishers } = policyOf(parse(SAMPLE));
  assert.equal(k, 2);
  assert.deepEqual(
    publishers.map(({ name, key, url }) => [name, key.name, url]),
    [
      ['alice', 'alice.example', undefined],
      ['bob', 'bob.example', undefined],
      ['carol', 'carol.example', 'https://carol.example'],
    ],
  );
  assert.equal(textOf(parse(SAMPLE)), SAMPLE);
  assert.deepEqual([policyOf(parse('quorum none')).k, policyOf(parse('quorum none')).publishers], [0, []]);
  assert.equal(policyOf(parse(SAMPLE.replace('  2 ', ' all '))).k, 3);
  assert.equal(policyOf(parse(SAMPLE.replace('  2 ', ' any '))).k, 1);
  const single = parse(`log ${alice}\nwitness a ${alice}\nquorum a\n`);
  assert.deepEqual([policyOf(single).k, policyOf(single).publishers[0]?.name], [1, 'a']);
});

test("the format's own example of groups of witnesses is read, with cosigners' keys", () => {
  const cosigner = (i: number): string =>
    createVerifierKey(`w${i}`, algorithms.cosignature, Buffer.alloc(32, i)).text;
  const mlDsa = createVerifierKey('w7', algorithms.mlDsa, Buffer.alloc(1312, 7)).text;
  const file = parse(
    [
      `log ${alice}`,
      ...[1, 2, 3].map((i) => `witness X${i} ${cosigner(i)}`),
      'group X-witnesses 2 X1 X2 X3',
      ...[4, 5].map((i) => `witness Y${i} ${cosigner(i)}`),
      `witness Y3 ${mlDsa} https://w7.example`,
      'group Y-witnesses any Y4 Y5 Y3',
      'group X-and-Y all X-witnesses Y-witnesses',
      'quorum X-and-Y',
    ].join('\n'),
  );
  assert.deepEqual(
    file.groups.map(({ threshold }) => threshold),
    [2, 1, 2],
  );
  assert.match(
    refusal(() => policyOf(file)),
    /policy\.txt, line 10: "X-witnesses" is a group .* -> list the publishers/,
  );
});

const bad: [string, string, RegExp][] = [
  ['an unknown keyword', 'logs x\nquorum none', /line 1: begins with "logs"/],
  ['a log without a key', 'log\nquorum none', /line 1: .* -> write `log VKEY`/],
  ['a log with too much', `log ${alice} u x\nquorum none`, /line 1: is no log/],
  [
    'a key with a typing error',
    `\nlog ${alice.replace('alice', 'alyce')}\nquorum none`,
    /line 2: .* -> ask the publisher/,
  ],
  [
    'one log twice',
    `log ${alice}\nlog ${alice}\nquorum none`,
    /line 2: has the same key as the log on line 1/,
  ],
  [
    'one key under two names',
    `log ${alice}\nlog ${signerOf('other.example', 1).key.text}\nquorum none`,
    /line 2: has the same key/,
  ],
  [
    'one witness twice',
    `witness a ${alice}\nwitness b ${alice}\nquorum none`,
    /line 2: has the same key as the witness/,
  ],
  ['one name twice', `witness a ${alice}\nwitness a ${bob}\nquorum none`, /line 2: defines "a" again/],
  ['the name none', `witness none ${alice}\nquorum none`, /line 1: defines "none"/],
  ['a group of nobody', 'group g 1\nquorum none', /line 1: is no group/],
  [
    'a member that is defined below',
    `group g 1 a\nwitness a ${alice}\nquorum g`,
    /line 1: has the member "a", which no/,
  ],
  ['a group in itself', 'group g 1 g\nquorum g', /line 1: has the member "g", which no/],
  [
    'one member twice',
    `witness a ${alice}\ngroup g 1 a a\nquorum g`,
    /line 2: has the member "a", which is in a group/,
  ],
  [
    'one member in two groups',
    `witness a ${alice}\ngroup g 1 a\ngroup h 1 a\nquorum g`,
    /line 3: has the member "a", which is in a group/,
  ],
  [
    'a threshold of 0',
    `witness a ${alice}\ngroup g 0 a\nquorum g`,
    /line 2: has the threshold "0" for 1 members/,
  ],
  [
    'a threshold over n',
    `witness a ${alice}\ngroup g 2 a\nquorum g`,
    /line 2: .* -> write a number from 1 to 1/,
  ],
  [
    'a threshold with a zero before',
    `witness a ${alice}\ngroup g 01 a\nquorum g`,
    /line 2: has the threshold "01"/,
  ],
  [
    'a threshold that is no number',
    `witness a ${alice}\ngroup g most a\nquorum g`,
    /line 2: has the threshold "most"/,
  ],
  ['no quorum', `log ${alice}\n`, /line 2: the file ends without a quorum/],
  ['two quorums', 'quorum none\nquorum none', /line 2: is a second quorum; the first is on line 1/],
  ['a quorum of nobody', 'quorum g', /line 1: names "g", which no line above defines/],
  [
    'Windows line ends',
    'quorum none\r\n',
    /line 1: has the control character 13 -> save the file with Unix line ends/,
  ],
  ['a form feed', 'quorum none\f', /line 1: has the control character 12/],
];

for (const [what, text, expected] of bad) {
  test(`refused with file and line: ${what}`, () => {
    const message = refusal(() => parse(text));
    assert.match(message, /^policy\.txt, line/);
    assert.match(message, expected);
  });
}

test('a publisher that could never vote is an error, not a silent one less', () => {
  const noLog = SAMPLE.replace(`log ${bob}\n`, '');
  assert.match(
    refusal(() => policyOf(parse(noLog))),
    /line 7: bob is in the quorum and has no log .* -> add the line `log bob/,
  );
  const future = createVerifierKey('future.example', algorithms.mlDsa, Buffer.alloc(1312)).text;
  const unknown = `log ${future}\nwitness f ${future}\nquorum f`;
  assert.match(
    refusal(() => policyOf(parse(unknown))),
    /line 2: .* algorithm 6, which this version cannot verify/,
  );
});

test('two keys of one publisher have one vote', () => {
  const second = signerOf('alice.example', 8).key.text;
  const text = `log ${alice}\nlog ${second}\nwitness a ${alice}\nwitness b ${second}\ngroup g 2 a b\nquorum g`;
  assert.match(
    refusal(() => policyOf(parse(text))),
    /line 5: a and b are keys of one log/,
  );
});

test('only spaces and tabs separate, and names are octets', () => {
  const kelvin = '\u212a';
  const file = parse(
    `witness K ${alice}\nwitness ${kelvin} ${bob}\nwitness a\u00a0b ${carol}\ngroup g 3 K ${kelvin} a\u00a0b\nquorum g`,
  );
  assert.deepEqual(file.groups[0]?.members, ['K', kelvin, 'a\u00a0b']);
  const latin = Buffer.from(`# \xe4\nlog ${alice}\nwitness \xe4 ${alice}\nquorum \xe4\n`, 'latin1');
  const read = parsePolicy(latin, 'p');
  assert.deepEqual(Buffer.from(formatPolicy(read)), latin);
  const edited = addPublisher(read, { verifierKey: signerOf('z\u00fcrich.example', 5).key.text });
  const again = parsePolicy(formatPolicy(edited), 'p');
  assert.equal(policyOf(again).publishers[1]?.key.name, 'z\u00fcrich.example');
});

test('trust add, threshold and remove change their lines only', () => {
  let file = parse(SAMPLE);
  file = addPublisher(file, { verifierKey: dora, name: 'dora', url: 'https://dora.example' });
  file = setThreshold(file, 3);
  assert.equal(
    textOf(file),
    SAMPLE.replace(`  log ${carol}\n`, `  log ${carol}\nlog ${dora} https://dora.example\n`)
      .replace(
        'https://carol.example\n',
        `https://carol.example\nwitness dora ${dora} https://dora.example\n`,
      )
      .replace('publishers   2 alice bob carol', 'publishers   3 alice bob carol dora'),
  );
  file = setThreshold(removePublisher(file, 'dora'), 2);
  assert.equal(textOf(file), SAMPLE);
  assert.equal(textOf(removePublisher(file, alice)).includes('alice.example'), false);
});

test('a policy can be made from nothing and taken back to nothing', () => {
  let file = parsePolicy(EMPTY_POLICY, 'policy.txt');
  for (const verifierKey of [alice, bob, carol]) file = addPublisher(file, { verifierKey });
  file = setThreshold(file, 2);
  assert.deepEqual(policyOf(file).k, 2);
  assert.equal(
    textOf(file),
    `${[alice, bob, carol].map((key) => `log ${key}`).join('\n')}\n${[alice, bob, carol].map((key) => `witness ${key.split('+')[0]} ${key}`).join('\n')}\ngroup publishers 2 alice.example bob.example carol.example\nquorum publishers\n`,
  );
  file = setThreshold(file, 1);
  for (const name of ['bob.example', 'alice.example', 'carol.example']) file = removePublisher(file, name);
  assert.equal(textOf(file), 'quorum none\n');
});

test('edits hold wherever the lines stand', () => {
  const odd = `witness alice ${alice}\ngroup publishers 1 alice\nquorum publishers\nlog ${alice}\n`;
  const added = addPublisher(parse(odd), { verifierKey: bob, name: 'bob' });
  assert.deepEqual(
    policyOf(added).publishers.map(({ name }) => name),
    ['alice', 'bob'],
  );
  assert.equal(textOf(removePublisher(added, 'bob')), odd);
  const single = addPublisher(parse(`log ${alice}\nwitness a ${alice}\nquorum a\n`), { verifierKey: bob });
  assert.deepEqual(
    policyOf(single).publishers.map(({ name }) => name),
    ['a', 'bob.example'],
  );
  // A log that is followed already, and a witness outside of the quorum.
  const followed = parse(
    `log ${alice}\nlog ${bob}\nwitness a ${alice}\nwitness b ${bob}\ngroup g 1 a\nquorum g\n`,
  );
  assert.equal(
    textOf(addPublisher(followed, { verifierKey: bob })),
    textOf(followed).replace('1 a', '1 a b'),
  );
  // A member that has the group's name in it.
  const named = parse(
    `log ${alice}\nlog ${bob}\nwitness 1 ${alice}\nwitness g2 ${bob}\ngroup g 1 1 g2\nquorum g\n`,
  );
  assert.match(textOf(removePublisher(named, '1')), /^group g 1 g2$/m);
});

test('what cannot be trusted, removed or counted is refused with a way out', () => {
  const file = parse(SAMPLE);
  assert.match(
    refusal(() => addPublisher(file, { verifierKey: alice })),
    /trusted already -> .*trust remove alice/,
  );
  const second = signerOf('alice.example', 8).key.text;
  assert.match(
    refusal(() => addPublisher(file, { verifierKey: second })),
    /another key of the log alice\.example/,
  );
  assert.match(
    refusal(() => addPublisher(file, { verifierKey: dora, name: 'a b' })),
    /cannot name a publisher/,
  );
  assert.match(
    refusal(() => addPublisher(file, { verifierKey: dora, name: 'bob' })),
    /defines "bob" again/,
  );
  const cosigner = createVerifierKey('w', algorithms.cosignature, Buffer.alloc(32, 1)).text;
  assert.match(
    refusal(() => addPublisher(file, { verifierKey: cosigner })),
    /cannot sign a log/,
  );
  assert.match(
    refusal(() => removePublisher(file, 'zoe')),
    /no publisher "zoe" -> it trusts alice, bob, carol/,
  );
  const two = removePublisher(file, 'carol');
  assert.match(
    refusal(() => removePublisher(two, 'bob')),
    /-> lower the threshold first: fondue trust threshold 1/,
  );
  for (const k of [0, 4, 1.5, NaN])
    assert.match(
      refusal(() => setThreshold(file, k)),
      /from 1 to 3/,
    );
  assert.throws(() => addPublisher(file, { verifierKey: 'x' }), { code: 'KEY_MALFORMED' });
});

test('warnings say what k of n means', () => {
  assert.deepEqual(policyWarnings(2, 3), []);
  assert.match(policyWarnings(1, 3).join(), /one publisher alone/);
  assert.match(policyWarnings(3, 3).join(), /all 3/);
  assert.match(policyWarnings(2, 4).join(), /no majority/);
  assert.equal(policyWarnings(1, 1).length, 1);
  assert.match(policyWarnings(0, 0).join(), /no publisher/);
});

test('any text is a policy or refused with its line, and what is a policy can be edited', () => {
  const texts = fc.oneof(
    damages.map((damage) => damage(Buffer.from(SAMPLE))),
    fc.uint8Array({ maxLength: 100 }),
    fc
      .array(
        fc.constantFrom(
          'log',
          'witness',
          'group',
          'quorum',
          alice,
          bob,
          'a',
          'b',
          '1',
          'all',
          'none',
          '\n',
          '#',
        ),
      )
      .map((items) => Buffer.from(items.join(' '))),
  );
  fc.assert(
    fc.property(texts, (bytes) => {
      try {
        const file = parsePolicy(bytes, 'p');
        const { publishers } = policyOf(file);
        const edited = addPublisher(file, { verifierKey: dora, name: 'dora' });
        assert.equal(policyOf(edited).publishers.length, publishers.length + 1);
        assert.deepEqual(policyOf(removePublisher(edited, 'dora')).publishers.length, publishers.length);
      } catch (error) {
        assert.ok(error instanceof ConfigurationError, String(error));
      }
    }),
    { numRuns: 1000 },
  );
  assert.throws(() => parsePolicy(Buffer.alloc(256 * 1024 + 1, '#'), 'p'), ConfigurationError);
});

test('a file with nothing but comments can be edited, keeps them, and is wrong for who does not edit it', () => {
  for (const text of ['', '\n', '# who we believe', '# who we believe\n\n', '#fondue override flask\n']) {
    assert.match(
      refusal(() => parse(text)),
      /ends without a quorum/,
      JSON.stringify(text),
    );
    const edited = addPublisher(parsePolicyToEdit(Buffer.from(text), 'policy.txt'), { verifierKey: alice });
    assert.ok(textOf(edited).startsWith(text), JSON.stringify(text));
    assert.deepEqual(
      policyOf(parse(textOf(edited))).publishers.map(({ name }) => name),
      ['alice.example'],
    );
  }
  const wrong = `log ${alice}\n`;
  assert.match(
    refusal(() => parsePolicyToEdit(Buffer.from(wrong), 'policy.txt')),
    /ends without a quorum/,
  );
  assert.equal(textOf(parsePolicyToEdit(Buffer.from(SAMPLE), 'policy.txt')), SAMPLE);
});
