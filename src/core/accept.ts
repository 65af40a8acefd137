/**
 * Which form of a page a client gets (RFC 9110, 12.5.1 and 12.5.3; PEP 691). Always true: what a client gave `q=0` is not
 * chosen, and zstd only when it was named: unasked it crashes pip and PDM (recorded, design/gateway, 7).
 */

export interface PageForm {
  readonly format: 'json' | 'html';
  readonly contentType: string;
}

interface Offer extends PageForm {
  /** Media ranges that name it; the first that stands in the header counts. */
  readonly names: readonly string[];
}

const JSON_PAGE: Offer = {
  format: 'json',
  // Exactly this: pip and uv refuse others, `latest` too.
  contentType: 'application/vnd.pypi.simple.v1+json',
  names: ['application/vnd.pypi.simple.v1+json', 'application/vnd.pypi.simple.latest+json'],
};
const HTML_PAGE: Offer = {
  format: 'html',
  contentType: 'application/vnd.pypi.simple.v1+html',
  names: ['application/vnd.pypi.simple.v1+html', 'application/vnd.pypi.simple.latest+html'],
};
const PLAIN_HTML_PAGE: Offer = {
  format: 'html',
  contentType: 'text/html; charset=utf-8',
  names: ['text/html'],
};

/** Among equals: JSON for who names it, plain HTML for who takes anything (browsers, pip before 22.2, curl; as PyPI does). */
const NAMED_ORDER = [JSON_PAGE, HTML_PAGE, PLAIN_HTML_PAGE];
const ANYTHING_ORDER = [PLAIN_HTML_PAGE, JSON_PAGE, HTML_PAGE];

/** Undefined: 406. No header, or an empty one, is as good as `Accept: * / *`. */
export function negotiate(accept: string | undefined): PageForm | undefined {
  const weights = parseWeights(accept ?? '', (range) => (range === '*' ? '*/*' : range));
  if ((accept ?? '').trim() === '') weights.set('*/*', 1);
  let best: { offer: Offer; weight: number; specificity: number } | undefined;
  for (const specificity of [2, 1, 0]) {
    for (const offer of specificity === 0 ? ANYTHING_ORDER : NAMED_ORDER) {
      const match = matchOf(offer, weights);
      if (match?.specificity !== specificity || match.weight === 0) continue;
      if (best === undefined || match.weight > best.weight) best = { offer, ...match };
    }
  }
  return best && { format: best.offer.format, contentType: best.offer.contentType };
}

/** The most specific range that matches, and its weight. */
function matchOf(
  offer: Offer,
  weights: ReadonlyMap<string, number>,
): { weight: number; specificity: number } | undefined {
  const type = offer.names[0]?.split('/')[0] ?? '';
  for (const [specificity, ranges] of [
    [2, offer.names],
    [1, [`${type}/*`]],
    [0, ['*/*']],
  ] as const) {
    const range = ranges.find((range) => weights.has(range));
    if (range !== undefined) return { weight: weights.get(range) ?? 0, specificity };
  }
  return undefined;
}

export type ContentCoding = 'gzip' | 'zstd' | 'identity';

/** The coding for a page's body. Where the client forbids all three, `identity`: an answer is worth more than a 406. */
export function chooseEncoding(acceptEncoding: string | undefined): ContentCoding {
  const weights = parseWeights(acceptEncoding ?? '', (coding) => (coding === 'x-gzip' ? 'gzip' : coding));
  const weightOf = { zstd: weights.get('zstd') ?? 0, gzip: weights.get('gzip') ?? weights.get('*') ?? 0 };
  // Unnamed, identity is allowed but asked for last.
  const identity = weights.get('identity') ?? 0;
  const best = weightOf.zstd >= weightOf.gzip ? 'zstd' : 'gzip';
  return weightOf[best] > 0 && weightOf[best] >= identity ? best : 'identity';
}

/**
 * Each lower-case name of a list with its weight; parameters but `q` are ignored, what is malformed is left out. A name
 * that stands twice has the lowest of its weights.
 */
function parseWeights(header: string, nameOf: (text: string) => string): Map<string, number> {
  const weights = new Map<string, number>();
  for (const element of splitList(header, ',')) {
    const [first = '', ...parameters] = splitList(element, ';');
    const name = nameOf(first.toLowerCase());
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+(?:\/[!#$%&'*+.^_`|~0-9a-z-]+)?$/.test(name)) continue;
    const q = parameters.find((parameter) => /^q\s*=/i.test(parameter));
    const weight = q === undefined ? 1 : parseWeight(q.slice(q.indexOf('=') + 1).trim());
    if (weight !== undefined) weights.set(name, Math.min(weight, weights.get(name) ?? 1));
  }
  return weights;
}

/** Java's default header has `q=.2`, which the grammar does not allow. */
function parseWeight(text: string): number | undefined {
  return /^(?:[01](?:\.\d*)?|\.\d+)$/.test(text) ? Math.min(1, Number(text)) : undefined;
}

/** Splits at `separator` outside quoted strings; trimmed, empty elements left out. */
function splitList(text: string, separator: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at <= text.length; at++) {
    const character = text[at];
    if (quoted && character === '\\') at++;
    else if (character === '"') quoted = !quoted;
    else if (at >= text.length || (character === separator && !quoted)) {
      const part = text.slice(start, at).trim();
      if (part !== '') parts.push(part);
      start = at + 1;
    }
  }
  return parts;
}
