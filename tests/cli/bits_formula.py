#!/usr/bin/env python3
"""Every bits formula that `fairquant list methods` prints, against the bytes that `fairquant size` counts from the footprint.

Usage: bits_formula.py FAIRQUANT

A formula is a list of clauses with "; " between them:
    EXPRESSION [= NUMBER]                 the rate in bits per coordinate; a number behind '=' must be its value
    PARAMETER=VALUE: EXPRESSION           instead of it, where the parameter has that value (also !=, >); keys: and values: for the tensor
    PARAMETER=VALUE: + EXPRESSION         in addition to it
    v = EXPRESSION, ..., or words         what the letters mean; words are for people, and what they say is in `letters` below
Two quantities side by side are multiplied. Where a formula says "rounded up to bytes", the rate may be up to one byte per record higher.
Every default and, one at a time, every other choice and both ends of every range are tried, for keys and values, at several dimensions; what a method
refuses at a dimension is left out, and at least one setting per method must be left.
"""
import json
import re
import subprocess
import sys
from fractions import Fraction

DIMENSIONS = [64, 96, 128, 256]


def run(*arguments):
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


def power_of_two(n):
    return 1 << (n - 1).bit_length()


def padded(rotation, d):
    if rotation in ("hadamard", "rht"):
        return power_of_two(d)
    return -(-d // 64) * 64 if rotation == "fht-kac" else d


def letters(p, d, formula):
    """What the letters of a formula stand for, given the parameters by name."""
    whole = -(-d // 64) * 64 if "padded to 64" in formula else d
    v = {"d": d, "w": padded(p.get("rotation", "none"), whole), "s": 32 if p.get("scalar") == "fp32" else 16}
    v["i"] = 8 if d <= 256 else 16
    for name, text in p.items():
        try:
            v[name] = Fraction(text)
        except ValueError:
            pass
    if "bits" in v:
        v["b"] = int(v["bits"])  # the 2 of 2.5
    if "narrow" in p:
        v["g"] = 64 if p["narrow"] == "group-64" and d % 128 == 64 else 128
        v["w"] = -(-d // v["g"]) * v["g"]
    elif "group" in v:
        v["g"] = v["group"] or v["w"]
    if "share" in v:
        loud = int(d * v["share"])
        v["w1"], v["w2"] = (padded(p["rotation"], n) for n in (loud, d - loud))
    return v


def evaluate(text, v):
    """Exact value of an expression of numbers, letters, + - * / ^ ( ) and juxtaposition."""
    tokens = re.findall(r"\d+(?:\.\d+)?|[A-Za-z_][A-Za-z_0-9]*|[-+*/^()]", text)
    if "".join(tokens) != text.replace(" ", ""):
        raise ValueError(f"'{text}' holds something that is no expression")
    out = []
    for i, t in enumerate(tokens):
        value = re.match(r"[\w(]", t)
        if i and value and re.match(r"[\w)]", tokens[i - 1][-1]):
            out.append("*")  # "2 s", "16 groups", "(a) w"
        if re.match(r"\d", t):
            out.append(f"Fraction('{t}')")
        elif re.match(r"[A-Za-z_]", t):
            out.append(f"v[{t!r}]")
        else:
            out.append("**" if t == "^" else t)
    return Fraction(eval("".join(out), {"v": v, "Fraction": Fraction}))  # only tokens from above


def holds(condition, p, tensor):
    if condition in ("keys", "values"):
        return condition == tensor
    name, sign, value = re.fullmatch(r"(\w+)(!=|=|>)(\S+)", condition).groups()
    if sign == ">":
        return Fraction(p[name]) > Fraction(value)
    return (p[name] == value) == (sign == "=")


def rate(formula, p, d, tensor):
    v = letters(p, d, formula)
    clauses = formula.split("; ")
    for words in clauses[1:]:
        for name, text in re.findall(r"(?:^|, )([a-z]\w*) = ([^,;]+)", words):
            try:
                v.setdefault(name, evaluate(text, v))
            except (ValueError, KeyError, SyntaxError, TypeError):
                pass  # "d or d padded for the rotation": said in words, known to `letters`
    value = None
    for i, clause in enumerate(clauses):
        condition, colon, text = clause.partition(": ")
        if not colon:
            condition, text = "", clause
        if condition and not re.fullmatch(r"keys|values|\w+(!=|=|>)\S+", condition):
            continue
        if not condition and i > 0:
            continue  # what the letters mean
        if condition and not holds(condition, p, tensor):
            continue
        text, _, stated = text.partition(" = ")
        if text.startswith("+ "):
            value += evaluate(text[2:], v)
        else:
            value = evaluate(text, v)
        if stated and value != Fraction(stated):
            raise ValueError(f"'{clause}' states {stated} and is {float(value)}")
    if value is None:
        raise ValueError("no clause applies")
    return value


def settings(method):
    """The defaults, then each parameter at every other choice or at both ends of its range."""
    yield ""
    for p in method["parameters"]:
        for value in p["choices"] if "choices" in p else {p["min"], p["max"]}:
            text = value if isinstance(value, str) else f"{value:g}"
            yield f"{p['name']}={text}"


def measured(fairquant, method, texts, d):
    """[(parameters, key bits, value bits)] of the settings that the method accepts at this dimension."""
    words = [method["name"] + (":" + t if t else "") for t in texts]
    shape = ["--layers", "1", "--kv-heads", "1", "--dim", str(d), "--context", "1048576", "--json"]
    done = run(fairquant, "size", *shape, *words)
    if done.returncode == 0:
        return [(r["parameters"], r["key_bits"], r["value_bits"]) for r in json.loads(done.stdout)["methods"]]
    if done.returncode != 2 or not done.stderr.strip():
        sys.exit(f"{words}: exit {done.returncode}: {done.stderr}")
    if len(texts) == 1:
        return []
    half = len(texts) // 2
    return measured(fairquant, method, texts[:half], d) + measured(fairquant, method, texts[half:], d)


def main():
    fairquant = sys.argv[1]
    bad = tried = 0
    for method in json.loads(run(fairquant, "list", "methods", "--json").stdout):
        formula, here = method["bits"], 0
        for d in DIMENSIONS:
            for text, *bits in measured(fairquant, method, list(settings(method)), d):
                p = dict(w.split("=", 1) for w in text.split())
                for tensor, found in zip(("keys", "values"), bits):
                    if found is None:
                        continue  # decodes nothing, so it has no values
                    here += 1
                    try:
                        expected = float(rate(formula, p, d, tensor))
                    except (ValueError, KeyError, SyntaxError, TypeError) as why:
                        expected, tensor = float("nan"), f"{tensor}, {why!r}"
                    room = 8 / d if "rounded up to bytes" in formula else 0
                    if not expected - 1e-9 <= found <= expected + room + 1e-9:
                        bad += 1
                        print(f"{method['name']} {text} at d = {d} ({tensor}): '{formula}' gives {expected:g}, the bytes {found:g}")
        if here == 0:
            bad += 1
            print(f"{method['name']}: no setting could be tried")
        tried += here
    print(f"{tried} rates, {bad} of them not as the formula says")
    return 1 if bad or tried < 100 else 0


if __name__ == "__main__":
    sys.exit(main())
