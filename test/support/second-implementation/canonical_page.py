"""The canonical page, written from docs/protocol.md alone, with Python's standard library.

Reads test vectors (paths as arguments) and prints one JSON object a line: {"name", "canonical", "sha256"}, or
{"name", "refused"}.
"""

import hashlib
import html.parser
import json
import pathlib
import re
import sys
import urllib.parse


class Refused(Exception):
    pass


EXTENSION = re.compile(
    r"\.(whl|egg|exe|msi|rpm|deb|dmg|zip|tar|tgz|tbz|txz|tlz|tar\.(gz|bz2|xz|lz|lzma|Z))$", re.IGNORECASE
)
DEFAULT_PORTS = {"http": 80, "https": 443}
HASH_KEYS = ("hashes", "core-metadata", "dist-info-metadata", "data-dist-info-metadata")


# RFC 8785


def utf16(text):
    return text.encode("utf-16-be", "surrogatepass")


def encode(value):
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, (int, float)):
        return str(int(value))
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ",".join(map(encode, value)) + "]"
    return "{" + ",".join(encode(key) + ":" + encode(value[key]) for key in sorted(value, key=utf16)) + "}"


# What is refused anywhere, and what is dropped


def whole(pairs):
    if len({key for key, _ in pairs}) != len(pairs):
        raise Refused("duplicate key")
    return dict(pairs)


def check_text(text):
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused("lone surrogate") from None


def strip(value):
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        number = float(value)
        if number != int(number) or abs(number) > 2**53 - 1:
            raise Refused("number")
    elif isinstance(value, list):
        return [strip(item) for item in value]
    elif isinstance(value, dict):
        for key in value:
            check_text(key)
        return {key: strip(item) for key, item in value.items() if not key.startswith("_")}
    return value


def depth(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


def check_filename(name):
    if not 0 < len(utf16(name)) // 2 <= 255 or re.search(r"[/\\:\x00-\x1f\x7f-\x9f\u2028\u2029]", name):
        raise Refused("unsafe filename")
    if re.search(r"^[.\s]|[.\s]$", name):
        raise Refused("unsafe filename")


# URLs: as much of the WHATWG standard as http and https URLs of an index need


def resolve(link, base):
    """(scheme, host, port), path; host and scheme lower case, port None where it is the default."""
    link = re.sub(r"[\t\n\r]", "", link.strip("".join(map(chr, range(33))))).partition("#")[0]
    link = link.partition("?")[0].replace("\\", "/")
    if not link:
        raise Refused("no URL")
    parts = urllib.parse.urlsplit(urllib.parse.urljoin(base, link))
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise Refused("not http or https")
    port = None if parts.port == DEFAULT_PORTS[parts.scheme] else parts.port
    path = []
    segments = parts.path.split("/")[1:] or [""]
    for at, segment in enumerate(segments):
        plain = segment.lower().replace("%2e", ".")
        if plain == "..":
            path = path[:-1]
        elif plain != ".":
            path.append(segment)
        if plain in (".", "..") and at == len(segments) - 1:
            path.append("")
    return (parts.scheme, parts.hostname, port), "/" + urllib.parse.quote("/".join(path), safe="/%!$&'()*+,;=:@[]|~")


def canonical_url(link, base, file_origin):
    origin, path = resolve(link, base)
    if origin == resolve(file_origin, file_origin)[0] and not path.startswith('//'):
        return path
    scheme, host, port = origin
    return f"{scheme}://{host}{'' if port is None else f':{port}'}{path}"


# Hashes


def lower_values(hashes):
    seen = {}
    for key, value in hashes.items():
        if not isinstance(value, str) or not re.fullmatch(r"([0-9a-f]{2})+", value.lower()):
            raise Refused("hash")
        if key.lower() == "sha256" and len(value) != 64:
            raise Refused("hash")
        if seen.setdefault(key.lower(), value.lower()) != value.lower():
            raise Refused("hash")
    return {key: value.lower() for key, value in hashes.items()}


def fragment_hashes(fragment):
    found = {}
    for part in fragment.split("&"):
        name, equals, value = part.partition("=")
        name, value = name.lower(), value.lower()
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", name):
            continue
        if not equals or not re.fullmatch(r"([0-9a-f]{2}){16,}", value) or (name == "sha256" and len(value) != 64):
            continue
        found.setdefault(name, value)
    return found


# JSON


def from_json(vector):
    try:
        page = json.loads(vector["input"], object_pairs_hook=whole)
    except ValueError:
        raise Refused("not JSON") from None
    if not isinstance(page, dict) or not isinstance(page.get("files"), list) or len(page["files"]) > 100_000:
        raise Refused("files")
    version = (page.get("meta") or {}).get("api-version", "1.0")
    if not isinstance(version, str) or not re.fullmatch(r"1\.\d+", version):
        raise Refused("version")
    name = page.get("name")
    if not isinstance(name, str) or re.sub(r"[-_.]+", "-", name).lower() != vector["project"]:
        raise Refused("name")
    if max(map(depth, [{**page, "files": None}, *page["files"]])) > 16:
        raise Refused("depth")
    canonical = strip({**page, "files": None})
    if isinstance(canonical.get("meta"), dict):
        canonical["meta"].pop("api-version", None)
    if canonical.get("versions") is not None:
        canonical["versions"] = sorted(canonical["versions"], key=str.encode)
    canonical["files"] = [json_file(file, vector) for file in page["files"]]
    return canonical


def json_file(file, vector):
    if not isinstance(file, dict) or not isinstance(file.get("filename"), str):
        raise Refused("file")
    check_filename(file["filename"])
    size = file.get("size")
    if size is not None and (isinstance(size, bool) or not isinstance(size, (int, float)) or size < 0):
        raise Refused("size")
    file = strip(file)
    for key in HASH_KEYS:
        if isinstance(file.get(key), dict):
            file[key] = lower_values(file[key])
    if not isinstance(file.get("url"), str):
        raise Refused("url")
    for key in ("url", "provenance"):
        if isinstance(file.get(key), str):
            file[key] = canonical_url(file[key], vector["pageUrl"], vector["fileOrigin"])
    return file


# HTML


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.anchors = []
        self.base = None
        self.is_index = False
        self.title = None

    def handle_starttag(self, tag, attrs):
        # The first of an attribute's values counts, as in HTML.
        attributes = {}
        for key, value in attrs:
            attributes.setdefault(key, value or "")
        self.title = "" if tag == "title" else None
        if tag == "a":
            self.anchors.append(attributes)
        elif tag == "base" and self.base is None:
            self.base = attributes.get("href")
        elif tag == "meta" and attributes.get("name") == "pypi:repository-version":
            if not re.fullmatch(r"1\.\d+", attributes.get("content", "")):
                raise Refused("version")
            self.is_index = True

    def handle_data(self, data):
        if self.title is not None:
            self.title += data
            self.is_index = self.is_index or re.match(r"\s*links for\b", self.title, re.IGNORECASE) is not None


def from_html(vector):
    page = Page()
    page.feed(vector["input"])
    base = vector["pageUrl"] if page.base is None else urllib.parse.urljoin(vector["pageUrl"], page.base)
    files = [file for file in (html_file(anchor, base, vector) for anchor in page.anchors) if file]
    if not files and not page.is_index:
        raise Refused("no index page")
    return {"files": files, "meta": {}, "name": vector["project"]}


def html_file(anchor, base, vector):
    href, _, fragment = anchor.get("href", "").partition("#")
    try:
        _, path = resolve(href, base)
    except Refused:
        return None
    filename = urllib.parse.unquote(path.rpartition("/")[2])
    if not EXTENSION.search(filename):
        return None
    check_filename(filename)
    file = {
        "filename": filename,
        "url": canonical_url(href, base, vector["fileOrigin"]),
        "hashes": fragment_hashes(fragment.strip()),
        "yanked": anchor.get("data-yanked", False),
    }
    if file["yanked"] == "":
        file["yanked"] = True
    if "data-requires-python" in anchor:
        file["requires-python"] = anchor["data-requires-python"]
    metadata = anchor.get("data-core-metadata", anchor.get("data-dist-info-metadata", ""))
    if metadata in ("true", "false"):
        file["core-metadata"] = metadata == "true"
    elif fragment_hashes(metadata):
        file["core-metadata"] = fragment_hashes(metadata)
    if anchor.get("data-gpg-sig") in ("true", "false"):
        file["gpg-sig"] = anchor["data-gpg-sig"] == "true"
    return file


def canonical_page(vector):
    page = from_json(vector) if vector["format"] == "json" else from_html(vector)
    names = [file["filename"] for file in page["files"]]
    if len(set(names)) != len(names):
        raise Refused("filename twice")
    page["files"].sort(key=lambda file: file["filename"].encode())
    return encode(page)


for path in map(pathlib.Path, sys.argv[1:]):
    try:
        text = canonical_page(json.loads(path.read_text("utf-8")))
        answer = {"canonical": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    except Refused as refused:
        answer = {"refused": str(refused)}
    print(json.dumps({"name": path.name, **answer}))
