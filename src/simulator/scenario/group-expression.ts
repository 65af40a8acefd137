/** The words by which a scenario names hosts: `region:eu & !node:0-9`. What they mean is in groups.ts. */
import { closest } from 'fastest-levenshtein';

export const roles = ['publisher', 'bootstrap', 'upstream'] as const;
export type Role = (typeof roles)[number];

export type Atom =
  | { readonly kind: 'all' | 'even' | 'odd' }
  | { readonly kind: 'region' | 'profile'; readonly name: string }
  | { readonly kind: 'role'; readonly role: Role }
  /** Both ends belong to it. */
  | { readonly kind: 'node'; readonly first: number; readonly last: number }
  | { readonly kind: 'fraction'; readonly share: number };

export interface Term {
  readonly atom: Atom;
  readonly negated: boolean;
}

/** All terms hold; or `rest`: the nodes that no group of the fault names. */
export type Expression = readonly Term[] | 'rest';

export interface GroupProblem {
  readonly message: string;
  readonly fix: string;
}

const WORDS = ['all', 'even', 'odd', 'rest', 'region:', 'role:', 'profile:', 'node:', 'fraction:'];
const EXAMPLES =
  'all, even, odd, rest, region:eu, role:publisher, profile:home, node:3, node:0-9, fraction:0.3';

/** `a & !b`. */
export function parseExpression(text: string): Expression | GroupProblem {
  if (text.trim() === 'rest') return 'rest';
  const terms: Term[] = [];
  for (const part of text.split('&')) {
    const [, bang, word = ''] = /^\s*(!?)\s*(.*?)\s*$/s.exec(part) ?? [];
    if (word === 'rest') {
      return {
        message: `"${text}": "rest" stands alone, it is what no group of the fault names`,
        fix: 'leave "&" and "!" away from rest, or name the hosts',
      };
    }
    const atom = parseAtom(word);
    if ('message' in atom) return atom;
    terms.push({ atom, negated: bang === '!' });
  }
  return terms;
}

function parseAtom(word: string): Atom | GroupProblem {
  if (word === 'all' || word === 'even' || word === 'odd') return { kind: word };
  const [, kind = '', value = ''] = /^([a-z]+):(.+)$/s.exec(word) ?? [];
  if ((kind === 'region' || kind === 'profile') && /^[\w-]+$/.test(value)) return { kind, name: value };
  if (kind === 'role') {
    const role = roles.find((known) => known === value);
    if (role !== undefined) return { kind, role };
    return { message: `"${word}" is no role`, fix: `did you mean role:${closest(value, roles)}?` };
  }
  if (kind === 'node') {
    const [, first, last = first] = /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(value) ?? [];
    if (first !== undefined && Number(first) <= Number(last))
      return { kind, first: Number(first), last: Number(last) };
    return { message: `"${word}" names no nodes`, fix: 'write node:3 or node:0-9; nodes count from 0' };
  }
  if (kind === 'fraction') {
    const share = /^(0?\.\d+|1(\.0+)?|0)$/.test(value) ? Number(value) : NaN;
    if (share > 0 && share <= 1) return { kind, share };
    return { message: `"${word}" is no part of the nodes`, fix: 'write fraction:0.3, above 0 and at most 1' };
  }
  const nearest = closest(word, WORDS);
  return {
    message: word === '' ? 'a group expression has an empty part' : `"${word}" names no group`,
    fix: `did you mean "${nearest}"? Groups are ${EXAMPLES}; "a & b" and "!a" combine them, a list is a union`,
  };
}
