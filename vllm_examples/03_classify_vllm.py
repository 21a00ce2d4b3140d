"""How many calculations does a problem need? A classifier on vLLM, all texts at once.

    python vllm_examples/03_classify_vllm.py

The classifier is the offline model with one more layer, trained on first use in seconds; `--model`
takes another body.
Last line: 1000 texts in 1.18 s (850.5 texts/s), answer e7c703c4
"""

import time

import typer

from workshop import classifier, llm


def main(texts: int = 1000, model: str = llm.MODEL, seed: int = 42) -> dict:
    """Tells of TEXTS questions how many calculations they need."""
    if texts < 1:
        raise typer.BadParameter("--texts starts at 1")
    llm.prepare(model)
    checkpoint = classifier.cached(model)
    problems, start = llm.problems(texts, seed), time.perf_counter()

    from vllm import LLM  # NEW:

    engine = LLM(checkpoint, runner="pooling", **llm.options())  # NEW:

    def classify(questions: list[str]) -> list[list[float]]:
        return [one.outputs.probs for one in engine.classify(questions, use_tqdm=False)]  # NEW:

    questions = [one.question for one in problems]
    classify(questions[:1])
    ready = time.perf_counter() - start

    start = time.perf_counter()
    probabilities = classify(questions)  # NEW:
    seconds = time.perf_counter() - start

    found = [classifier.LABELS[row.index(max(row))] for row in probabilities]
    right = sum(a == classifier.label(b) for a, b in zip(found, problems, strict=True))
    counts = ", ".join(f"{found.count(name)} {name}" for name in classifier.LABELS)
    rate, answer = texts / seconds, llm.digest(found)
    print(f"ready in {ready:.1f} s")
    print(f"calculations: {counts}; {right} of {texts} right ({right / texts:.1%})")
    print(f"{texts} texts in {seconds:.2f} s ({rate:.1f} texts/s), answer {answer}")
    figures = dict(items=texts, unit="texts", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, right=right, labels=found, probabilities=probabilities)


if __name__ == "__main__":
    typer.run(main)
