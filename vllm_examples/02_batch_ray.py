"""A table of questions becomes a table of answers: vLLM engines on Ray Data, block after block.

    python vllm_examples/02_batch_ray.py

`--replicas 2` has two engines, `--processor` Ray's own vLLM stages instead of class Engine.
Killed and started again with the same flags, it answers only what is not written yet.
`ready` is until an engine is asked for the first time, the rest until the last row is written.
Last line: 500 prompts in 3.39 s (147.6 prompts/s), answer 8891d182
"""

import shutil  # NEW:
import sys
import time
import zlib  # NEW:
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import typer

import ray  # NEW:
from ray.data import ActorPoolStrategy, DataContext, Dataset  # NEW:
from ray.data.checkpoint import CheckpointConfig  # NEW:

from workshop import llm, questions

ROWS = 200  # NEW: of a block, which goes to an engine at once and becomes a file
# An engine reserves no CPU: going on takes one for Ray's filter, reading and writing another.
ROOM = dict(num_cpus=0, num_gpus=int(llm.has_gpu()))  # NEW:


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


def engines(ds: Dataset, model: str, tokens: int, replicas: int) -> Dataset:  # NEW:
    how = dict(fn_constructor_args=(model, tokens), batch_size=ROWS)  # NEW:
    return ds.map_batches(Engine, compute=ActorPoolStrategy(size=replicas), **how, **ROOM)  # NEW:


def stages(ds: Dataset, model: str, tokens: int, replicas: int) -> Dataset:  # NEW:
    from ray.data.llm import build_processor, vLLMEngineProcessorConfig  # NEW: takes seconds

    greedy = dict(temperature=0, max_tokens=tokens)  # NEW:

    def ask(row: dict) -> dict:  # NEW:
        chat = [dict(role="user", content=row["question"])]  # NEW:
        return dict(messages=chat, sampling_params=greedy)  # NEW:

    def keep(row: dict) -> dict:  # NEW:
        asked = row["metrics"]["arrival_time"]  # NEW:
        answer = dict(answer=row["generated_text"], asked=asked)  # NEW:
        return dict(id=row["id"], question=row["question"]) | answer  # NEW:

    config = vLLMEngineProcessorConfig(  # NEW:
        model_source=model,  # NEW:
        engine_kwargs=llm.options(),  # NEW:
        concurrency=(replicas, replicas),  # NEW:
        batch_size=ROWS,  # NEW:
        placement_group_config=dict(bundles=[dict(CPU=1)]),  # NEW: else it wants a GPU
        chat_template_stage=dict(num_cpus=0, concurrency=1),  # NEW:
        tokenize_stage=False,  # NEW: vLLM does that itself
        detokenize_stage=False,  # NEW:
    )
    processor = build_processor(config, preprocess=ask, postprocess=keep)  # NEW:
    processor.get_stage_by_name("vLLMEngineStage").map_batches_kwargs.update(ROOM)  # NEW:
    return processor(ds)  # NEW:


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
    environment = llm.prepare(model)  # NEW:
    path, answers = Path(output), Path(output, "ray").resolve()  # NEW:
    input = input or questions.generated(path, prompts, seed)
    table, begun = questions.checked(input), time.time()

    job = zlib.crc32(repr([table.to_pylist(), model, tokens]).encode())  # NEW:
    left = path.resolve() / "ray-unfinished" / str(job)  # NEW:
    mode = "append" if left.is_dir() else "overwrite"  # NEW:
    if mode == "overwrite":  # NEW: nothing that another job has begun is left then
        shutil.rmtree(left.parent, ignore_errors=True)  # NEW:
    ray.init(runtime_env=dict(env_vars=environment), log_to_driver=False)  # NEW:
    context = DataContext.get_current()  # NEW:
    context.enable_progress_bars = sys.stdout.isatty()  # NEW:
    context.wait_for_min_actors_s = 300  # NEW: all engines are ready before the first prompt
    context.checkpoint_config = CheckpointConfig("id", str(left))  # NEW:
    ds = ray.data.read_parquet(input).select_columns(["id", "question"])  # NEW:
    ds = ds.repartition(target_num_rows_per_block=ROWS)  # NEW: else all is one block
    ds = (stages if processor else engines)(ds, model, tokens, replicas)  # NEW:
    ds.write_parquet(str(answers), mode=mode)  # NEW:
    ended = time.time()

    table = pq.read_table(answers).sort_by("id")
    now = [asked for asked in table["asked"].to_pylist() if asked >= begun]  # NEW:
    first, done = min(now, default=begun), len(now)  # NEW:
    ready, seconds = first - begun, ended - first  # NEW:
    rate, answer = done / seconds, llm.digest(table["answer"].to_pylist())
    print(f"ready in {ready:.1f} s")
    print(f"{len(table) - done} of {len(table)} answers are from a run before")  # NEW:
    print(f"{done} prompts in {seconds:.2f} s ({rate:.1f} prompts/s), answer {answer}")
    figures = dict(items=done, unit="prompts", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, rows=len(table))


if __name__ == "__main__":
    typer.run(main)
