/** RFC 4180: comma, double quotes where needed, CRLF, a header. What is written reads back as the same fields. */
import { ConfigurationError } from '../../core/errors.ts';

export function renderCsv(rows: Iterable<readonly string[]>): string {
  let text = '';
  for (const row of rows) text += `${row.map(quote).join(',')}\r\n`;
  return text;
}

function quote(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

const FIELD = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;

/** Lines may also end in LF alone, as editors leave them. @throws ConfigurationError with the row's number */
export function parseCsv(text: string, file: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  FIELD.lastIndex = 0;
  while (FIELD.lastIndex < text.length) {
    const match = FIELD.exec(text);
    if (match === null) {
      const message = `row ${rows.length + 1} of ${file} is no CSV: a quote is never closed or stands within a field`;
      throw new ConfigurationError('environment', message, 'run the scenario anew, or mend the file');
    }
    const [, quoted, plain = '', end] = match;
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end !== ',') {
      rows.push(row);
      row = [];
    } else if (FIELD.lastIndex === text.length) row.push('');
  }
  if (row.length > 0) rows.push(row);
  return rows;
}
