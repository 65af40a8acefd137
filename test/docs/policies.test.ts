/** The policies that docs/trust.md shows can be used as they stand, and what it says of k and n is what the program says. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { addPublisher, setThreshold } from '../../src/core/log/edit-policy.ts';
import { ConfigurationError } from '../../src/core/errors.ts';
import { limits } from '../../src/core/limits.ts';
import { EMPTY_POLICY, formatPolicy, parsePolicy, type PolicyFile } from '../../src/core/log/policy-file.ts';
import { policyOf, policyWarnings } from '../../src/core/log/policy.ts';

const page = readFileSync(new URL('../../docs/trust.md', import.meta.url), 'utf8');
const flat = page.replaceAll(/\s+/g, ' ');
const policies = [...page.matchAll(/^```policy\n(.*?)^```$/gms)].map(([, text = ''], index) =>
  parsePolicy(Buffer.from(text), `docs/trust.md, policy ${index + 1}`),
);
const [example, exceptions, none] = policies as [PolicyFile, PolicyFile, PolicyFile];

describe('the policies of docs/trust.md', () => {
  it('are read as they are shown: one of 2 of 3, one with exceptions, one that trusts nobody', () => {
    assert.deepEqual(
      policies.map((file) => [policyOf(file).k, policyOf(file).publishers.length]),
      [
        [2, 3],
        [0, 0],
        [0, 0],
      ],
    );
    assert.deepEqual(
      exceptions.exceptions.map(({ kind, reason }) => [kind, reason]),
      [
        ['override', 'read the report: a false alarm'],
        ['override', ''],
        ['pardon', 'a restored backup, spoke to A.'],
      ],
    );
    assert.deepEqual(policyWarnings(2, 3), []);
    assert.deepEqual(formatPolicy(none), EMPTY_POLICY);
  });

  it('say what `fondue trust` writes, with the comments left alone', () => {
    let written = parsePolicy(EMPTY_POLICY, 'policy');
    for (const { name, key, url } of policyOf(example).publishers)
      written = addPublisher(written, { verifierKey: key.text, name, url });
    written = setThreshold(written, 2);
    const lines = example.lines.filter((line) => line !== '' && !line.startsWith('#'));
    assert.deepEqual(written.lines, lines);
    const edited = formatPolicy(setThreshold(example, 3)).toString();
    assert.equal(edited, formatPolicy(example).toString().replace('publishers 2', 'publishers 3'));
    assert.ok(edited.startsWith('# Two of these three'));
  });

  it('bend the format where the page says so', () => {
    const without = (lines: (line: string) => boolean): Buffer =>
      Buffer.from(example.lines.filter((line) => !lines(line)).join('\n') + '\n');
    const text = formatPolicy(example).toString();
    const refused = (bytes: string | Buffer): void =>
      assert.throws(() => policyOf(parsePolicy(Buffer.from(bytes), 'policy')), ConfigurationError);
    refused(without((line) => line.startsWith('log lab.example.edu')));
    refused(text.replace('quorum publishers', 'group outer 1 publishers\nquorum outer'));
    const alone = parsePolicy(
      Buffer.from(text.replace('quorum publishers', 'quorum example.org/fondue').replace(/^group.*\n/m, '')),
      'policy',
    );
    assert.deepEqual([policyOf(alone).k, policyOf(alone).publishers.length], [1, 1]);
  });
});

describe('what docs/trust.md says', () => {
  it('of risky k and n is what `fondue trust` warns of', () => {
    assert.match(policyWarnings(1, 3)[0] ?? '', /whoever has its key can make every file/);
    assert.match(flat, /\*\*k = 1\*\*: one publisher alone decides: whoever has its key can make every file/);
    assert.match(policyWarnings(3, 3)[0] ?? '', /goes stale with it/);
    assert.match(flat, /\*\*k = n\*\*: when one of them stops, your index goes stale with it/);
    assert.match(policyWarnings(2, 4)[0] ?? '', /no majority/);
    assert.match(flat, /\*\*2k <= n\*\*: no majority/);
  });

  it('of ages and retractions is in the table of limits', () => {
    const { fresh, served, retractions, retractionLife, retractAgain, rotation, bridge } = limits.belief;
    const [minute, day] = [60_000, 24 * 3_600_000];
    assert.deepEqual(
      [fresh, served, retractions, retractionLife, retractAgain, rotation, bridge],
      [10 * minute, day, 32, day, 7 * day, 7 * day, day],
    );
    for (const said of ['up to 10 minutes', 'up to 24 hours', 'At most 32 subjects at once, each for a day'])
      assert.ok(flat.includes(said), said);
  });
});
