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
