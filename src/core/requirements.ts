/** requirements.txt as pip reads it, as far as files can be named from it: names, `==` pins and `--hash` options. */
import type { Digest } from './digest.ts';
import { isDigest } from './digest.ts';
import { InvalidNameError } from './errors.ts';
import { parseProjectName } from './project-name.ts';
import { parseVersion } from './version.ts';
import type { WantedFile } from './wanted-file.ts';

const REQUIREMENT = /^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(.*)$/s;
const HASH = /\s--hash[=\s]\s*(\w+):([0-9a-fA-F]+)/g;

export function readRequirements(name: string, text: string): { wanted: WantedFile[]; notes: string[] } {
  const wanted: WantedFile[] = [];
  const notes = new Set<string>();
  for (const { line, number } of logicalLines(text)) {
    const at = text === name ? `"${line}"` : `line ${number}: ${line.split(' --hash')[0]?.slice(0, 100)}`;
    const one = readLine(line);
    if (typeof one === 'string') notes.add(`${at}: ${one}`);
    else {
      wanted.push(one.wanted);
      if (one.marker) notes.add('environment markers are ignored: files for all platforms are taken');
    }
  }
  return { wanted, notes: [...notes] };
}

/** Or why it is left out. */
function readLine(line: string): { wanted: WantedFile; marker: boolean } | string {
  if (line.startsWith('-')) return 'options are not followed';
  const digests = [...line.matchAll(HASH)]
    .filter(([, algorithm, hex = '']) => algorithm === 'sha256' && isDigest(hex.toLowerCase()))
    .map(([, , hex = '']) => hex.toLowerCase() as Digest);
  const bare = line.split(/\s--/)[0]?.trim() ?? '';
  const [requirement, marker] = splitOnce(bare, ';');
  const match = REQUIREMENT.exec(requirement.trim());
  if (match === null) return 'this is not a name with an optional version';
  const [, name = '', rest = ''] = match;
  const specifier = rest.replace(/^\((.*)\)$/, '$1').trim();
  if (specifier.startsWith('@') || /^[./\\]|:\/\//.test(specifier))
    return 'comes from no index and is left out';
  const pin = /^===?\s*([^\s,*]+)$/.exec(specifier)?.[1];
  if (specifier !== '' && pin === undefined) return 'is not pinned with == and is left out';
  if (pin !== undefined && parseVersion(pin) === undefined) return `"${pin}" is not a version`;
  try {
    const project = parseProjectName(name);
    return { wanted: { kind: 'release', project, version: pin, digests }, marker: marker !== undefined };
  } catch (error) {
    if (error instanceof InvalidNameError) return error.message;
    throw error;
  }
}

/** Comments removed, continued lines joined. */
function* logicalLines(text: string): Generator<{ line: string; number: number }> {
  let joined = '';
  let start = 0;
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    if (joined === '') start = index + 1;
    const line = raw.replace(/(^|\s)#.*$/, '');
    if (line.endsWith('\\')) {
      joined += `${line.slice(0, -1)} `;
      continue;
    }
    joined += line;
    if (joined.trim() !== '') yield { line: joined.trim().replace(/\s+/g, ' '), number: start };
    joined = '';
  }
  if (joined.trim() !== '') yield { line: joined.trim().replace(/\s+/g, ' '), number: start };
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
