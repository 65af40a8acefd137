"""The index map a second time, from the design alone: checks the vectors of a folder with nothing but hashlib.

    python3 index_map.py FOLDER    prints {"bins": n, ...}; exit code 1 and the first fault when one does not hold
"""

import hashlib
import json
import re
import struct
import sys

BINS = 65536
BIN_BYTES = 64 * 1024
DELTA_BYTES = 1024 * 1024
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")


class Refused(Exception):
    pass


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# --- deterministic CBOR: what DAG-CBOR needs for maps of text, lists, integers, bytes and booleans


def head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    for info, form, end in (24, ">B", 1 << 8), (25, ">H", 1 << 16), (26, ">I", 1 << 32), (27, ">Q", 1 << 64):
        if number < end:
            return bytes([major << 5 | info]) + struct.pack(form, number)
    raise Refused("MALFORMED")


def encode(value):
    if value is True:
        return b"\xf5"
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        return head(3, len(text)) + text
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(encode(item) for item in value)
    keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
    return head(5, len(keys)) + b"".join(encode(key) + encode(value[key]) for key in keys)


def decode(data):
    value, end = item(data, 0, 0)
    if end != len(data):
        raise Refused("MALFORMED")
    return value


def item(data, at, depth):
    if at >= len(data) or depth > 4:
        raise Refused("MALFORMED")
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7:
        if info in (20, 21):
            return info == 21, at
        if info == 27:  # A float: read as the number it is, so that it cannot be encoded back to the same bytes.
            return int(struct.unpack(">d", data[at : at + 8])[0]), at + 8
        raise Refused("MALFORMED")
    size = {24: 1, 25: 2, 26: 4, 27: 8}.get(info, 0)
    if info > 27 or at + size > len(data):
        raise Refused("MALFORMED")
    number = int.from_bytes(data[at : at + size], "big") if size else info
    if size and len(head(0, number)) != 1 + size:
        raise Refused("MALFORMED")
    at += size
    if major == 0:
        return number, at
    if major == 1:
        return -1 - number, at
    if major in (2, 3):
        if at + number > len(data):
            raise Refused("MALFORMED")
        text = data[at : at + number]
        try:
            return (text if major == 2 else text.decode()), at + number
        except UnicodeDecodeError:
            raise Refused("MALFORMED") from None
    if major == 4:
        items = []
        for _ in range(number):
            value, at = item(data, at, depth + 1)
            items.append(value)
        return items, at
    if major == 5:
        members = {}
        for _ in range(number):
            key, at = item(data, at, depth + 1)
            if not isinstance(key, str) or key in members:
                raise Refused("MALFORMED")
            members[key], at = item(data, at, depth + 1)
        return members, at
    raise Refused("MALFORMED")


# --- bins, deltas


def bin_number(name):
    return int.from_bytes(sha256(name.encode())[:2], "big")


def is_count(value):
    return type(value) is int and 0 <= value <= 2**53 - 1


def check_entry(entry):
    good = (
        type(entry) is list
        and len(entry) == 4
        and type(entry[0]) is str
        and is_count(entry[1])
        and type(entry[2]) is bytes
        and len(entry[2]) == 32
        and is_count(entry[3])
    )
    if not good:
        raise Refused("MALFORMED")


def check_names(names):
    before = b""
    for name in names:
        if type(name) is not str:
            raise Refused("MALFORMED")
        if len(name) > 200 or not NAME.match(name):
            raise Refused("BAD_NAME")
        if name.encode() <= before:
            raise Refused("BAD_ORDER")
        before = name.encode()


def read_bin(data, number):
    if len(data) > BIN_BYTES:
        raise Refused("TOO_LARGE")
    value = decode(data)
    if type(value) is not dict or type(value.get("e")) is not list:
        raise Refused("MALFORMED")
    if set(value) - {"e", "p"} or value.get("p", True) is not True:
        raise Refused("MALFORMED")
    for entry in value["e"]:
        check_entry(entry)
    check_names([entry[0] for entry in value["e"]])
    if any(bin_number(entry[0]) != number for entry in value["e"]):
        raise Refused("FOREIGN_NAME")
    if encode(value) != data:
        raise Refused("NOT_CANONICAL")
    return value["e"], "p" in value


def write_bin(entries, partial):
    entries = sorted(entries, key=lambda entry: entry[0].encode())
    return encode({"e": entries, "p": True} if partial else {"e": entries})


def fit_bin(entries):
    data = write_bin(entries, False)
    if len(data) <= BIN_BYTES:
        return data
    lowest = sorted(entries, key=lambda entry: (entry[1], entry[0].encode()))
    while len(write_bin(lowest, True)) > BIN_BYTES:
        lowest.pop()
    return write_bin(lowest, True)


def read_delta(data):
    if len(data) > DELTA_BYTES:
        raise Refused("TOO_LARGE")
    value = decode(data)
    if type(value) is not dict or set(value) - {"set", "del", "p"}:
        raise Refused("MALFORMED")
    entries, names, turned = value.get("set"), value.get("del"), value.get("p", [])
    if not type(entries) is type(names) is type(turned) is list:
        raise Refused("MALFORMED")
    for entry in entries:
        check_entry(entry)
    check_names([entry[0] for entry in entries])
    check_names(names)
    if set(names) & {entry[0] for entry in entries}:
        raise Refused("BAD_ORDER")
    if any(type(number) is not int or not 0 <= number < BINS for number in turned):
        raise Refused("MALFORMED")
    if turned != sorted(set(turned)):
        raise Refused("BAD_ORDER")
    if encode(value) != data or value.get("p") == []:
        raise Refused("NOT_CANONICAL")
    return entries, names, turned


# --- maps


class Map:
    """`entries` by name, and the numbers of the partial bins."""

    def __init__(self, entries, partial):
        self.entries = {entry[0]: entry for entry in entries}
        self.partial = set(partial)

    def apply(self, entries, names, turned):
        changed = {**self.entries, **{entry[0]: entry for entry in entries}}
        for name in names:
            changed.pop(name, None)
        return Map(changed.values(), self.partial ^ set(turned))

    def leaves(self):
        bins = {number: [] for number in self.partial}
        for name, entry in self.entries.items():
            bins.setdefault(bin_number(name), []).append(entry)
        empty = leaf_hash(write_bin([], False))
        leaves = [empty] * BINS
        for number, entries in bins.items():
            leaves[number] = leaf_hash(write_bin(entries, number in self.partial))
        return leaves

    def root(self):
        return root_of(self.leaves())


def leaf_hash(data):
    return sha256(b"\x00", data)


def root_of(level):
    while len(level) > 1:
        level = [sha256(b"\x01", level[at], level[at + 1]) for at in range(0, len(level), 2)]
    return level[0]


def verify(root, name, proof):
    if len(proof) <= 512:
        raise Refused("MALFORMED")
    number = bin_number(name)
    value = leaf_hash(proof[512:])
    for level in range(16):
        beside = proof[level * 32 : level * 32 + 32]
        pair = (beside, value) if number >> level & 1 else (value, beside)
        value = sha256(b"\x01", *pair)
    if value != root:
        raise Refused("WRONG_ROOT")
    entries, partial = read_bin(proof[512:], number)
    for entry in entries:
        if entry[0] == name:
            return entry
    return "unknown" if partial else "absent"


# --- the vectors


def entries_of(tuples):
    return [[name, serial, bytes.fromhex(digest), length] for name, serial, digest, length in tuples]


def same(what, mine, theirs):
    if mine != theirs:
        raise SystemExit(f"{what}: {mine!r} here, {theirs!r} in the vector")


def same_refusal(vector, work):
    try:
        work()
    except Refused as refused:
        same(vector["description"], str(refused), vector["code"].split("_", 1)[1])
        return
    raise SystemExit(f"{vector['description']}: not refused")


def main(folder):
    def load(name):
        with open(f"{folder}/{name}.json", encoding="utf-8") as file:
            return json.load(file)

    bins, map_, delta, ground, over = (load(n) for n in ("bins", "map", "delta", "ground-names", "overfull"))
    for vector in bins["accepted"]:
        data, entries = bytes.fromhex(vector["cbor"]), entries_of(vector["entries"])
        same(vector["description"], write_bin(entries, vector["partial"]), data)
        same(vector["description"], read_bin(data, vector["number"]), (entries, vector["partial"]))
        same(vector["description"], leaf_hash(data).hex(), vector["leafHash"])
    for vector in bins["refused"]:
        same_refusal(vector, lambda: read_bin(bytes.fromhex(vector["cbor"]), vector["number"]))

    whole = Map(entries_of(map_["entries"]), map_["partialBins"])
    root = whole.root()
    same("root", root.hex(), map_["root"])
    same("root of an empty map", Map([], []).root().hex(), map_["emptyRoot"])
    same("leaves", sha256(*whole.leaves()).hex(), map_["leavesSha256"])
    for vector in map_["proofs"]:
        answer = vector["answer"] if isinstance(vector["answer"], str) else entries_of([vector["answer"]])[0]
        same(vector["name"], verify(root, vector["name"], bytes.fromhex(vector["proof"])), answer)
    for vector in map_["refused"]:
        same_refusal(vector, lambda: verify(root, vector["name"], bytes.fromhex(vector["proof"])))

    for vector in delta["accepted"]:
        parts = read_delta(bytes.fromhex(vector["cbor"]))
        same(vector["description"], parts, (entries_of(vector["set"]), vector["del"], vector["p"]))
        same(vector["description"], root.hex(), vector["beforeRoot"])
        same(vector["description"], whole.apply(*parts).root().hex(), vector["afterRoot"])
    for vector in delta["refused"]:
        same_refusal(vector, lambda: read_delta(bytes.fromhex(vector["cbor"])))

    ground_entries = []
    for at, tail in enumerate(ground["numbers"]):
        name = f"{ground['prefix']}{tail}"
        same("bin of a ground name", bin_number(name), ground["bin"])
        ground_entries.append([name, 300 - at, sha256(f"{name} {300 - at}".encode()), 300])
    data = fit_bin(ground_entries)
    kept, partial = read_bin(data, over["number"])
    same("overfull bin", [len(kept), len(data), partial], [over["kept"], over["bytes"], over["partial"]])
    same("overfull bin", leaf_hash(data).hex(), over["leafHash"])

    counts = {
        "bins": len(bins["accepted"]) + len(bins["refused"]),
        "proofs": len(map_["proofs"]) + len(map_["refused"]),
        "deltas": len(delta["accepted"]) + len(delta["refused"]),
        "ground": len(ground_entries),
    }
    print(json.dumps(counts))


if __name__ == "__main__":
    main(sys.argv[1])
