/** SVG as text. Names and values of scenarios go through `escapeXml`: they are strangers' words. */

export function escapeXml(text: string): string {
  return (
    text
      // What XML 1.0 cannot hold in any form.
      .replaceAll(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '\u{fffd}')
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
  );
}

type Attributes = Readonly<Record<string, string | number | undefined>>;

/** `content` is SVG already. */
export function element(name: string, attributes: Attributes, content = ''): string {
  const list = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escapeXml(String(typeof value === 'number' ? px(value) : value))}"`)
    .join('');
  return content === '' ? `<${name}${list}/>` : `<${name}${list}>${content}</${name}>`;
}

export function textElement(text: string, attributes: Attributes): string {
  return element('text', attributes, escapeXml(text));
}

/** Hundredths of a pixel: more is not seen. */
export function px(value: number): number {
  return Math.round(value * 100) / 100 + 0;
}

/** Of 12 px sans-serif, on the wide side: nothing is measured here. */
export function widthOf(text: string, size = 12): number {
  return text.length * size * 0.6;
}
