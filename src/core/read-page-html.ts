/**
 * Reads a project page in HTML (PEP 503 with 592, 629, 658, 714), for upstreams that have nothing else. The result is
 * exactly what design/index, "Canonical page", names for HTML; other attributes are dropped.
 *
 * Tokens, not a tree: what a page means hangs on its `a`, `base` and `meta` tags alone (pip reads it so too), and building
 * the tree costs quadratic time on unclosed formatting elements. Always true: a text that was cut, or that shows no sign of
 * being an index page (a login page with status 200), is an error and never a project without files.
 */
import { Tokenizer, TokenizerMode, html as htmlNames } from 'parse5';
import type { Token } from 'parse5';
import type { Digest } from './digest.ts';
import { isDistributionFilename } from './distribution-filename.ts';
import { InvalidContentError } from './errors.ts';
import { hashesOfFragment } from './file-hashes.ts';
import { filenameFault } from './file-name-check.ts';
import { limits } from './limits.ts';
import type { ProjectName } from './project-name.ts';
import type { Json, ProjectFile, ProjectPage } from './project-page.ts';

/**
 * `url` is the page's own, after redirects. Links that name no distribution (`../`, `?C=N`, `mailto:`) are skipped.
 * @throws InvalidContentError
 */
export function readPageHtml(body: Uint8Array, options: { url: string; project: ProjectName }): ProjectPage {
  const { url, project } = options;
  const seen = scan(new TextDecoder('utf-8').decode(body), url);
  const files = new Map<string, ProjectFile>();
  for (const anchor of seen.anchors) {
    const file = readAnchor(anchor, seen.base, url);
    if (file === undefined) continue;
    if (files.has(file.filename))
      throw new InvalidContentError(`${url}: links to ${JSON.stringify(file.filename)} twice`);
    files.set(file.filename, file);
  }
  if (files.size === 0 && !seen.isIndex)
    throw new InvalidContentError(
      `${url}: this HTML neither links to a distribution nor says that it is an index page`,
    );
  return { name: project, format: 'html', url, files: [...files.values()], raw: { meta: {}, name: project } };
}

type Attributes = ReadonlyMap<string, string>;

interface Scan {
  readonly anchors: Attributes[];
  /** What links resolve against: the first `<base href>`, else the page. */
  base: string;
  /** It says so itself: a repository version, or the customary title. */
  isIndex: boolean;
}

/** Elements whose content is text, not markup: a link in a script is none. */
const TEXT_MODES = new Map<htmlNames.TAG_ID, Tokenizer['state']>([
  [htmlNames.TAG_ID.TITLE, TokenizerMode.RCDATA],
  [htmlNames.TAG_ID.TEXTAREA, TokenizerMode.RCDATA],
  [htmlNames.TAG_ID.STYLE, TokenizerMode.RAWTEXT],
  [htmlNames.TAG_ID.XMP, TokenizerMode.RAWTEXT],
  [htmlNames.TAG_ID.IFRAME, TokenizerMode.RAWTEXT],
  [htmlNames.TAG_ID.NOEMBED, TokenizerMode.RAWTEXT],
  [htmlNames.TAG_ID.NOFRAMES, TokenizerMode.RAWTEXT],
  [htmlNames.TAG_ID.SCRIPT, TokenizerMode.SCRIPT_DATA],
  [htmlNames.TAG_ID.PLAINTEXT, TokenizerMode.PLAINTEXT],
]);

const ignore = (): void => undefined;

function scan(text: string, url: string): Scan {
  const found: Scan = { anchors: [], base: url, isIndex: false };
  let baseSeen = false;
  let title: string | undefined;
  let unclosed = false;
  const tokenizer = new Tokenizer(
    { sourceCodeLocationInfo: false },
    {
      onStartTag(tag) {
        const mode = TEXT_MODES.get(tag.tagID);
        if (mode !== undefined) tokenizer.state = mode;
        title = tag.tagID === htmlNames.TAG_ID.TITLE ? '' : undefined;
        if (tag.tagID === htmlNames.TAG_ID.HTML) unclosed = true;
        if (tag.tagID === htmlNames.TAG_ID.A) {
          if (found.anchors.length >= limits.page.files)
            throw new InvalidContentError(`${url}: more than ${limits.page.files} links are not read`);
          found.anchors.push(attributes(tag));
        } else if (tag.tagID === htmlNames.TAG_ID.BASE && !baseSeen) {
          const href = attributes(tag).get('href');
          baseSeen = href !== undefined;
          if (href !== undefined) found.base = URL.parse(href, url)?.href ?? url;
        } else if (tag.tagID === htmlNames.TAG_ID.META) {
          found.isIndex = readMeta(attributes(tag), url) || found.isIndex;
        }
      },
      onEndTag(tag) {
        if (title !== undefined && /^\s*Links for\b/i.test(title)) found.isIndex = true;
        title = undefined;
        if (tag.tagID === htmlNames.TAG_ID.HTML || tag.tagID === htmlNames.TAG_ID.BODY) unclosed = false;
      },
      onCharacter(token) {
        if (title !== undefined && title.length < 64) title += token.chars;
      },
      onParseError(error) {
        // Sent for a tag, comment or script that the text ends within.
        if (error.code.startsWith('eof-in')) unclosed = true;
      },
      onEof: ignore,
      onComment: ignore,
      onDoctype: ignore,
      onNullCharacter: ignore,
      onWhitespaceCharacter() {
        if (title !== undefined && title.length < 64) title += ' ';
      },
    },
  );
  tokenizer.write(text, true);
  if (unclosed) throw new InvalidContentError(`${url}: this HTML ends before its end: it was cut`);
  return found;
}

function attributes(tag: Token.TagToken): Attributes {
  return new Map(tag.attrs.map((attribute) => [attribute.name, attribute.value]));
}

/** PEP 629. @returns whether the page says that it is an index page */
function readMeta(meta: Attributes, url: string): boolean {
  if (meta.get('name') !== 'pypi:repository-version') return false;
  const version = meta.get('content') ?? '';
  if (!/^1\.\d{1,9}$/.test(version))
    throw new InvalidContentError(
      `${url}: "pypi:repository-version" is ${JSON.stringify(version.slice(0, 40))}; only versions 1.x are understood`,
    );
  return true;
}

function readAnchor(anchor: Attributes, base: string, page: string): ProjectFile | undefined {
  const href = anchor.get('href');
  if (href === undefined) return undefined;
  const hash = href.indexOf('#');
  const link = hash < 0 ? href : href.slice(0, hash);
  const resolved = link.trim() === '' ? null : URL.parse(link, base);
  if (resolved === null || !/^https?:$/.test(resolved.protocol)) return undefined;
  const filename = lastSegment(resolved.pathname);
  if (!isDistributionFilename(filename)) return undefined;
  const fault = filenameFault(filename);
  if (fault !== undefined)
    throw new InvalidContentError(
      `${page}: a link's filename ${fault}: ${JSON.stringify(filename.slice(0, 120))}`,
    );
  const allHashes = hashesOfFragment(hash < 0 ? '' : href.slice(hash + 1).trim());
  const coreMetadata = readCoreMetadata(anchor);
  const { sha256, ...hashes } = allHashes;
  const yanked = anchor.get('data-yanked');
  const raw: Record<string, Json> = {
    filename,
    url: resolved.href,
    hashes: allHashes,
    yanked: yanked === undefined ? false : yanked === '' ? true : yanked,
  };
  const requiresPython = anchor.get('data-requires-python');
  if (requiresPython !== undefined) raw['requires-python'] = requiresPython;
  if (coreMetadata !== undefined) raw['core-metadata'] = coreMetadata;
  const signed = anchor.get('data-gpg-sig');
  if (signed === 'true' || signed === 'false') raw['gpg-sig'] = signed === 'true';
  return {
    filename,
    url: resolved.href,
    sha256: sha256 as Digest | undefined,
    hashes,
    size: undefined,
    coreMetadata,
    raw,
  };
}

/** PEP 503: the file's name is the URL's last part. */
function lastSegment(path: string): string {
  const segment = path.slice(path.lastIndexOf('/') + 1);
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** PEP 714: the new attribute wins; `true`, or one hash; what is neither says nothing. */
function readCoreMetadata(anchor: Attributes): ProjectFile['coreMetadata'] {
  const value = anchor.get('data-core-metadata') ?? anchor.get('data-dist-info-metadata');
  if (value === undefined) return undefined;
  if (value === 'true' || value === 'false') return value === 'true';
  const hashes = hashesOfFragment(value);
  return Object.keys(hashes).length === 0 ? undefined : hashes;
}
