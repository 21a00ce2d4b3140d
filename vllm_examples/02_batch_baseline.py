"""A table of questions becomes a table of answers: vLLM alone, everything in one call.

    python vllm_examples/02_batch_baseline.py

Parquet in, Parquet out; `--input` takes a table of your own with the columns id and question.
`ready` is until the engine is asked for the first time, the rest until the last row is written.
Last line: 500 prompts in 3.65 s (136.8 prompts/s), answer 8891d182
"""

import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer

from workshop import llm, questions


class Engine:
    def __init__(self, model: str, tokens: int) -> None:
        from vllm import LLM, SamplingParams

        self.engine = LLM(model, **llm.options())
        self.greedy = SamplingParams(temperature=0, max_tokens=tokens)
        self(dict(question=["How many is 1 and 1?"]))  # the first call takes longer

    def __call__(self, rows: dict) -> dict:
        """The rows, each with its answer and the time at which the engine got it."""
        asked = time.time()
        chats = [[dict(role="user", content=question)] for question in rows["question"]]
        written = self.engine.chat(chats, self.greedy, use_tqdm=sys.stderr.isatty())
        texts = [one.outputs[0].text for one in written]
        return rows | dict(answer=np.array(texts, object), asked=np.full(len(texts), asked))


def main(
    prompts: int = 500,
    tokens: int = 96,
    replicas: int = 1,
    processor: bool = False,
    input: str = "",
    output: str = "out/vllm_examples/02_batch",
    model: str = llm.MODEL,
    seed: int = 42,
) -> dict:
    """Answers PROMPTS generated questions, or all of INPUT, in OUTPUT; at most TOKENS for each."""
    if min(prompts, tokens, replicas) < 1:
        raise typer.BadParameter("--prompts, --tokens and --replicas start at 1")
    if replicas > 1 or processor:
        raise typer.BadParameter("--replicas and --processor are Ray's: 02_batch_ray.py has them")
    llm.prepare(model)
    path, answers = Path(output), Path(output, "baseline")
    input = input or questions.generated(path, prompts, seed)
    table, begun = questions.checked(input), time.time()

    engine = Engine(model, tokens)
    rows = engine({name: table[name].to_numpy() for name in ("id", "question")})
    answers.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(rows), answers / "answers.parquet")
    ended = time.time()

    table = pq.read_table(answers).sort_by("id")
    first = min(table["asked"].to_pylist())
    ready, seconds, done = first - begun, ended - first, len(table)
    rate, answer = done / seconds, llm.digest(table["answer"].to_pylist())
    print(f"ready in {ready:.1f} s")
    print(f"{done} prompts in {seconds:.2f} s ({rate:.1f} prompts/s), answer {answer}")
    figures = dict(items=done, unit="prompts", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, rows=len(table))


if __name__ == "__main__":
    typer.run(main)
