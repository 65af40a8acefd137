/** What `fondue trust` does to a policy file. Every other line, comments included, stays as it is and where it is. */
import { ConfigurationError } from '../errors.ts';
import { type NewException, withException, withoutException } from './policy-exceptions.ts';
import {
  EMPTY_POLICY,
  isLogKey,
  parsePolicy,
  formatPolicy,
  type PolicyFile,
  policyItems,
} from './policy-file.ts';
import { policyOf, quorumGroup } from './policy.ts';
import { parseVerifierKey } from './verifier-key.ts';

const GROUP = 'publishers';

/**
 * A file with nothing but comments is a beginning for who edits it; for a node that runs it may be half-written, and is wrong.
 * @throws ConfigurationError
 */
export function parsePolicyToEdit(bytes: Uint8Array, source: string): PolicyFile {
  const lines = Buffer.from(bytes).toString('latin1').split('\n');
  if (lines.some((line) => policyItems(line).length > 0)) return parsePolicy(bytes, source);
  const end = lines.at(-1) === '' ? '' : '\n';
  return parsePolicy(Buffer.concat([bytes, Buffer.from(end), EMPTY_POLICY]), source);
}

export interface NewPublisher {
  readonly verifierKey: string;
  /** In the policy; the key's name by default. */
  readonly name?: string | undefined;
  readonly url?: string | undefined;
}

/** The threshold stays; a first publisher makes it 1. @throws ConfigurationError, InvalidLogError KEY_* */
export function addPublisher(file: PolicyFile, publisher: NewPublisher): PolicyFile {
  const key = parseVerifierKey(publisher.verifierKey);
  if (!isLogKey(key))
    fail(
      `the key of ${key.name} has algorithm ${key.algorithm}, which cannot sign a log`,
      'add an Ed25519 key',
    );
  const { name = key.name, url } = publisher;
  if (policyItems(name).length !== 1 || name === GROUP)
    fail(`"${name}" cannot name a publisher in a policy`, 'give another name with --name');
  const { publishers } = policyOf(file);
  const same = publishers.find((one) => one.key.name === key.name);
  if (same !== undefined)
    fail(
      same.key.text === key.text
        ? `${same.name} is trusted already`
        : `${same.name} is another key of the log ${key.name}`,
      `remove it first: fondue trust remove ${same.name}`,
    );
  const text = octets(file, key.text);
  const tail = url === undefined ? '' : ` ${octets(file, url)}`;
  const witness = file.witnesses.find((one) => one.key.text === key.text);
  const member = witness?.name ?? octets(file, name);
  const edits: Edit[] = [];
  if (!file.logs.some((log) => log.key.text === key.text))
    edits.push({ at: endOf(file.logs, file), lines: [`log ${text}${tail}`] });
  const group = quorumGroup(file);
  if (witness === undefined)
    edits.push({
      at: Math.min(endOf(file.witnesses, file), group.line),
      lines: [`witness ${member} ${text}${tail}`],
    });
  if (file.groups.includes(group))
    edits.push({ at: group.line, removed: 1, lines: [`${file.lines[group.line]?.trimEnd()} ${member}`] });
  else {
    const members = file.quorum.name === 'none' ? [member] : [...group.members, member];
    const lines = [`group ${GROUP} 1 ${members.join(' ')}`, `quorum ${GROUP}`];
    edits.push({ at: file.quorum.line, removed: 1, lines });
  }
  return reread(file, applyEdits(file.lines, edits));
}

/** @throws ConfigurationError when there is none of this name, or fewer than the threshold would be left */
export function removePublisher(file: PolicyFile, name: string): PolicyFile {
  const { k, publishers } = policyOf(file);
  const publisher = publishers.find((one) => one.name === name || one.key.text === name);
  if (publisher === undefined)
    return fail(
      `${file.source} trusts no publisher "${name}"`,
      publishers.length === 0
        ? 'there is none to remove'
        : `it trusts ${publishers.map((one) => one.name).join(', ')}`,
    );
  const left = publishers.length - 1;
  if (left > 0 && k > left)
    fail(
      `without ${publisher.name} there are ${left} publishers, of which ${k} would have to agree`,
      `lower the threshold first: fondue trust threshold ${left}`,
    );
  const lines: (string | undefined)[] = [...file.lines];
  const group = quorumGroup(file);
  if (left === 0) {
    if (file.groups.includes(group)) lines[group.line] = undefined;
    lines[file.quorum.line] = 'quorum none';
  } else lines[group.line] = withoutItem(file.lines[group.line] ?? '', publisher.name);
  for (const one of [...file.logs, ...file.witnesses])
    if (one.key.text === publisher.key.text) lines[one.line] = undefined;
  return reread(
    file,
    lines.filter((line) => line !== undefined),
  );
}

/** @throws ConfigurationError unless k is from 1 to the number of publishers */
export function setThreshold(file: PolicyFile, k: number): PolicyFile {
  const { publishers } = policyOf(file);
  if (!Number.isInteger(k) || k < 1 || k > publishers.length)
    fail(
      `${k} of ${publishers.length} publishers cannot agree`,
      publishers.length === 0
        ? 'add publishers first: fondue trust add VKEY'
        : `give a number from 1 to ${publishers.length}`,
    );
  const group = quorumGroup(file);
  if (!file.groups.includes(group)) return file;
  const lines = [...file.lines];
  lines[group.line] = (lines[group.line] ?? '').replace(/^([ \t]*group[ \t]+[^ \t]+[ \t]+)[^ \t]+/, `$1${k}`);
  return reread(file, lines);
}

/** The publisher signs with another key from now on: its lines stay where they are. @throws ConfigurationError, InvalidLogError KEY_* */
export function replaceKey(file: PolicyFile, name: string, verifierKey: string): PolicyFile {
  const { publishers } = policyOf(file);
  const publisher = publishers.find((one) => one.name === name || one.key.text === name);
  if (publisher === undefined)
    return fail(
      `${file.source} trusts no publisher "${name}"`,
      publishers.length === 0 ? 'there is none' : `it trusts ${publishers.map((one) => one.name).join(', ')}`,
    );
  const key = parseVerifierKey(verifierKey);
  if (!isLogKey(key))
    fail(
      `the key of ${key.name} has algorithm ${key.algorithm}, which cannot sign a log`,
      'give an Ed25519 key',
    );
  if (key.name !== publisher.key.name)
    fail(
      `the new key is of the log ${key.name}, and ${publisher.name} is the log ${publisher.key.name}: this is another publisher`,
      `if it is meant: fondue trust add VKEY, then fondue trust remove ${publisher.name}`,
    );
  if (key.text === publisher.key.text) fail(`${publisher.name} has this key already`, 'give its new key');
  const [before, after] = [octets(file, publisher.key.text), octets(file, key.text)];
  const own = new Set(
    [...file.logs, ...file.witnesses]
      .filter((one) => one.key.text === publisher.key.text)
      .map((one) => one.line),
  );
  const lines = file.lines.map((line, number) =>
    own.has(number) ? line.replace(before, () => after) : line,
  );
  return reread(file, lines);
}

/** @throws ConfigurationError when it is there already, or is not (`undo`) */
export function editException(file: PolicyFile, exception: NewException, undo: boolean): PolicyFile {
  return reread(file, undo ? withoutException(file, exception) : withException(file, exception));
}

/** Without the last item of this name (the group's own name comes before its members). */
function withoutItem(line: string, name: string): string {
  const parts = line.split(/([ \t]+)/);
  const at = parts.lastIndexOf(name);
  parts.splice(at - 1, 2);
  return parts.join('');
}

/** After the last of its kind, or above everything that needs it. */
function endOf(items: readonly { readonly line: number }[], file: PolicyFile): number {
  const last = items.at(-1);
  if (last !== undefined) return last.line + 1;
  const needed = [...file.witnesses, ...file.groups, file.quorum].map(({ line }) => line);
  return Math.min(...needed);
}

interface Edit {
  /** Where, in the lines before all edits. */
  readonly at: number;
  readonly removed?: number;
  readonly lines: readonly string[];
}

/** Those at one place stand in the order of `edits`. */
function applyEdits(lines: readonly string[], edits: readonly Edit[]): string[] {
  const edited = [...lines];
  for (const { at, removed = 0, lines: added } of edits.toReversed().sort((a, b) => b.at - a.at))
    edited.splice(at, removed, ...added);
  return edited;
}

/** A text as the file's lines hold it. */
function octets({ encoding }: PolicyFile, text: string): string {
  return encoding === 'utf8' ? text : Buffer.from(text).toString('latin1');
}

/** What was written is read again: an edit never makes a file that is refused later. */
function reread(file: PolicyFile, lines: readonly string[]): PolicyFile {
  const edited = parsePolicy(formatPolicy({ lines, encoding: file.encoding }), file.source);
  policyOf(edited);
  return edited;
}

function fail(what: string, fix: string): never {
  throw new ConfigurationError('usage', what, fix);
}
