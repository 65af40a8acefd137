/**
 * What a person decided against publishers' word, as lines of the policy file: `#fondue override SUBJECT why` (a retraction that
 * is not heeded) and `#fondue pardon DIGEST why` (a proof of misconduct that is forgiven). Other readers of the format
 * see comments. A line that begins like one and is none is refused: a typing error must not trust or distrust in silence.
 */
import { type Digest, isDigest } from '../digest.ts';
import { ConfigurationError } from '../errors.ts';
import type { PolicyFile } from './policy-file.ts';
import { parseRetractionSubject, type RetractionSubject } from './retraction.ts';

export interface PolicyOverride {
  readonly kind: 'override';
  readonly subject: RetractionSubject;
  /** For people. */
  readonly reason: string;
  readonly line: number;
}

export interface PolicyPardon {
  readonly kind: 'pardon';
  /** SHA-256 of the proof. */
  readonly proof: Digest;
  readonly reason: string;
  readonly line: number;
}

export type PolicyException = PolicyOverride | PolicyPardon;

const MARK = '#fondue';

/** Undefined for every other line. @param fail with what is wrong, and how to mend it */
export function readException(
  text: string,
  line: number,
  fail: (what: string, fix: string) => never,
): PolicyException | undefined {
  const [mark, keyword, value = '', ...words] = text.split(/[ \t]+/).filter((item) => item !== '');
  if (mark !== MARK) return undefined;
  const reason = words.join(' ');
  if (keyword === 'override') {
    const subject = parseRetractionSubject(value);
    return subject === undefined
      ? fail(`overrides "${value.slice(0, 80)}", which cannot be retracted`, `write ${overrideForm}`)
      : { kind: 'override', subject, reason, line };
  }
  if (keyword === 'pardon') {
    const proof = value.replace(/^sha256:/, '');
    return isDigest(proof)
      ? { kind: 'pardon', proof, reason, line }
      : fail(`pardons "${value.slice(0, 80)}", which is no digest of a proof`, `write ${pardonForm}`);
  }
  return fail(
    `begins with "${MARK} ${(keyword ?? '').slice(0, 40)}"`,
    `write ${overrideForm} or ${pardonForm}; a comment begins with "# "`,
  );
}

const overrideForm = `\`${MARK} override PROJECT\` or \`${MARK} override sha256:DIGEST\``;
const pardonForm = `\`${MARK} pardon sha256:DIGEST\``;

/** The file's lines with one more. @throws ConfigurationError when it stands there already */
export function withException(file: PolicyFile, exception: NewException): string[] {
  const { name } = named(exception);
  if (file.exceptions.some((one) => named(one).name === name))
    throw new ConfigurationError(
      'usage',
      `${file.source} has that already: ${name}`,
      `take it out with --undo`,
    );
  const reason = exception.reason.trim();
  if (/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u.test(reason))
    throw new ConfigurationError(
      'usage',
      'the reason is not one line of plain text',
      'leave such characters out',
    );
  return [...file.lines, [MARK, name, ...(reason === '' ? [] : [reason])].join(' ')];
}

/** @throws ConfigurationError when it is not there */
export function withoutException(file: PolicyFile, exception: NewException): string[] {
  const { name } = named(exception);
  const found = file.exceptions.find((one) => named(one).name === name);
  if (found === undefined)
    throw new ConfigurationError(
      'usage',
      `${file.source} has no line "${MARK} ${name}"`,
      'fondue trust list says what it has',
    );
  return file.lines.filter((_, line) => line !== found.line);
}

export type NewException = Omit<PolicyOverride, 'line'> | Omit<PolicyPardon, 'line'>;

function named(exception: NewException): { readonly name: string } {
  return {
    name:
      exception.kind === 'override' ? `override ${exception.subject}` : `pardon sha256:${exception.proof}`,
  };
}
