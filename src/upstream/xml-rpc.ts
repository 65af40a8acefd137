/** An XML-RPC answer's value: integers, strings, nil and arrays, which is all that the changelog has. */

export type XmlRpcValue = number | string | null | readonly XmlRpcValue[];

const NOT_READ = Symbol('not read');
type Read = XmlRpcValue | typeof NOT_READ;

/** Undefined for a fault, and for everything that is not surely one whole answer. */
export function readXmlRpc(text: string): XmlRpcValue | undefined {
  const scan = createScanner(text.replace(/^\s*<\?xml[^>]*\?>/, ''));
  if (!scan.take('<methodResponse>') || !scan.take('<params>') || !scan.take('<param>')) return undefined;
  const value = readValue(scan, 0);
  if (value === NOT_READ || !scan.take('</param>')) return undefined;
  return scan.take('</params>') && scan.take('</methodResponse>') && scan.atEnd() ? value : undefined;
}

interface Scanner {
  /** The token, after white space; false, and nothing taken, when something else stands there. */
  take(token: string): boolean;
  /** Text up to the next tag, entities decoded. */
  text(): string;
  atEnd(): boolean;
}

function createScanner(source: string): Scanner {
  let at = 0;
  return {
    take(token) {
      let from = at;
      while (/\s/.test(source[from] ?? '')) from++;
      if (!source.startsWith(token, from)) return false;
      at = from + token.length;
      return true;
    },
    text() {
      const end = source.indexOf('<', at);
      const text = source.slice(at, end < 0 ? source.length : end);
      at += text.length;
      return decodeEntities(text);
    },
    atEnd: () => source.slice(at).trim() === '',
  };
}

function readValue(scan: Scanner, depth: number): Read {
  if (!scan.take('<value>')) return NOT_READ;
  const value = readTyped(scan, depth);
  return value !== NOT_READ && scan.take('</value>') ? value : NOT_READ;
}

function readTyped(scan: Scanner, depth: number): Read {
  for (const type of ['int', 'i4', 'i8', 'ex:i8']) {
    if (!scan.take(`<${type}>`)) continue;
    const text = scan.text().trim();
    return /^-?\d{1,16}$/.test(text) && scan.take(`</${type}>`) ? Number(text) : NOT_READ;
  }
  if (scan.take('<nil/>') || scan.take('<ex:nil/>')) return null;
  if (scan.take('<string/>')) return '';
  if (scan.take('<string>')) {
    const text = scan.text();
    return scan.take('</string>') ? text : NOT_READ;
  }
  if (scan.take('<array>')) return readArray(scan, depth);
  // Without a type it is a string.
  return scan.text();
}

/** An event is an array in an array. */
function readArray(scan: Scanner, depth: number): Read {
  if (depth > 2) return NOT_READ;
  const values: XmlRpcValue[] = [];
  if (!scan.take('<data/>')) {
    if (!scan.take('<data>')) return NOT_READ;
    while (!scan.take('</data>')) {
      const value = readValue(scan, depth + 1);
      if (value === NOT_READ) return NOT_READ;
      values.push(value);
    }
  }
  return scan.take('</array>') ? values : NOT_READ;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(\w+));/gi, (whole, decimal, hex, name) => {
    const code = decimal === undefined ? parseInt(hex as string, 16) : Number(decimal);
    if (Number.isInteger(code) && code <= 0x10_ffff) return String.fromCodePoint(code);
    return ENTITIES[name as string] ?? whole;
  });
}
