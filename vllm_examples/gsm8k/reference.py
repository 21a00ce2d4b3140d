"""GSM-8K with vLLM on Ray Data: every question once, whatever is killed. One solution of TASK.md.

    python vllm_examples/gsm8k/reference.py --fresh

`--data hub` takes the real test questions, `--data FILE.jsonl` others, `--model` another model.
Last line: 200 questions in 2.49 s (80.4 questions/s), answer ffdc1f83
"""

import time
from pathlib import Path

import typer

import ray

from workshop import gsm8k, llm

BATCH = 64  # rows of one call of the engine, and of one file


class Engine:
    """vLLM in an actor: a batch of questions comes back with what the model wrote."""

    def __init__(self, model: str, tokens: int, examples: list[dict]) -> None:
        from vllm import LLM

        self.engine = LLM(model, **llm.options())
        self.context = self.engine.model_config.max_model_len
        self.tokens, self.examples = tokens, examples

    def __call__(self, batch: dict) -> dict:
        from vllm import SamplingParams

        begun = time.time()
        as_tokens = self.engine.get_tokenizer().apply_chat_template
        chats = [[*self.examples, dict(role="user", content=one)] for one in batch["question"]]
        asked = [as_tokens(one, add_generation_prompt=True, return_dict=False) for one in chats]
        room = [min(self.tokens, self.context - len(prompt)) for prompt in asked]
        fit = [k for k in range(len(asked)) if room[k] > 0]  # vLLM refuses a batch for one prompt
        prompts = [dict(prompt_token_ids=asked[k]) for k in fit]
        greedy = [SamplingParams(temperature=0, max_tokens=room[k]) for k in fit]
        written = self.engine.generate(prompts, greedy, use_tqdm=False)

        rows = [dict(text="", finish="too long", tokens=0) for _ in asked]
        for k, one in zip(fit, (request.outputs[0] for request in written), strict=True):
            tokens = len(one.token_ids) - (one.finish_reason == "stop")
            rows[k] = dict(text=one.text, finish=one.finish_reason, tokens=tokens)
        new = {key: [row[key] for row in rows] for key in ("text", "finish", "tokens")}
        return batch | new | dict(begun=[begun] * len(rows))


def main(
    questions: int | None = None,
    data: str = "",
    out: Path = Path("out/vllm_examples/gsm8k/reference"),
    shots: int = 0,
    tokens: int = 96,
    engines: int = 1,
    fresh: bool = False,
    model: str = llm.MODEL,
    seed: int = 42,
) -> dict:
    """Answers QUESTIONS of DATA (hub, FILE.jsonl, generated ones), SHOTS examples before each.

    What is in OUT stays: started again, it goes on. FRESH begins anew.
    """
    if min(tokens, engines, 1 if questions is None else questions) < 1 or shots < 0:
        raise typer.BadParameter("--questions, --tokens and --engines start at 1, --shots at 0")
    good, bad = gsm8k.sorted_out(gsm8k.load(data, "test", questions, seed))
    source = "hub" if data == "hub" and shots else ""
    shown, _ = gsm8k.sorted_out(gsm8k.load(source, "train", shots or 1, seed + 1))
    examples = gsm8k.as_chats(shown[:shots])
    env, start = llm.prepare(model), time.time()
    asked = llm.digest([repr((row["id"], row["question"], row["gold"])) for row in good])
    settings = dict(model=model, tokens=tokens, examples=examples, questions=asked)
    done = {row["id"] for row in gsm8k.begin(out, fresh, bad, settings)}
    todo = [row for row in good if row["id"] not in done]
    print(f"{len(good)} questions, {len(done)} answered before; {len(bad)} lines in quarantine")

    ready = seconds = 0.0
    if todo:
        ray.init(runtime_env=dict(env_vars=env), log_to_driver=False)
        kind = "GPU" if llm.has_gpu() else "CPU"
        if engines > (there := ray.cluster_resources().get(kind, 0)):
            raise typer.BadParameter(f"--engines {engines}: there are {there:.0f} {kind}s")
        ray.data.DataContext.get_current().enable_progress_bars = False
        ds = ray.data.from_items(todo, override_num_blocks=-(-len(todo) // BATCH))
        ds = ds.map_batches(
            Engine,
            fn_constructor_args=(model, tokens, examples),
            batch_size=None,  # a block is a batch
            compute=ray.data.ActorPoolStrategy(size=engines),
            num_gpus=1 if kind == "GPU" else 0,
            num_cpus=0 if kind == "GPU" else 0.5,  # the rest is for Ray's own work
        )
        written, begun = 0, float("inf")
        for rows in ds.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            gsm8k.keep(out, rows.to_pylist())
            written, begun = written + len(rows), min(begun, *rows["begun"].to_pylist())
            print(f"{len(done) + written} of {len(good)} answered", flush=True)
        ready, seconds = begun - start, time.time() - begun
    figures = gsm8k.summed_up(out, len(bad), done, seconds, ready)

    items, rate = figures["generated"], figures["generated"] / (seconds or 1)
    print(f"ready in {ready:.1f} s")
    print(f"{figures['correct']} of {len(good)} right ({figures['accuracy']:.2%})")
    print(f"{figures['tokens']} tokens, {figures['tokens_per_second'] or 0:.0f} tokens/s; {out}")
    print(
        f"{items} questions in {seconds:.2f} s ({rate:.1f} questions/s), answer {figures['answer']}"
    )
    return dict(items=items, unit="questions") | figures


if __name__ == "__main__":
    typer.run(main)
