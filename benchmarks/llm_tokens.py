"""Stage vllm_examples: tokens/s of each way of writing, warm and cold, at the lessons' sizes.

    .venv-vllm/bin/python benchmarks/llm_tokens.py

Warm is from the first prompt to the last answer, cold from the command to the last answer. Each way
is taken --rounds times, one way after the other, and the medians are shown.
"""

import statistics
import tempfile
from pathlib import Path

import typer
from twins import returned

LESSON = "vllm_examples/{}.py"
WAYS = {
    "01 transformers, one by one": ("01_generate_baseline", {}),
    "01 transformers, batches of 16": ("01_generate_baseline", dict(batch=16)),
    "01 vLLM": ("01_generate_vllm", {}),
    "04 transformers, FastAPI, 32 clients": ("04_engine_baseline", {}),
    "04 `LLM` in a handler, 32 clients": ("04_engine_pitfall", {}),
    "04 async engine, 32 clients": ("04_engine_ray", {}),
    "04 `ray.serve.llm`, 32 clients": ("04_openai_ray", {}),
    "05 transformers and peft, three forms": ("05_lora_baseline", {}),
    "05 vLLM, three forms": ("05_lora_vllm", {}),
    "GSM-8K transformers, one by one": ("gsm8k/baseline", {}),
    "GSM-8K vLLM on Ray Data": ("gsm8k/reference", {}),
}


def main(rounds: int = 3) -> None:
    """Runs every way ROUNDS times and prints a table in Markdown."""
    if rounds < 1:
        raise typer.BadParameter("--rounds starts at 1")
    made = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            for way, (script, arguments) in WAYS.items():
                out = dict(out=str(Path(folder, str(number), script))) if "gsm8k" in script else {}
                made[way].append(returned(LESSON.format(script), arguments | out))
    print("| way | tokens | tokens/s, warm | ready, s | tokens/s, cold |")
    print("|---|--:|--:|--:|--:|")
    for way, runs in made.items():
        tokens, ready = runs[0]["tokens"], statistics.median(run["ready_seconds"] for run in runs)
        warm = statistics.median(tokens / run["seconds"] for run in runs)
        cold = statistics.median(tokens / (run["ready_seconds"] + run["seconds"]) for run in runs)
        print(f"| {way} | {tokens} | {warm:.0f} | {ready:.1f} | {cold:.0f} |")


if __name__ == "__main__":
    typer.run(main)
