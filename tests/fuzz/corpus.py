#!/usr/bin/env python3
"""The fuzzer's corpus as text: one case a line, the method's symbol in methods.def and the case's other bytes in hexadecimal.

The first byte of a case chooses the method by its place in the registry. That place moves whenever a method is added, so the text has the name instead.

Usage: corpus.py unpack FOLDER    writes one file per case of corpus.txt into FOLDER, as the fuzzer reads them
       corpus.py pack FOLDER      prints corpus.txt from the files in FOLDER, sorted
"""
import re
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
text = here / "corpus.txt"
registry = re.findall(r"^FQ_METHOD\((\w+)\)", (here / "../../methods/methods.def").read_text(), re.M)


def unpack(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for number, line in enumerate(text.read_text().splitlines(), 1):
        name, _, rest = line.partition(" ")
        if name not in registry:
            sys.exit(f"{text}:{number}: methods.def has no method '{name}': take the lines of a method that went away out of this file")
        (folder / f"{name}-{number}").write_bytes(bytes([registry.index(name)]) + bytes.fromhex(rest))


def pack(folder):
    lines = set()
    for file in folder.iterdir():
        case = file.read_bytes()
        if case:
            lines.add(f"{registry[case[0] % len(registry)]} {case[1:].hex()}".rstrip())
    print("\n".join(sorted(lines)))


if len(sys.argv) != 3 or sys.argv[1] not in ("pack", "unpack"):
    sys.exit(__doc__)
(pack if sys.argv[1] == "pack" else unpack)(Path(sys.argv[2]))
