"""Lesson vllm_examples/02: vLLM alone, engines in map_batches, build_processor; prompts/s.

    .venv-vllm/bin/python benchmarks/llm_batch.py --prompts 2000

Steady is from the first prompt that an engine gets to the last row written; engine start is before
it, in each way. Exits with 1 unless the better of Ray's two ways, with one engine as vLLM alone
has, makes at least 85% of the prompts/s of vLLM alone, with the same answers.
"""

import sys
import tempfile
from pathlib import Path

import typer
from twins import returned

BASELINE, RAY = (f"vllm_examples/02_batch_{twin}.py" for twin in ("baseline", "ray"))
WAYS = {
    "vLLM alone": (BASELINE, {}),
    "class Engine in map_batches": (RAY, {}),
    "build_processor": (RAY, dict(processor=True)),
    "class Engine, 2 replicas": (RAY, dict(replicas=2)),
}
SHARE = 0.85


def main(prompts: int = 2000, seed: int = 7) -> None:
    """Answers the same PROMPTS questions in each way, one way after the other."""
    if prompts < 1:
        raise typer.BadParameter("--prompts starts at 1")
    print("| way | ready | steady | prompts/s | of vLLM alone |")
    print("|---|--:|--:|--:|--:|")
    rates, answers = [], set()
    with tempfile.TemporaryDirectory() as folder:
        for way, (script, flags) in WAYS.items():
            arguments = dict(prompts=prompts, seed=seed, output=str(Path(folder, "out"))) | flags
            made = returned(script, arguments)
            rates.append(made["items"] / made["seconds"])
            answers.add((made["answer"], made["rows"]))
            print(
                f"| {way} | {made['ready_seconds']:.1f} s | {made['seconds']:.1f} s |"
                f" {rates[-1]:.0f} | {rates[-1] / rates[0]:.2f} |",
                flush=True,
            )
    if len(answers) > 1:
        sys.exit(f"the ways disagree: {answers}")
    better = max(rates[1:3]) / rates[0]
    print(f"the better of Ray's ways with one engine: {better:.2f} of vLLM alone")
    raise typer.Exit(better < SHARE)


if __name__ == "__main__":
    typer.run(main)
