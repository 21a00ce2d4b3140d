"""How many calculations does a problem need? A classifier on transformers, text after text.

    python vllm_examples/03_classify_baseline.py

The classifier is the offline model with one more layer, trained on first use in seconds; `--model`
takes another body. `--batch 16` gives it 16 texts at a time.
Last line: 1000 texts in 2.87 s (348.3 texts/s), answer e7c703c4
"""

import time

import typer

from workshop import classifier, llm


def main(texts: int = 1000, batch: int = 1, model: str = llm.MODEL, seed: int = 42) -> dict:
    """Tells of TEXTS questions how many calculations they need, BATCH at a time."""
    if min(texts, batch) < 1:
        raise typer.BadParameter("--texts and --batch start at 1")
    llm.prepare(model)
    checkpoint = classifier.cached(model)
    problems, start = llm.problems(texts, seed), time.perf_counter()

    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.set_num_threads(llm.threads())
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    network = AutoModelForSequenceClassification.from_pretrained(checkpoint).to(llm.device()).eval()

    @torch.inference_mode()
    def classify(questions: list[str]) -> list[list[float]]:
        asked = tokenizer(questions, padding=True, return_tensors="pt").to(network.device)
        return network(**asked).logits.softmax(1).tolist()

    questions = [one.question for one in problems]
    classify(questions[:1])
    ready = time.perf_counter() - start

    start = time.perf_counter()
    probabilities = []
    for k in range(0, texts, batch):
        probabilities += classify(questions[k : k + batch])
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
