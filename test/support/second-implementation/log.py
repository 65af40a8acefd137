"""Publishers' logs, written from the C2SP specifications, RFC 6962 and the design alone, with Python's standard library.

`log.py vectors FOLDER` checks every vector of test/vectors/log; `log.py folder FOLDER VKEY` checks a log as a web server
would serve it. Prints a line a failure, then one JSON object {"checked", "failed"}.
"""

import base64
import hashlib
import json
import pathlib
import re
import sys
import urllib.parse

import ed25519


class Refused(Exception):
    pass


def need(condition, what):
    if not condition:
        raise Refused(what)


def sha(data):
    return hashlib.sha256(data).digest()


def unbase64(text):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Refused("base64")
    need(base64.b64encode(data).decode() == text, "base64 in another form")
    return data


# signed-note

SPACES = set("\t\n\v\f\r \u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000") | {chr(c) for c in range(0x2000, 0x200B)}


def check_name(name):
    need(name and not any(c in SPACES or c == "+" or c < " " for c in name), "name")


def key_id(name, material):
    return sha(name.encode() + b"\n" + material)[:4]


def parse_key(text):
    parts = text.split("+", 2)
    need(len(parts) == 3, "key")
    name, ident, material = parts[0], parts[1], unbase64(parts[2])
    check_name(name)
    need(re.fullmatch("[0-9a-f]{8}", ident) and len(material) >= 2, "key")
    if material[0] in (1, 4):
        need(len(material) == 33, "key length")
    if material[0] not in (2, 5) and material[0] < 0xFA:
        need(key_id(name, material).hex() == ident, "key ID")
    return {"name": name, "id": bytes.fromhex(ident), "algorithm": material[0], "public": material[1:], "text": text}


def parse_note(data):
    need(len(data) <= 65536, "size")
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise Refused("UTF-8")
    need(not any(c < " " and c != "\n" for c in whole), "control character")
    at = whole.rfind("\n\n")
    need(at >= 0 and whole.endswith("\n") and at + 2 < len(whole), "signatures")
    signatures = []
    for line in whole[at + 2 : -1].split("\n"):
        parts = line.split(" ")
        need(len(parts) == 3 and parts[0] == "\u2014", "signature line")
        check_name(parts[1])
        signature = unbase64(parts[2])
        need(len(signature) >= 5, "signature")
        signatures.append((parts[1], signature[:4], signature[4:]))
    need(len(signatures) <= 100, "too many signatures")
    return whole[: at + 1], signatures


def signature_holds(key, text, signature):
    if key["algorithm"] == 1:
        return ed25519.verify(key["public"], text.encode(), signature)
    need(len(signature) == 72, "cosignature")
    time = int.from_bytes(signature[:8], "big")
    return ed25519.verify(key["public"], f"cosignature/v1\ntime {time}\n{text}".encode(), signature[8:])


def open_note(data, keys):
    text, signatures = parse_note(data)
    verified, unverified = [], []
    for name, ident, signature in dict.fromkeys(signatures):
        known = [k for k in keys if k["algorithm"] in (1, 4) and (k["name"], k["id"]) == (name, ident)]
        if not known:
            unverified.append(name)
            continue
        need(len({k["text"] for k in known}) == 1, "ambiguous")
        need(signature_holds(known[0], text, signature), "signature")
        if known[0] not in verified:
            verified.append(known[0])
    need(verified, "no known key")
    return text, verified, unverified


# tlog-checkpoint, RFC 6962


def parse_checkpoint(text):
    lines = text.split("\n")
    need(lines.pop() == "" and len(lines) >= 3 and "" not in lines, "checkpoint lines")
    need(re.fullmatch("0|[1-9][0-9]*", lines[1]) and int(lines[1]) < 2**53, "size")
    root = unbase64(lines[2])
    need(len(root) == 32 and (lines[1] != "0" or root == sha(b"")), "root")
    return {"origin": lines[0], "size": int(lines[1]), "root": root.hex(), "extensions": lines[3:]}


def node(left, right):
    return sha(b"\x01" + left + right)


def split(size):
    k = 1
    while 2 * k < size:
        k *= 2
    return k


def tree_hash(leaves):
    if not leaves:
        return sha(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node(tree_hash(leaves[:k]), tree_hash(leaves[k:]))


def inclusion_root(index, size, leaf, proof):
    need(0 <= index < size, "index")
    if size == 1:
        need(not proof, "a hash too many")
        return leaf
    need(proof, "a hash too few")
    k = split(size)
    if index < k:
        return node(inclusion_root(index, k, leaf, proof[:-1]), proof[-1])
    return node(proof[-1], inclusion_root(index - k, size - k, leaf, proof[:-1]))


def consistency_roots(old, size, old_root, proof, whole=True):
    if old == size:
        need(len(proof) == (0 if whole else 1), "hashes")
        return (old_root, old_root) if whole else (proof[0], proof[0])
    need(proof, "a hash too few")
    k = split(size)
    if old <= k:
        a, b = consistency_roots(old, k, old_root, proof[:-1], whole)
        return a, node(b, proof[-1])
    a, b = consistency_roots(old - k, size - k, old_root, proof[:-1], False)
    return node(proof[-1], a), node(proof[-1], b)


# Records

DIGEST = "[0-9a-f]{64}"
FIELDS = {
    "apiVersion": lambda v: v is None or text(v, r"\d{1,3}\.\d{1,3}"),
    "bins": lambda v: number(v) and v == 65536,
    "complete": lambda v: isinstance(v, bool),
    "count": lambda v: number(v),
    "delta": lambda v: v is None or text(v, DIGEST),
    "fileOrigin": lambda v: text(v, r"https?://[a-z0-9.-]+(:\d+)?"),
    "format": lambda v: v in ("json", "html"),
    "leaves": lambda v: text(v, DIGEST),
    "mapRoot": lambda v: text(v, DIGEST),
    "observedAt": lambda v: number(v),
    "previous": lambda v: v is None or text(v, DIGEST),
    "retractions": lambda v: isinstance(v, list) and retractions(v),
    "scope": lambda v: v == "all" or text(v, DIGEST),
    "seq": lambda v: number(v),
    "serial": lambda v: number(v),
    "signedAt": lambda v: number(v),
    "stale": lambda v: v is None or text(v, DIGEST),
    "upstream": lambda v: isinstance(v, str) and upstream(v),
    "v": lambda v: number(v) and v >= 1,
}


def text(value, pattern):
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def number(value):
    return type(value) is int and 0 <= value < 2**53


def upstream(value):
    url = urllib.parse.urlsplit(value)
    default = {"https": 443, "http": 80}.get(url.scheme)
    return bool(
        default and "@" not in url.netloc and url.netloc == url.netloc.lower() and url.port != default
        and value.endswith("/") and not re.search("[?#]", value)
    )


def retractions(items):
    before = ""
    for item in items:
        need(isinstance(item, dict) and sorted(item) == ["reason", "since", "subject"], "retraction")
        need(text(item["subject"], f"sha256:{DIGEST}|[a-z0-9]+(-[a-z0-9]+)*") and item["subject"] > before, "subject")
        need(number(item["since"]) and not re.search("[\x00-\x1f\x7f-\x9f]", item["reason"]), "retraction")
        before = item["subject"]
    return True


def check_record(data, index):
    need(len(data) <= 24 * 1024, "record size")
    try:
        record = json.loads(data, parse_float=lambda _: None)
        # For integers and keys of ASCII this is RFC 8785.
        canonical = json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    except ValueError:
        raise Refused("JSON")
    need(isinstance(record, dict) and canonical == data, "canonical form")
    need(number(record.get("v")) and record["v"] >= 1, "version")
    if record["v"] != 1:
        return record
    successor = record.get("successor")
    if successor is not None:
        need(parse_key(successor)["algorithm"] == 1, "successor")
    need(set(record) - {"successor"} == set(FIELDS), "fields")
    for key, valid in FIELDS.items():
        need(valid(record[key]), key)
    need(record["seq"] == index and (record["previous"] is None) == (index == 0), "place")
    return record


def leaf_hash(data):
    return sha(b"\x00" + data)


# Messages: deterministic CBOR of maps, texts, bytes and integers


def cbor(data):
    value, rest = cbor_item(data)
    need(not rest, "bytes left over")
    return value


def cbor_item(data):
    need(data, "cut off")
    major, low, rest = data[0] >> 5, data[0] & 31, data[1:]
    if low >= 24:
        size = {24: 1, 25: 2, 26: 4, 27: 8}.get(low)
        need(size and len(rest) >= size, "length")
        low, rest = int.from_bytes(rest[:size], "big"), rest[size:]
        need(low >= {1: 24, 2: 256, 4: 65536, 8: 2**32}[size], "longer than needed")
    if major == 0:
        return low, rest
    if major in (2, 3):
        need(len(rest) >= low, "cut off")
        return (rest[:low] if major == 2 else rest[:low].decode()), rest[low:]
    need(major == 5, "type")
    result, before = {}, None
    for _ in range(low):
        key, rest = cbor_item(rest)
        need(isinstance(key, str) and (before is None or (len(before), before) < (len(key), key)), "key order")
        result[key], rest = cbor_item(rest)
        before = key
    return result, rest


def hashes(data):
    need(len(data) % 32 == 0, "hashes")
    return [data[i : i + 32] for i in range(0, len(data), 32)]


def signed_head(note, keys):
    need(len(note) <= 4096, "checkpoint size")
    need(len(parse_note(note)[1]) == 1, "one signature")
    body, verified, _ = open_note(note, keys)
    head = parse_checkpoint(body)
    need(verified[0]["algorithm"] == 1 and verified[0]["name"] == head["origin"], "origin")
    return head


def check_leaf(head, index, leaf, proof):
    need(inclusion_root(index, head["size"], leaf, hashes(proof)).hex() == head["root"], "inclusion")


def check_head(message, keys):
    head = signed_head(message["c"], keys)
    check_leaf(head, head["size"] - 1, leaf_hash(message["r"]), message["p"])
    record = check_record(message["r"], head["size"] - 1)
    if record.get("successor") and record["v"] == 1:
        need(parse_key(record["successor"])["name"] == head["origin"], "successor")
    return head


def check_announcement(data, keys):
    message = cbor(data)
    need(len(data) <= 65536 and list(message) == ["c", "p", "r"], "keys")
    return check_head(message, keys)["size"]


def check_head_value(data, key):
    value = cbor(data)
    need(len(data) <= 8192 and list(value) == ["c", "k", "p", "r"], "keys")
    need(key == b"/fondue-cp/" + sha(value["k"].encode()), "another key")
    return check_head(value, [parse_key(value["k"])])["size"]


def check_misconduct(data):
    proof = cbor(data)
    kind, key = proof["t"], parse_key(proof["k"])
    need(sorted(proof) == sorted(["a", "b", "k", "t"] + (["i"] if kind == "rewrite" else [])), "keys")
    sides = [proof["a"], proof["b"]]
    if kind == "fork":
        a, b = (signed_head(side, [key]) for side in sides)
        need(a["size"] == b["size"] and a["root"] != b["root"], "no fork")
        order = sides
    elif kind == "rewrite":
        for side in sides:
            check_leaf(signed_head(side["c"], [key]), proof["i"], side["h"], side["p"])
        need(sides[0]["h"] != sides[1]["h"], "one leaf")
        order = [side["h"] + side["c"] for side in sides]
    else:
        need(kind == "successors", "kind")
        named = []
        for side in sides:
            check_leaf(signed_head(side["c"], [key]), side["i"], leaf_hash(side["r"]), side["p"])
            named.append(check_record(side["r"], side["i"]).get("successor"))
        need(None not in named and named[0] != named[1], "one successor")
        order = [side["r"] + side["c"] for side in sides]
    need(order[0] < order[1], "order")
    return key["text"]


# Vectors


def expect(vector, check, expected):
    try:
        result = check()
    except (Refused, KeyError, TypeError, AttributeError) as error:
        return None if vector.get("error") else f"refused: {error!r}"
    if vector.get("error"):
        return f"accepted, but it is {vector['error']}"
    return None if result == expected else f"{result!r} is not {expected!r}"


def check_key_vector(vector):
    key = parse_key(vector["verifierKey"])
    return [key["name"], key["id"].hex(), key["algorithm"]]


def check_note_vector(vector):
    data = vector["note"].encode() if "note" in vector else base64.b64decode(vector["noteBase64"])
    body, verified, unverified = open_note(data, [parse_key(key) for key in vector["keys"]])
    return [body, [key["name"] for key in verified], unverified]


def check_message_vector(vector):
    data = bytes.fromhex(vector["hex"])
    if vector["kind"] == "announcement":
        return check_announcement(data, [parse_key(key) for key in vector["keys"]])
    if vector["kind"] == "head value":
        return check_head_value(data, bytes.fromhex(vector["key"]))
    return check_misconduct(data)


def check_record_vector(vector):
    data = vector["text"].encode()
    check_record(data, vector["index"])
    return leaf_hash(data).hex()


def check_tree(tree):
    leaves = [leaf_hash(bytes.fromhex(leaf)) for leaf in tree["leaves"]]
    yield tree_hash([]).hex() == tree["emptyRoot"], "empty root"
    for size, root in enumerate(tree["roots"], 1):
        yield tree_hash(leaves[:size]).hex() == root, f"root of {size}"
    for one in tree["inclusion"]:
        proof = [bytes.fromhex(h) for h in one["proof"]]
        root = inclusion_root(one["index"], one["size"], leaves[one["index"]], proof)
        yield root.hex() == tree["roots"][one["size"] - 1], f"inclusion {one}"
    for one in tree["consistency"]:
        proof = [bytes.fromhex(h) for h in one["proof"]]
        roots = consistency_roots(one["from"], one["to"], bytes.fromhex(tree["roots"][one["from"] - 1]), proof)
        yield [r.hex() for r in roots] == [tree["roots"][one["from"] - 1], tree["roots"][one["to"] - 1]], f"{one}"


def check_vectors(folder):
    kinds = {
        "keys": (check_key_vector, lambda v: [v.get("name"), v.get("id"), v.get("algorithm")]),
        "notes": (check_note_vector, lambda v: [v.get("text"), v.get("verified"), v.get("unverified")]),
        "checkpoints": (
            lambda v: parse_checkpoint(v["text"]),
            lambda v: {k: v.get(k) for k in ("origin", "size", "root", "extensions")},
        ),
        "records": (check_record_vector, lambda v: v.get("digest")),
        "messages": (check_message_vector, lambda v: v.get("size", v.get("key"))),
    }
    for name, (check, expected) in kinds.items():
        for vector in json.loads((folder / f"{name}.json").read_text())["vectors"]:
            problem = expect(vector, lambda: check(vector), expected(vector))
            yield problem is None, f"{name}: {vector['description']}: {problem}"
    yield from check_tree(json.loads((folder / "tree.json").read_text()))


# A log as it is served (tlog-tiles)


def tile_path(level, index, width):
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    return f"tile/{level}/{'/'.join(groups)}" + ("" if width == 256 else f".p/{width}")


def check_folder(folder, key):
    body, _, _ = open_note((folder / "checkpoint").read_bytes(), [parse_key(key)])
    head = parse_checkpoint(body)
    leaves, before = [], None
    for start in range(0, head["size"], 256):
        width = min(256, head["size"] - start)
        bundle = (folder / tile_path("entries", start // 256, width)).read_bytes()
        while bundle:
            length = int.from_bytes(bundle[:2], "big")
            entry, bundle = bundle[2 : 2 + length], bundle[2 + length :]
            record = check_record(entry, len(leaves))
            yield record["previous"] == before, f"record {len(leaves)} leads on from the one before"
            leaves.append(leaf_hash(entry))
            before = leaves[-1].hex()
    yield len(leaves) == head["size"], "as many entries as the checkpoint says"
    yield tree_hash(leaves).hex() == head["root"], "the root"
    level, hashes_below = 0, leaves
    while hashes_below:
        for start in range(0, len(hashes_below), 256):
            part = hashes_below[start : start + 256]
            path = tile_path(level, start // 256, len(part))
            yield (folder / path).read_bytes() == b"".join(part), path
        full = len(hashes_below) // 256 * 256
        hashes_below = [tree_hash(hashes_below[i : i + 256]) for i in range(0, full, 256)]
        level += 1


def main():
    command, folder, *rest = sys.argv[1:]
    checks = check_vectors if command == "vectors" else check_folder
    checked = failed = 0
    for holds, what in checks(pathlib.Path(folder), *rest):
        checked += 1
        if not holds:
            failed += 1
            print(what)
    print(json.dumps({"checked": checked, "failed": failed}))


main()
