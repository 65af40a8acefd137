/**
 * What the fake PyPI does wrong: rules of (what they hit, what goes wrong, how often). `parseFault` reads the names that
 * the recordings use (`cut-file-once=50000`, `page-503-once=2`), so that their faults can be played at a node.
 */

export type Fault =
  /** FIN after so many bytes of this answer's body. */
  | { readonly kind: 'cut'; readonly after: number }
  /** RST after so many bytes of the body; with 0 before any answer. */
  | { readonly kind: 'reset'; readonly after: number }
  | { readonly kind: 'stall'; readonly seconds: number; readonly after: number }
  | { readonly kind: 'slow-first-byte'; readonly seconds: number }
  | { readonly kind: 'drip'; readonly bytesPerSecond: number }
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: number | string }
  /** One byte altered. */
  | { readonly kind: 'flip' }
  /** A sound zip with other bytes, under the right ETag. */
  | { readonly kind: 'poison' }
  /** Other bytes under an ETag of their own: the file changed. */
  | { readonly kind: 'changed' }
  /** So many bytes too few or too many, with a Content-Length that fits. */
  | { readonly kind: 'truncate'; readonly bytes: number }
  | { readonly kind: 'longer'; readonly bytes: number }
  /** A Content-Length that is a lie. */
  | { readonly kind: 'length'; readonly value: number }
  /** Chunked, no Content-Length. */
  | { readonly kind: 'chunked' }
  /** Neither Content-Length nor chunks: the end is the end of the connection. */
  | { readonly kind: 'until-close' }
  | { readonly kind: 'type'; readonly type: string | undefined }
  /** A content coding, asked for or not. */
  | { readonly kind: 'encoding'; readonly coding: 'gzip' | 'deflate' | 'br' | 'zstd' }
  /** Says this coding of bytes that are not so encoded. */
  | { readonly kind: 'false-encoding'; readonly coding: string }
  /** `.metadata` of other bytes than advertised. */
  | { readonly kind: 'wrong-hash' }
  /** Accepts and never answers. */
  | { readonly kind: 'hang' }
  /** 200 to a range. */
  | { readonly kind: 'no-ranges' }
  /** 206 for another range than the one asked for, `shift` bytes further. */
  | { readonly kind: 'wrong-range'; readonly shift: number }
  | { readonly kind: 'html-only' }
  | { readonly kind: 'redirect'; readonly status: 301 | 302 | 303 | 307 | 308; readonly to?: string }
  /** This body instead, by default with the type that was expected. */
  | { readonly kind: 'body'; readonly body: string; readonly type?: string }
  /** A page padded to so many bytes: real JSON or HTML with a very long member. */
  | { readonly kind: 'huge'; readonly bytes: number }
  /** A small gzip body that unpacks to so many bytes. */
  | { readonly kind: 'bomb'; readonly bytes: number }
  /** A header replaced, or removed with undefined. */
  | { readonly kind: 'header'; readonly name: string; readonly value: string | undefined };

export type FaultOf<K extends Fault['kind']> = Extract<Fault, { kind: K }>;
export type TargetKind = 'page' | 'list' | 'changelog' | 'file' | 'metadata' | 'provenance' | 'other';

export interface FaultTarget {
  readonly what: TargetKind;
  readonly host: 'index' | 'files';
  readonly method: string;
  readonly path: string;
  readonly project: string | undefined;
  readonly filename: string | undefined;
}

/** All members that are given must fit; `path` and `filename` may hold `*`. */
export interface FaultMatch {
  readonly project?: string;
  readonly filename?: string;
  readonly path?: string;
  readonly what?: TargetKind | readonly TargetKind[];
  readonly host?: 'index' | 'files';
  readonly method?: string;
}

export interface FaultOptions {
  /** How many answers it spoils; default all. */
  readonly times?: number;
  /** How many answers it leaves alone first. */
  readonly skip?: number;
  /** For how long, in ms. */
  readonly ms?: number;
}

export interface FaultList {
  add(match: string | FaultMatch, fault: Fault | string, options?: FaultOptions): () => void;
  clear(): void;
  /** The faults that hit this answer; counts them as used. */
  take(target: FaultTarget): Fault[];
}

export function createFaultList(): FaultList {
  interface Rule {
    match: FaultMatch;
    fault: Fault;
    left: number;
    skip: number;
    until: number;
  }
  let rules: Rule[] = [];
  return {
    add(where, what, options = {}) {
      const parsed = typeof what === 'string' ? parseFault(what) : { match: {}, fault: what, options: {} };
      const match = { ...parsed.match, ...(typeof where === 'string' ? { project: where } : where) };
      const all = { ...parsed.options, ...options };
      const rule: Rule = {
        match,
        fault: parsed.fault,
        left: all.times ?? Infinity,
        skip: all.skip ?? 0,
        until: all.ms === undefined ? Infinity : Date.now() + all.ms,
      };
      rules.push(rule);
      return () => {
        rules = rules.filter((other) => other !== rule);
      };
    },
    clear() {
      rules = [];
    },
    take(target) {
      const hits: Fault[] = [];
      for (const rule of rules) {
        if (rule.left <= 0 || Date.now() > rule.until || !matches(rule.match, target)) continue;
        if (rule.skip > 0) {
          rule.skip--;
          continue;
        }
        rule.left--;
        hits.push(rule.fault);
      }
      return hits;
    },
  };
}

export function faultOf<K extends Fault['kind']>(faults: readonly Fault[], kind: K): FaultOf<K> | undefined {
  return faults.find((fault): fault is FaultOf<K> => fault.kind === kind);
}

function matches(match: FaultMatch, target: FaultTarget): boolean {
  return (
    (match.project === undefined || match.project === '*' || match.project === target.project) &&
    (match.filename === undefined || fits(match.filename, target.filename ?? '')) &&
    (match.path === undefined || fits(match.path, target.path)) &&
    (match.what === undefined || [match.what].flat().includes(target.what)) &&
    (match.host === undefined || match.host === target.host) &&
    (match.method === undefined || match.method === target.method)
  );
}

/** Whether a text is `pattern`, in which `*` stands for anything. */
export function fits(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(text);
}

const WHAT = ['page', 'list', 'changelog', 'file', 'metadata', 'provenance'] as const;

/** `[page-|file-|metadata-]NAME[-once|-always][=VALUE]` or NAME-file[-once][=VALUE], as in the recordings. */
export function parseFault(text: string): { match: FaultMatch; fault: Fault; options: FaultOptions } {
  const [head = '', value] = text.split(/=(.*)/s, 2);
  const words = head.split('-');
  const at = words.findIndex((word) => (WHAT as readonly string[]).includes(word));
  const what = at < 0 ? undefined : (words.splice(at, 1)[0] as (typeof WHAT)[number]);
  const often = words.at(-1);
  if (often === 'once' || often === 'always') words.pop();
  const method = words[0] === 'head' ? 'HEAD' : undefined;
  if (method) words.shift();
  const name = words.join('-');
  const fault = named(name, value);
  if (!fault) throw new Error(`no fault is called "${text}"`);
  const kind = what ?? USUAL[fault.kind];
  return {
    match: { ...(kind ? { what: kind } : {}), ...(method ? { method } : {}) },
    fault,
    options: often === 'once' ? { times: 1 } : {},
  };
}

/** What a fault hits when its name does not say. */
const USUAL: { readonly [K in Fault['kind']]?: TargetKind } = {
  flip: 'file',
  poison: 'file',
  changed: 'file',
  drip: 'file',
  'no-ranges': 'file',
  'wrong-range': 'file',
  encoding: 'page',
  'html-only': 'page',
  'wrong-hash': 'metadata',
  huge: 'page',
  bomb: 'page',
};

function named(name: string, value: string | undefined): Fault | undefined {
  const [first = '', second] = (value ?? '').split(',');
  const number = Number(first);
  if (/^\d{3}$/.test(name)) {
    const retryAfter = value === undefined || value === '' ? {} : { retryAfter: value };
    return { kind: 'status', status: Number(name), ...retryAfter };
  }
  switch (name) {
    case 'cut':
      return { kind: 'cut', after: number };
    case 'rst':
    case 'reset':
      return { kind: 'reset', after: number };
    case 'stall':
      return { kind: 'stall', seconds: number, after: Number(second ?? 50_000) };
    case 'delay':
    case 'slow-first-byte':
      return { kind: 'slow-first-byte', seconds: number };
    case 'drip':
      return { kind: 'drip', bytesPerSecond: number };
    case 'truncate':
    case 'longer':
    case 'huge':
    case 'bomb':
      return { kind: name, bytes: number };
    case 'length':
      return { kind: name, value: number };
    case 'wrong-range':
      return { kind: name, shift: number || 1 };
    case 'type':
      return { kind: 'type', type: value || undefined };
    case 'encoding':
    case 'force-encoding':
      return { kind: 'encoding', coding: first as FaultOf<'encoding'>['coding'] };
    case 'false-encoding':
      return { kind: name, coding: first };
    case 'redirect':
      return { kind: name, status: number as FaultOf<'redirect'>['status'] };
    case 'max-age':
      return { kind: 'header', name: 'cache-control', value: `max-age=${first}` };
    case 'age':
      return { kind: 'header', name: 'age', value: first };
    case 'captive-portal':
      return { kind: 'body', type: 'text/html', body: CAPTIVE_PORTAL };
    case 'no-range':
      return { kind: 'no-ranges' };
    case 'flip':
    case 'poison':
    case 'changed':
    case 'chunked':
    case 'until-close':
    case 'wrong-hash':
    case 'hang':
    case 'no-ranges':
    case 'html-only':
      return { kind: name };
    default:
      return undefined;
  }
}

const CAPTIVE_PORTAL =
  '<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>Hotel Wi-Fi</h1>' +
  '<a href="/login">Log in</a> <a href="/terms.html">Terms</a></body></html>';
