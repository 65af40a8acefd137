/** What can be taken back, as a person names it on the command line. */
import { ConfigurationError } from '../core/errors.ts';
import { parseRetractionSubject, type RetractionSubject } from '../core/log/retraction.ts';

/** @throws ConfigurationError */
export function readSubject(text: string): RetractionSubject {
  const subject = parseRetractionSubject(text);
  if (subject !== undefined) return subject;
  throw new ConfigurationError(
    'usage',
    `"${text}" is neither a project nor a file's SHA-256`,
    'name a project, such as numpy, or a file as sha256:DIGEST (pip hash FILE prints it, and its page does)',
  );
}
