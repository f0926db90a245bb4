"""Against llama.cpp's own perplexity tool, built from the source that libllama is built from (tests/peers/setup.sh).

Full precision: the perplexity after every window must print the same digits. Caches of q8_0 and q4_0, with the tool's built-in Hadamard
rotation on and off: ours writes decoded keys and values over the originals, theirs stores blocks and multiplies with them. Its kernel rounds
each query to q8_0 first, so ours is measured with float queries, which is what a sweep does, and with queries rounded that way, which is the
same arithmetic up to the order of sums. The order of sums alone moves a perplexity, because products with quantized weights round their
activations to 8 bits and a tiny change flips such roundings. How far is the noise floor: the tool at full precision with flash attention
against itself without, as the mean difference in log perplexity over the windows and half its 95 % interval, added.

Environment: FQ_LLAMA_PERPLEXITY the tool, FQ_PERPLEXITY_DRIVER ours, FQ_PEER_MODELS which models (default: all of the manifest that are
here), FQ_PEER_FORMATS (default: q8_0 q4_0; empty: full precision alone), FQ_PEER_CONTEXT (512), FQ_PEER_THREADS (2), FQ_PEER_LINES the table.
"""
import json
import math
import os
import re
import subprocess
import sys

TOOL = os.environ["FQ_LLAMA_PERPLEXITY"]
DRIVER = os.environ["FQ_PERPLEXITY_DRIVER"]
LINES = os.environ.get("FQ_PEER_LINES", os.devnull)
FORMATS = os.environ.get("FQ_PEER_FORMATS", "q8_0 q4_0").split()
CONTEXT, CHUNKS, THREADS = int(os.environ.get("FQ_PEER_CONTEXT", "512")), 8, int(os.environ.get("FQ_PEER_THREADS", "2"))
PEER = "llama-perplexity of " + " ".join(open(".deps/llama/VERSION", encoding="utf-8").read().split()[:2])
failed = False


def line(what, inputs, ours, theirs, verdict, note=""):
    global failed
    failed = failed or verdict == "differs"
    with open(LINES, "a", encoding="utf-8") as f:
        f.write(json.dumps({"peer": PEER, "what": what, "inputs": inputs, "ours": ours, "theirs": theirs, "verdict": verdict, "note": note}) + "\n")
    print(f"{verdict:9s} llama.cpp: {what}: ours {ours}, theirs {theirs}{'; ' + note if note else ''}", flush=True)


def entries():
    """name -> (kind, file) of the manifest."""
    found, name = {}, None
    for row in open("datasets/manifest.yaml", encoding="utf-8"):
        m = re.match(r"(?:- )?\s*(name|kind|file):\s*(\S+)", row)
        if not m:
            continue
        if m[1] == "name":
            name = m[2]
            found[name] = {}
        else:
            found[name][m[1]] = m[2]
    return found


def locate(entry):
    for folder in (os.environ.get("FQ_DATA") or "datasets/files", os.environ.get("FQ_MIRROR")):
        path = folder and os.path.join(folder, entry["file"])
        if path and os.path.isfile(path):
            return path
    return None


def theirs(model, corpus, cache, rotation, flash):
    """Cumulative perplexities as printed, one for each window. Quantized values need flash attention there."""
    command = [TOOL, "-m", model, "-f", corpus, "-c", str(CONTEXT), "-b", str(CONTEXT), "-ub", str(CONTEXT), "--chunks", str(CHUNKS), "-t",
               str(THREADS), "-tb", str(THREADS), "-ctk", cache, "-ctv", cache, "-fa", "on" if flash else "off", "-ngl", "0"]
    environment = dict(os.environ, LLAMA_ATTN_ROT_DISABLE="0" if rotation else "1")
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    values = re.findall(r"\[\d+\](\d+\.\d+)", done.stdout + done.stderr)
    if done.returncode != 0 or len(values) != CHUNKS:
        sys.exit(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-600:]}")
    return values


def ours(model, corpus, arms):
    done = subprocess.run([DRIVER, model, corpus, str(CONTEXT), str(CHUNKS), str(THREADS), *[w for arm in arms for w in arm]],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr.strip())
    return [json.loads(row) for row in done.stdout.splitlines()]


def cumulative(nats):
    return [f"{math.exp(sum(nats[:i + 1]) / (i + 1)):.4f}" for i in range(len(nats))]


def windows(printed):
    """Nats per token of each window, from cumulative perplexities of four decimals."""
    total = [math.log(float(p)) * (i + 1) for i, p in enumerate(printed)]
    return [b - a for a, b in zip([0.0] + total, total)]


def difference(nats, printed):
    """Mean over windows of ours minus theirs, and half its 95 % interval (t with 7 degrees of freedom)."""
    d = [a - b for a, b in zip(nats, windows(printed))]
    mean = sum(d) / len(d)
    return mean, 2.365 * math.sqrt(sum((x - mean) ** 2 for x in d) / (len(d) - 1) / len(d))


def compare(name, model, corpus):
    inputs = f"{name}, WikiText-2, {CHUNKS} x {CONTEXT}"
    arms = []
    for t in FORMATS:
        for h in ("none", "llama"):
            cache = f"{t} hadamard={h}"
            arms += [(cache, cache, "-"), (cache, cache, f"q8_0 hadamard={h}")]
    mine = ours(name, "wikitext-2", arms)
    full, printed = cumulative(mine[0]["nats"]), theirs(model, corpus, "f32", False, False)
    line(f"{name}: full precision", inputs, full[-1], printed[-1], "equal" if full == printed else "differs",
         "after each window" if full == printed else f"ours {','.join(full)}; theirs {','.join(printed)}")
    if not FORMATS:
        return
    mean, half = difference(windows(printed), theirs(model, corpus, "f32", False, True))
    floor = abs(mean) + half
    for i, (t, h) in enumerate((t, h) for t in FORMATS for h in ("none", "llama")):
        plain, rounded = mine[1 + 2 * i], mine[2 + 2 * i]
        one = theirs(model, corpus, t, h == "llama", True)
        mean, half = difference(rounded["nats"], one)
        mean_plain, half_plain = difference(plain["nats"], one)
        line(f"{name}: {t}, rotation {'on' if h == 'llama' else 'off'}", inputs, f"{rounded['perplexity']:.4f}", one[-1],
             "agrees" if abs(mean) <= floor and abs(mean_plain) <= max(floor, half_plain) else "differs",
             f"log PPL {mean:+.5f} +- {half:.5f} with rounded queries, {mean_plain:+.5f} +- {half_plain:.5f} with float queries "
             f"({plain['perplexity']:.4f}); noise floor {floor:.5f}")


def main():
    known = entries()
    corpus = locate(known["wikitext-2"])
    if not corpus:
        return line("perplexity", "", "-", "-", "skipped", "wikitext-2 is not here: scripts/setup.sh wikitext, or FQ_MIRROR")
    wanted = os.environ.get("FQ_PEER_MODELS", "").split() or [n for n, e in known.items() if e["kind"] == "model"]
    for name in wanted:
        model = locate(known[name])
        if model:
            compare(name, model, corpus)
        else:
            line(f"{name}: perplexity", "", "-", "-", "skipped", f"the model is not here: scripts/setup.sh {name}")
    return None


main()
sys.exit(1 if failed else 0)
