LABELS = ("one", "two", "three")


def labels(engine, questions: list[str], sure: float) -> list[str | None]:
    found = engine.classify(questions, use_tqdm=False)
    rows = [one.outputs.probs for one in found]
    return [LABELS[row.index(max(row))] if max(row) >= sure else None for row in rows]
