/**
 * The real data beside the checkout (`../shared/fixtures`): real pages, wheels, recordings. A stranger's clone has none:
 * tests that need it pass `skip: fixturesMissing()` and say so.
 */
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const root = process.env['FIXTURES_DIR'] ?? new URL('../../../shared/fixtures/', import.meta.url).pathname;

/** `false`, or why the fixtures' tests are skipped. */
export function fixturesMissing(): string | false {
  return existsSync(root) ? false : `no fixtures at ${root}`;
}

/** Path of a file among the fixtures: `files/flask-3.1.3-py3-none-any.whl`. */
export function fixturePath(path: string): string {
  return `${root.replace(/\/$/, '')}/${path}`;
}

/** The real JSON page of a project, as bytes. */
export function fixturePage(project: string): Buffer {
  return gunzipSync(readFileSync(fixturePath(`index/${project}.json.gz`)));
}
