/**
 * The program's errors: few classes, each with a stable `code`, the facts as fields and a `cause`. A message says what
 * happened, to what, and what to do. Expected absence is `undefined`, not an error.
 */

export abstract class FondueError extends Error {
  abstract readonly code: string;
  override get name(): string {
    return this.constructor.name;
  }
}

/** A project name, digest, filename or path that is not well formed. */
export class InvalidNameError extends FondueError {
  readonly code = 'INVALID_NAME';
  readonly value: string;
  constructor(value: string, message: string) {
    super(message);
    this.value = value;
  }
}

/** Known not to exist: somebody who must know said so. */
export class NotFoundError extends FondueError {
  readonly code = 'NOT_FOUND';
}

/** Bytes that do not fit what was promised of them (hash or length). */
export class IntegrityError extends FondueError {
  readonly code = 'INTEGRITY';
  readonly expected: string;
  readonly actual: string;
  /** Where the bytes came from: a URL, `peer:<id>`, or `disk`. */
  readonly source: string;
  constructor(facts: { expected: string; actual: string; source: string }, message?: string) {
    super(message ?? `${facts.source} gave bytes with ${facts.actual} where ${facts.expected} was promised`);
    this.expected = facts.expected;
    this.actual = facts.actual;
    this.source = facts.source;
  }
}

/**
 * `*_TOO_LARGE` is over a limit, `*_MALFORMED` breaks the format, `*_WRONG_ROOT` leads to another root than the signed one.
 * A bin's names must be normalized, ascending, and of that bin; its bytes must be the only encoding of what they say.
 */
export type IndexMapFault =
  | 'BIN_TOO_LARGE'
  | 'BIN_MALFORMED'
  | 'BIN_NOT_CANONICAL'
  | 'BIN_BAD_NAME'
  | 'BIN_BAD_ORDER'
  | 'BIN_FOREIGN_NAME'
  | 'DELTA_TOO_LARGE'
  | 'DELTA_MALFORMED'
  | 'DELTA_NOT_CANONICAL'
  | 'DELTA_BAD_NAME'
  | 'DELTA_BAD_ORDER'
  | 'DELTA_WRONG_ROOT'
  | 'PROOF_MALFORMED'
  | 'PROOF_WRONG_ROOT'
  | 'LEAVES_MALFORMED'
  | 'LEAVES_INCOMPLETE';

/** Part of an index map (bin, delta, proof, leaf hashes) that breaks a rule of the format; `code` says which. */
export class InvalidIndexMapError extends FondueError {
  readonly code: IndexMapFault;
  constructor(code: IndexMapFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What can be wrong with a publisher's note, checkpoint, log, record or proof of misconduct. */
export type LogFault =
  | 'KEY_MALFORMED'
  | 'KEY_WRONG_ID'
  | 'KEY_UNSUPPORTED'
  | 'KEY_AMBIGUOUS'
  | 'NOTE_TOO_LARGE'
  | 'NOTE_MALFORMED'
  | 'NOTE_TOO_MANY_SIGNATURES'
  | 'NOTE_UNKNOWN_KEY'
  | 'NOTE_BAD_SIGNATURE'
  | 'NOTE_EXTRA_SIGNATURE'
  | 'CHECKPOINT_MALFORMED'
  | 'CHECKPOINT_OTHER_ORIGIN'
  | 'INCLUSION_FAILED'
  | 'CONSISTENCY_FAILED'
  | 'TILE_MALFORMED'
  | 'RECORD_TOO_LARGE'
  | 'RECORD_MALFORMED'
  | 'RECORD_NOT_CANONICAL'
  | 'RECORD_WRONG_SEQ'
  | 'RECORD_OUT_OF_ORDER'
  | 'ANNOUNCEMENT_TOO_LARGE'
  | 'ANNOUNCEMENT_MALFORMED'
  | 'HEAD_VALUE_TOO_LARGE'
  | 'HEAD_VALUE_MALFORMED'
  | 'HEAD_VALUE_OTHER_KEY'
  | 'MISCONDUCT_TOO_LARGE'
  | 'MISCONDUCT_MALFORMED'
  | 'MISCONDUCT_UNPROVEN'
  | 'MESSAGE_TOO_LARGE'
  | 'MESSAGE_MALFORMED'
  | 'LOG_DAMAGED';

/**
 * Part of a publisher's log that breaks a rule; `code` says which. `blame` is who is at fault when it came from a peer: a
 * record's content was signed by its publisher, a key we don't know is nobody's fault, everything else its sender could check.
 */
export class InvalidLogError extends FondueError {
  readonly code: LogFault;
  constructor(code: LogFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
  get blame(): 'sender' | 'publisher' | 'nobody' {
    if (this.code.startsWith('RECORD_')) return 'publisher';
    return this.code === 'NOTE_UNKNOWN_KEY' ? 'nobody' : 'sender';
  }
}

/** A page, archive or message that cannot be read as what it should be. */
export class InvalidContentError extends FondueError {
  readonly code = 'INVALID_CONTENT';
}

/** The upstream answered with an error, or not at all. `status` is undefined when no answer came. */
export class UpstreamError extends FondueError {
  readonly code = 'UPSTREAM';
  readonly url: string;
  readonly status: number | undefined;
  /** What its Retry-After asked for, in ms. */
  readonly retryAfter: number | undefined;
  constructor(
    facts: { url: string; status?: number | undefined; retryAfter?: number | undefined },
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.url = facts.url;
    this.status = facts.status;
    this.retryAfter = facts.retryAfter;
  }
}

export type PeerFailure =
  'busy' | 'not-found' | 'protocol' | 'unreachable' | 'deadline' | 'reset' | 'unreadable';

/** A peer that could not or would not give what was asked. */
export class PeerError extends FondueError {
  readonly code = 'PEER';
  readonly peerId: string;
  readonly failure: PeerFailure;
  /** For `busy`: when to ask again, in ms. */
  readonly retryAfter: number | undefined;
  constructor(
    facts: { peerId: string; failure: PeerFailure; retryAfter?: number },
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.peerId = facts.peerId;
    this.failure = facts.failure;
    this.retryAfter = facts.retryAfter;
  }
}

/** It cannot be found out or had now; asking again later may help. `attempts` says what was tried. */
export class UnavailableError extends FondueError {
  readonly code = 'UNAVAILABLE';
  readonly attempts: readonly string[];
  readonly retryAfterSeconds: number;
  constructor(
    message: string,
    attempts: readonly string[] = [],
    retryAfterSeconds = 2,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.attempts = attempts;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** The disk (or the quota) has no room for what should be stored. */
export class StorageFullError extends FondueError {
  readonly code = 'STORAGE_FULL';
}

export type ConfigurationFault = 'usage' | 'environment';

/** A flag, key, value, port or folder that is wrong. `usage` is exit code 2, `environment` 1; `fix` says what to do. */
export class ConfigurationError extends FondueError {
  readonly code = 'CONFIGURATION';
  readonly fault: ConfigurationFault;
  readonly fix: string;
  constructor(fault: ConfigurationFault, message: string, fix: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
    this.fix = fix;
  }
}
