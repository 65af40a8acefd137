import { InvalidLogError } from '../../../src/core/errors.ts';

/** The only error that reading what strangers sent may end in. */
export function isLogError(error: unknown): error is InvalidLogError {
  return error instanceof InvalidLogError;
}
