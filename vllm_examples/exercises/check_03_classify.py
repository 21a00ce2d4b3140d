QUESTIONS = [f"question {k}" for k in range(6)]
ROWS = [[0.1, 0.2, 0.7], [0.9, 0.05, 0.05], [0.4, 0.35, 0.25], [0.2, 0.75, 0.05]]
ROWS += [[0.34, 0.33, 0.33], [0.25, 0.25, 0.5]]
SURE, WANTED = 0.5, ["three", "one", None, "two", None, "three"]


class Engine:
    """Stands for vllm.LLM with a classifier: it knows six questions."""

    def __init__(self) -> None:
        self.calls = 0

    def classify(self, prompts, use_tqdm=True, **_) -> list:
        from vllm.outputs import ClassificationOutput, ClassificationRequestOutput

        self.calls += 1
        found = []
        for prompt in [prompts] if isinstance(prompts, str) else prompts:
            assert prompt in QUESTIONS, f"the engine was asked {prompt!r}, which is no question"
            output = ClassificationOutput(ROWS[QUESTIONS.index(prompt)])
            found.append(ClassificationRequestOutput(prompt, output, [], 0, True))
        return found

    def __getattr__(self, name: str):
        raise AssertionError(f"engine.{name} is not for this: a classifier has engine.classify")


def check(attempt) -> str:
    engine = Engine()
    found = attempt.labels(engine, QUESTIONS, SURE)
    assert isinstance(found, list), "labels() does not return a list"
    assert len(found) == len(QUESTIONS), f"{len(QUESTIONS)} questions, {len(found)} labels"
    strange = [one for one in found if one not in (None, "one", "two", "three")]
    assert not strange, f"{strange[0]!r} is no label: take it from LABELS, or None"
    assert found[2] is None and found[4] is None, (
        "a label with a probability below SURE was given all the same: None"
    )
    assert found[5] is not None, "a probability that is just SURE is enough"
    assert found == WANTED, "a question got a label that is not its most probable one"
    assert engine.calls == 1, f"the engine was asked {engine.calls} times: hand it all at once"
    backwards = attempt.labels(Engine(), QUESTIONS[::-1], SURE)
    assert backwards == WANTED[::-1], "the labels are not in the order of the questions"
    assert attempt.labels(Engine(), QUESTIONS[:1], 0.8) == [None], "SURE is not looked at"
    return "each question has its most probable label, and a person gets the doubtful ones"
