"""Lesson ray_serve/09, both twins and both ingresses: the first token, and what each token costs.

    python benchmarks/serve_streaming.py --questions 200

HAProxy needs Linux. Exits with 1 unless the answers are equal, none failed, and the first token of
both ingresses comes sooner than the baseline's whole answer.
"""

import random
import sys

import typer
from transformers import AutoTokenizer
from twins import HAPROXY, returned

from workshop import offline_data
from workshop.lessons import ROOT

BASELINE, RAY = (f"ray_serve/09_streaming_{twin}.py" for twin in ("baseline", "ray"))
WAYS = {
    "uvicorn, all at the end": (BASELINE, {}),
    "Serve, default proxy": (RAY, {}),
    "Serve, HAProxy": (RAY, HAPROXY),
}


def tokens(questions: int, seed: int) -> int:
    """Tokens of the right answers to the lesson's questions: nine of ten are the model's own."""
    tokenizer, draw = AutoTokenizer.from_pretrained(ROOT / "workshop/model"), random.Random(seed)
    problems = [draw.choice(offline_data.held_out()) for _ in range(questions)]
    return sum(len(tokenizer(problem.answer)["input_ids"]) for problem in problems)


def main(questions: int = 200, clients: int = 1, port: int = 8000, seed: int = 42) -> None:
    """QUESTIONS questions by each way, from CLIENTS clients."""
    if questions < 1 or clients < 1:
        raise typer.BadParameter("--questions and --clients start at 1")
    ways = {name: way for name, way in WAYS.items() if sys.platform == "linux" or not way[1]}
    arguments = dict(questions=questions, clients=clients, port=port, seed=seed)
    made, found = tokens(questions, seed), []
    print(f"| {clients} clients | first token p50 | over a websocket | seconds | ms a token |")
    print("|--|--:|--:|--:|--:|", flush=True)
    for name, (script, env) in ways.items():
        said = returned(script, arguments, env)
        found.append(said)
        talk = f"{said['first_on_socket']:.0f} ms" if "first_on_socket" in said else ""
        print(
            f"| {name} | {said['first']:.0f} ms | {talk} | {said['seconds']:.1f} |"
            f" {1000 * said['seconds'] / made:.1f} |",
            flush=True,
        )
    bare, *streamed = found
    well = all(each["answer"] == bare["answer"] and not each["failed"] for each in found)
    held = well and all(each["first"] < bare["first"] for each in streamed)
    print(f"{made} tokens; {'held' if held else 'did not hold'}")
    raise typer.Exit(not held)


if __name__ == "__main__":
    typer.run(main)
