"""Exercise 3: which questions should a person look at?

ENGINE is vLLM with the lesson's classifier; LABELS are in the order of its probabilities. Return
for each of QUESTIONS, in their order, its most probable label; or None where that probability is
less than SURE, so that a person looks at it. Hand the engine all questions at once.

    make check EX=vllm_examples/03
"""

LABELS = ("one", "two", "three")


def labels(engine, questions: list[str], sure: float) -> list[str | None]:
    raise NotImplementedError("engine.classify(..), outputs.probs")
