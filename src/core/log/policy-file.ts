/**
 * Policy files in the format of C2SP tlog-policy: which logs a node follows, and which of them must agree. A file that was
 * read is valid as a whole; its lines are kept as they stand, so that editing changes nothing else. Text is octets: what is not
 * UTF-8 is read as Latin-1, so that names that differ stay different.
 */
import { ConfigurationError } from '../errors.ts';
import { limits } from '../limits.ts';
import { encodeBase64 } from './base64.ts';
import { type PolicyException, readException } from './policy-exceptions.ts';
import { algorithms, parseVerifierKey, type VerifierKey } from './verifier-key.ts';

export interface PolicyLog {
  readonly key: VerifierKey;
  readonly url: string | undefined;
  /** Of the file, from 0. */
  readonly line: number;
}

export interface PolicyWitness extends PolicyLog {
  readonly name: string;
}

export interface PolicyGroup {
  readonly name: string;
  readonly threshold: number;
  readonly members: readonly string[];
  readonly line: number;
}

export interface PolicyFile {
  /** For errors: the path. */
  readonly source: string;
  readonly lines: readonly string[];
  readonly encoding: 'utf8' | 'latin1';
  readonly logs: readonly PolicyLog[];
  readonly witnesses: readonly PolicyWitness[];
  readonly groups: readonly PolicyGroup[];
  /** The name of a witness or group, or `none`. */
  readonly quorum: { readonly name: string; readonly line: number };
  /** Ours alone: comments to other readers of the format. */
  readonly exceptions: readonly PolicyException[];
}

export const EMPTY_POLICY = Buffer.from('quorum none\n');

/** @throws ConfigurationError that names `source` and the line and says what to do */
export function parsePolicy(bytes: Uint8Array, source: string): PolicyFile {
  if (bytes.length > limits.log.policyBytes)
    throw new ConfigurationError(
      'usage',
      `${source} has ${bytes.length} bytes: a policy has at most ${limits.log.policyBytes}`,
      'name a policy file, as `fondue trust add` writes it',
    );
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const encoding = Buffer.from(buffer.toString()).equals(buffer) ? 'utf8' : 'latin1';
  const lines = buffer.toString(encoding).split('\n');
  if (lines.at(-1) === '') lines.pop();
  const reader = new PolicyReader(source, encoding);
  for (const [number, line] of lines.entries()) reader.read(line, number);
  return { source, lines, encoding, ...reader.end(lines.length) };
}

export function formatPolicy({ lines, encoding }: Pick<PolicyFile, 'lines' | 'encoding'>): Uint8Array {
  return Buffer.from(lines.map((line) => `${line}\n`).join(''), encoding);
}

/** @throws ConfigurationError */
export function policyFault(source: string, line: number, what: string, fix: string, cause?: unknown): never {
  throw new ConfigurationError('usage', `${source}, line ${line + 1}: ${what}`, fix, { cause });
}

/** Items of a line: separated by spaces and tabs only. Empty for comments. */
export function policyItems(line: string): string[] {
  const items = line.split(/[ \t]+/).filter((item) => item !== '');
  return items[0]?.startsWith('#') ? [] : items;
}

class PolicyReader {
  readonly #source: string;
  readonly #encoding: 'utf8' | 'latin1';
  readonly #logs: PolicyLog[] = [];
  readonly #witnesses: PolicyWitness[] = [];
  readonly #groups: PolicyGroup[] = [];
  readonly #exceptions: PolicyException[] = [];
  readonly #names = new Set<string>();
  /** Names that are in a group already: a witness counts in one way only. */
  readonly #members = new Set<string>();
  #quorum: PolicyFile['quorum'] | undefined;
  #line = 0;

  constructor(source: string, encoding: 'utf8' | 'latin1') {
    this.#source = source;
    this.#encoding = encoding;
  }

  read(line: string, number: number): void {
    this.#line = number;
    // oxlint-disable-next-line no-control-regex -- the specification allows the tab only
    const control = /[\u0000-\u0008\u000a-\u001f\u007f]/.exec(line)?.[0];
    if (control !== undefined)
      this.#fail(
        `has the control character ${control.charCodeAt(0)}`,
        control === '\r' ? 'save the file with Unix line ends' : 'remove it',
      );
    const [keyword, ...items] = policyItems(line);
    if (keyword === undefined) {
      const exception = readException(line, number, (what, fix) => this.#fail(what, fix));
      if (exception !== undefined) this.#add(this.#exceptions, exception);
      return;
    }
    if (keyword === 'log') this.#readLog(items);
    else if (keyword === 'witness') this.#readWitness(items);
    else if (keyword === 'group') this.#readGroup(items);
    else if (keyword === 'quorum') this.#readQuorum(items);
    else
      this.#fail(
        `begins with "${keyword.slice(0, 40)}"`,
        'a line begins with log, witness, group, quorum or #',
      );
  }

  end(line: number): Pick<PolicyFile, 'logs' | 'witnesses' | 'groups' | 'quorum' | 'exceptions'> {
    this.#line = line;
    const quorum =
      this.#quorum ?? this.#fail('the file ends without a quorum', 'add the line `quorum publishers`');
    return {
      logs: this.#logs,
      witnesses: this.#witnesses,
      groups: this.#groups,
      quorum,
      exceptions: this.#exceptions,
    };
  }

  #readLog([text, url, ...rest]: readonly string[]): void {
    if (text === undefined || rest.length > 0) this.#fail('is no log', 'write `log VKEY` or `log VKEY URL`');
    const log = { key: this.#key(text), url, line: this.#line };
    this.#refuseTwice(this.#logs, log.key, 'log');
    this.#add(this.#logs, log);
  }

  #readWitness([name, text, url, ...rest]: readonly string[]): void {
    if (name === undefined || text === undefined || rest.length > 0)
      this.#fail('is no witness', 'write `witness NAME VKEY` or `witness NAME VKEY URL`');
    const witness = { name, key: this.#key(text), url, line: this.#line };
    this.#refuseTwice(this.#witnesses, witness.key, 'witness');
    this.#define(name);
    this.#add(this.#witnesses, witness);
  }

  #readGroup([name, threshold, ...members]: readonly string[]): void {
    if (name === undefined || threshold === undefined || members.length === 0)
      this.#fail('is no group', 'write `group NAME K MEMBER...`, K a number, `any` or `all`');
    for (const [i, member] of members.entries()) {
      if (!this.#names.has(member))
        this.#fail(
          `has the member "${member}", which no line above defines`,
          'define it above, or correct the name',
        );
      if (this.#members.has(member) || members.indexOf(member) !== i)
        this.#fail(`has the member "${member}", which is in a group already`, 'keep it in one group, once');
    }
    const count = { any: '1', all: String(members.length) }[threshold] ?? threshold;
    if (!/^[1-9][0-9]{0,5}$/.test(count) || Number(count) > members.length)
      this.#fail(
        `has the threshold "${threshold.slice(0, 20)}" for ${members.length} members`,
        `write a number from 1 to ${members.length}, \`any\` or \`all\``,
      );
    for (const member of members) this.#members.add(member);
    this.#define(name);
    this.#add(this.#groups, { name, threshold: Number(count), members, line: this.#line });
  }

  #readQuorum([name, ...rest]: readonly string[]): void {
    if (name === undefined || rest.length > 0) this.#fail('is no quorum', 'write `quorum NAME`');
    if (this.#quorum !== undefined)
      this.#fail(`is a second quorum; the first is on line ${this.#quorum.line + 1}`, 'remove one of them');
    if (name !== 'none' && !this.#names.has(name))
      this.#fail(`names "${name}", which no line above defines`, 'define it above, or correct the name');
    this.#quorum = { name, line: this.#line };
  }

  #key(text: string): VerifierKey {
    try {
      return parseVerifierKey(this.#encoding === 'utf8' ? text : Buffer.from(text, 'latin1').toString());
    } catch (cause) {
      return this.#fail((cause as Error).message, 'ask the publisher for the key, or copy it again', cause);
    }
  }

  /** Two keys are one when the key material is, whatever their names. */
  #refuseTwice(others: readonly PolicyLog[], key: VerifierKey, what: string): void {
    const material = encodeBase64(key.publicKey);
    const other = others.find((one) => encodeBase64(one.key.publicKey) === material);
    if (other !== undefined)
      this.#fail(`has the same key as the ${what} on line ${other.line + 1}`, 'remove one of them');
  }

  #define(name: string): void {
    if (name === 'none') this.#fail('defines "none", which has a meaning of its own', 'choose another name');
    if (this.#names.has(name)) this.#fail(`defines "${name}" again`, 'choose another name');
    this.#names.add(name);
  }

  #add<T>(list: T[], item: T): void {
    if (list.length >= limits.log.policyItems)
      this.#fail(`is one of more than ${limits.log.policyItems} of its kind`, 'a policy names fewer');
    list.push(item);
  }

  #fail(what: string, fix: string, cause?: unknown): never {
    return policyFault(this.#source, this.#line, what, fix, cause);
  }
}

/** Whether the key can sign a log's checkpoints. */
export function isLogKey({ algorithm }: VerifierKey): boolean {
  return algorithm === algorithms.ed25519;
}
