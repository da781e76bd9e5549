"""Makes info.json: what `info` must say of containers, by a small reader of its own that shares no code with the three.

Run `python3 harness/tests/cases/make_info.py` at the top of the repository after the goldens were recorded anew. A case has a `file` under
golden, changed by `cut` (only so many bytes are left), `flip` (the lowest bit of that byte; from the end where negative) or `append` (hex), or a whole
container as `hex`. What follows is a `view` and a `text`, or the error's `code`.
"""

import hashlib
import json
import re
import tomllib
import zlib
from pathlib import Path

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "golden"


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


class Fields:
    def __init__(self, content):
        self.content, self.at = content, 0

    def take(self, count):
        self.at += count
        return self.content[self.at - count : self.at]

    def varint(self):
        value = place = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << place
            place += 7
            if byte < 0x80:
                return value


def names():
    """The names of a model and a variant, by the graph's SHA-256."""
    manifest = tomllib.loads((ROOT / "models" / "manifest.toml").read_text())
    found = {}
    for model in manifest["model"]:
        files = {file["path"]: file.get("sha256") for file in model["file"]}
        for variant in model["variant"]:
            if not variant.get("data"):
                found[files[variant["file"]]] = {"name": model["name"], "variant": variant["dtype"]}
    return found


def view(content):
    fields = Fields(content)
    fields.take(5)
    model, tokenizer = fields.take(32).hex(), fields.take(32).hex()
    vocab_size = fields.varint()
    fields.take(1)
    mantissa, exponent, offsets = fields.take(3)
    start_token, window, overlap = fields.varint(), fields.varint(), fields.varint()
    fingerprint = fields.take(fields.varint()).decode()
    fields.take(4)
    frames, lanes, tokens, plain_bytes = [], [], 0, 0
    while kind := fields.take(1)[0]:
        frames.append(kind)
        length = fields.varint()
        plain_bytes += length
        fields.take(4)
        if kind == 2:
            fields.take(4 + length)
            continue
        tokens += fields.varint()
        runs = [fields.varint() for _ in range(fields.varint())]
        fields.take(sum(run // 2 for run in runs if run % 2))
        fields.varint(), fields.varint()
        lanes.append(fields.varint())
        lengths = []
        for _ in range(lanes[-1]):
            lengths.append(fields.varint())
            fields.take(4)
        fields.take(4 + sum(lengths))
    sha256 = fields.take(32).hex()
    assert fields.at == len(content)
    ratio = round(1000 * plain_bytes / len(content)) / 1000
    return {
        "version": 1,
        "model_sha256": model,
        "model": names().get(model),
        "tokenizer_sha256": tokenizer,
        "vocab_size": vocab_size,
        "fingerprint": fingerprint,
        "eps": f"{mantissa}e-{exponent}" if mantissa else "0",
        "offsets": offsets,
        "start_token": start_token,
        "window": window,
        "overlap": overlap,
        "frames": len(frames),
        "coded_frames": frames.count(1),
        "stored_frames": frames.count(2),
        "lanes": {"least": min(lanes), "most": max(lanes)} if lanes else None,
        "tokens": tokens,
        "plain_bytes": plain_bytes,
        "plain_sha256": sha256,
        "plain_is_verified": not lanes,
        "container_bytes": len(content),
        "ratio": ratio if plain_bytes else None,
    }


def text(view):
    model, lanes = view["model"], view["lanes"]
    whole = "structure, every crc32, plain SHA-256"
    part = "structure, every crc32; the plain SHA-256 needs the model"
    return [
        f"format: version {view['version']}",
        f"model: {model['name'] + ' ' + model['variant'] if model else 'unknown'}, SHA-256 {view['model_sha256']}",
        f"tokenizer: SHA-256 {view['tokenizer_sha256']}",
        f"vocabulary: {view['vocab_size']}",
        f"writer: {view['fingerprint'] or 'unnamed'}",
        f"eps: {view['eps']}",
        f"context: window {view['window']}, overlap {view['overlap']}, start token {view['start_token']}",
        f"frames: {view['coded_frames']} coded, {view['stored_frames']} stored",
        "lanes: " + ("none" if not lanes else re.sub(r"^(\d+) to \1$", r"\1", f"{lanes['least']} to {lanes['most']}")),
        f"tokens: {view['tokens']}",
        f"plain: {view['plain_bytes']} bytes, SHA-256 {view['plain_sha256']}",
        f"container: {view['container_bytes']} bytes" + (f", ratio {view['ratio']:.3f}" if view["plain_bytes"] else ""),
        f"checked: {whole if view['plain_is_verified'] else part}",
    ]


def frame_of(name):
    """The frames of a golden container of the exact graph, without preamble and end."""
    content = (GOLDEN / "tiny" / "exact" / name).read_bytes()
    return content[len(preamble_of(content)) : -33]


def preamble_of(content):
    fields = Fields(content)
    fields.take(69)
    fields.varint()
    fields.take(4)
    for _ in range(3):
        fields.varint()
    fields.take(fields.varint() + 4)
    return content[: fields.at]


def stored(plain):
    head = b"\2" + varint(len(plain)) + zlib.crc32(plain).to_bytes(4, "little")
    return head + zlib.crc32(head).to_bytes(4, "little") + plain


def sealed(head):
    return head + zlib.crc32(head).to_bytes(4, "little")


def cases():
    files = sorted(path.relative_to(GOLDEN).as_posix() for path in GOLDEN.glob("tiny/*/*.llmzip"))
    for file in files:
        yield {"file": file}, (GOLDEN / file).read_bytes()
    small = (GOLDEN / "tiny" / "exact" / "one-byte.llmzip").read_bytes()
    head = preamble_of(small)
    unknown = sealed(head[:5] + bytes(range(32)) + head[37:-4])
    frames = [frame_of("crlf.llmzip"), stored(b"as it is"), frame_of("mixed-scripts.llmzip")]
    many = unknown + b"".join(frames) + b"\0" + bytes(32)
    yield {"hex": many.hex()}, many
    unnamed = sealed(head[: -4 - 1 - len("exact-1")] + b"\0")
    nothing = unnamed + b"\0" + hashlib.sha256().digest()
    yield {"hex": nothing.hex()}, nothing


def faults():
    coded, plain = "tiny/exact/10-kb-of-text.llmzip", "tiny/exact/random-bytes.llmzip"
    length = len((GOLDEN / coded).read_bytes())
    for cut in (0, 3, 4, 60, length - 33, length - 32, length - 1):
        yield {"file": coded, "cut": cut}
    # The magic, the version, a hash, a frame's kind, its head, a lane's stream.
    first = len(preamble_of((GOLDEN / coded).read_bytes()))
    for flip in (0, 4, 20, first, first + 2, -60):
        yield {"file": coded, "flip": flip}
    # Stored bytes, and the SHA-256 that they are held to.
    for flip in (-40, -1):
        yield {"file": plain, "flip": flip}
    yield {"file": coded, "append": "00"}


def table():
    """The text of info.json."""
    good = [case | {"view": view(content), "text": text(view(content))} for case, content in cases()]
    bad = [case | {"code": "format"} for case in faults()]
    lines = ",\n".join("  " + json.dumps(case) for case in good + bad)
    return f'{{"cases": [\n{lines}\n]}}\n'


if __name__ == "__main__":
    (Path(__file__).parent / "info.json").write_text(table(), encoding="utf-8", newline="\n")
