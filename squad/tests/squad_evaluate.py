"""Exact match and F1 by the rules of SQuAD's official scripts and of transformers' squad_evaluate, written from their
description and independent of the crate: reads {"questions": [[id, [answers]]], "predictions", "null_odds",
"threshold"} from standard input and prints the scores of both versions."""

import json
import re
import string
import sys
from collections import Counter


def words(text):
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def f1(prediction, answer, empty_agree):
    p, a = words(prediction), words(answer)
    if empty_agree and (not p or not a):
        return float(p == a)
    shared = sum((Counter(p) & Counter(a)).values())
    return 2 * shared / (len(p) + len(a)) if shared else 0.0


def exact(prediction, answer):
    return float(words(prediction) == words(answer))


def percent(values):
    values = list(values)
    return 100 * sum(values) / len(values) if values else None


def best(raw, has_answer, predictions, odds):
    """Every threshold that is one of the odds, and that below all of them, tried one by one."""
    found = (percent(float(not has_answer[i]) for i in raw), 0.0)
    for threshold in sorted(set(odds.values())):
        score = percent(
            raw[i] if odds[i] <= threshold and (has_answer[i] or predictions[i]) else float(not has_answer[i])
            for i in raw
        )
        # Of a no-answer question that is answered nothing counts.
        if score > found[0] + 1e-9:
            found = (score, threshold)
    return found


data = json.load(sys.stdin)
predictions, odds, threshold = data["predictions"], data["null_odds"], data["threshold"]
out = {"v1": {}, "v2": {}}
gold = dict(data["questions"])
for name, score in [("exact", exact), ("f1", lambda p, a: f1(p, a, False))]:
    out["v1"][name] = percent(max([score(predictions[i], a) for a in gold[i]] or [0]) for i in gold)
has_answer = {i: bool(answers) for i, answers in gold.items()}
for name, score in [("exact", exact), ("f1", lambda p, a: f1(p, a, True))]:
    raw = {}
    for i, answers in gold.items():
        answers = [a for a in answers if words(a)] or [""]
        raw[i] = max(score(predictions[i], a) for a in answers)
    final = {i: float(not has_answer[i]) if odds[i] > threshold else raw[i] for i in raw}
    out["v2"][name] = percent(final.values())
    out["v2"]["HasAns_" + name] = percent(final[i] for i in final if has_answer[i])
    out["v2"]["NoAns_" + name] = percent(final[i] for i in final if not has_answer[i])
    strict = {i: raw[i] if has_answer[i] else 0.0 for i in raw}
    out["v2"]["best_" + name], out["v2"]["best_" + name + "_thresh"] = best(strict, has_answer, predictions, odds)
print(json.dumps(out))
