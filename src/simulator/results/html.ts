/** A page in one file: no script, nothing from elsewhere, light or dark as the reader has it, and fit for paper. */
import { escapeXml } from './svg/element.ts';

const STYLE = `
:root{color-scheme:light dark;--bg:#fff;--ink:#1f2328;--soft:#57606a;--line:#d0d7de;--pass:#116329;--fail:#a40e26;--open:#7d4e00;--code:#f6f8fa}
@media (prefers-color-scheme:dark){:root{--bg:#0d1117;--ink:#e6edf3;--soft:#9da7b3;--line:#30363d;--pass:#56d364;--fail:#ff7b72;--open:#e3b341;--code:#161b22}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2rem 1.25rem 4rem;max-width:50rem;background:var(--bg);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
h1{font-size:1.6rem;margin:0 0 .25rem}h2{font-size:1.2rem;margin:2.2rem 0 .6rem;border-bottom:1px solid var(--line);padding-bottom:.25rem}
p{margin:.5rem 0;overflow-wrap:anywhere}.soft{color:var(--soft)}
.verdict{font-weight:600}.pass{color:var(--pass)}.fail{color:var(--fail)}.inconclusive{color:var(--open)}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;padding:.35rem .8rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}
small{line-height:1.3;display:inline-block}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
figure{margin:1rem 0}figcaption{color:var(--soft);font-size:.88rem;margin:.3rem 0 1.2rem}figure svg{display:block;width:100%;height:auto;border:1px solid var(--line);border-radius:6px}
code,pre{font-family:ui-monospace,monospace;font-size:.88em;background:var(--code);border-radius:4px}code{padding:.1em .3em;overflow-wrap:anywhere}
pre{padding:.8rem;overflow:auto}details{margin:.8rem 0}summary{cursor:pointer}
@media print{body{max-width:none}figure,tr{break-inside:avoid}}
`;

export interface Column {
  readonly head: string;
  readonly number?: boolean;
}

/** HTML that is safe already. */
export interface Html {
  readonly html: string;
}

export function renderPage(title: string, parts: readonly Html[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeXml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
${parts.map(({ html }) => html).join('\n')}
</body>
</html>
`;
}

export function tag(name: string, text: string, className?: string): Html {
  const attribute = className === undefined ? '' : ` class="${escapeXml(className)}"`;
  return { html: `<${name}${attribute}>${escapeXml(text)}</${name}>` };
}

/** A name, and under it what it is. */
export function withWords(name: string, words: string | undefined): string | Html {
  if (words === undefined) return name;
  return { html: `${escapeXml(name)}<br>${tag('small', words, 'soft').html}` };
}

export function table(columns: readonly Column[], rows: readonly (readonly (string | Html)[])[]): Html {
  const cell = (name: string, content: string | Html, column: Column | undefined): string =>
    `<${name}${column?.number === true ? ' class="n"' : ''}>${typeof content === 'string' ? escapeXml(content) : content.html}</${name}>`;
  const head = columns.map((column) => cell('th', column.head, column)).join('');
  const body = rows
    .map((row) => `<tr>${row.map((one, index) => cell('td', one, columns[index])).join('')}</tr>`)
    .join('\n');
  return {
    html: `<div class="wide"><table>\n<thead><tr>${head}</tr></thead>\n<tbody>\n${body}\n</tbody></table></div>`,
  };
}

export function list(items: readonly string[]): Html {
  return { html: `<ul>\n${items.map((item) => tag('li', item).html).join('\n')}\n</ul>` };
}

/** `svg` is the program's own. */
export function figure(svg: string, caption?: string): Html {
  const under = caption === undefined ? '' : `<figcaption>${escapeXml(caption)}</figcaption>`;
  return { html: `<figure>\n${svg}${under}</figure>` };
}

/** Closed until it is asked for. */
export function fold(summary: string, parts: readonly Html[]): Html {
  const body = parts.map(({ html }) => html).join('\n');
  return { html: `<details><summary>${escapeXml(summary)}</summary>\n${body}\n</details>` };
}

export function details(summary: string, text: string): Html {
  return { html: `<details><summary>${escapeXml(summary)}</summary><pre>${escapeXml(text)}</pre></details>` };
}
