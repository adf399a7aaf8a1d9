"""Reads a dump of a logical store, written from docs/dump-format.md alone. Prints what it found as JSON."""
import base64, hashlib, json, re, struct, sys

sys.setrecursionlimit(10_000)
FOLDER = sys.argv[1]
ITEMS = {"f4": "f", "f8": "d", "f2": "e", "u1": "B", "i1": "b"}


class Matrix:
    def __init__(self, file):
        self.file = open(f"{FOLDER}/{file}", "rb")
        assert self.file.read(8) == b"\x93NUMPY\x01\x00"
        (length,) = struct.unpack("<H", self.file.read(2))
        header = self.file.read(length).decode()
        self.item = re.search(r"'descr': '[<|](..)'", header).group(1)


def numbers(data, item, shape):
    values = list(struct.unpack(f"<{len(data) // struct.calcsize(ITEMS[item])}{ITEMS[item]}", data))
    columns = shape[-1]
    return values if len(shape) == 1 else [values[n * columns : (n + 1) * columns] for n in range(shape[0])]


def decode(value, field, matrices, raw):
    if isinstance(value, list):
        return [decode(item, field, matrices, raw) for item in value]
    if not isinstance(value, dict):
        return value
    first = next(iter(value), "")
    if not first.startswith("$") or first.startswith("$$"):
        names = ((name[1:] if name.startswith("$$") else name, part) for name, part in value.items())
        return {name: decode(part, name, matrices, raw) for name, part in names}
    if first == "$bytes":
        return base64.b64decode(value[first])
    if first == "$double":
        return float(value[first])
    if first != "$vector":
        return (first, decode(value[first], field, matrices, raw))
    item, shape = re.fullmatch(r"(..)\[(.*)\]", value[first]).groups()
    shape = [int(part) for part in shape.split(",")]
    if "data" in value:
        return numbers(base64.b64decode(value["data"]), item, shape)
    count = struct.calcsize(ITEMS[item]) * shape[-1] * (shape[0] if len(shape) == 2 else 1)
    raw.append(matrices[field, item, shape[-1]].file.read(count))
    return numbers(raw[-1], item, shape)


report = {}
for collection in json.load(open(f"{FOLDER}/schema.json"))["collections"]:
    matrices = {(v["field"], v["type"], v["columns"]): Matrix(v["file"]) for v in collection["vectors"]}
    count, total, sample = 0, 0, []
    for line in open(f"{FOLDER}/{collection['file']}", "rb"):
        raw = []
        record = decode(json.loads(line), "", matrices, raw)
        digest = hashlib.sha256(line[:-1] + b"".join(raw)).digest()
        count, total = count + 1, (total + int.from_bytes(digest, "big")) % 2**256
        if count <= 20:
            sample.append(repr(record.get("value", record)))
    assert count == collection["records"] and all(not m.file.read() for m in matrices.values())
    report[collection["name"]] = {"records": count, "contentDigest": f"{total:064x}", "sample": sample}
print(json.dumps(report))
