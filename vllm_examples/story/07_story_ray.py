"""A model's whole life on Ray: text, LoRA in two workers, an exam, a service, a bad roll-out.

    python vllm_examples/story/07_story_ray.py

The model learns a kind of problem that it gets wrong; while clients ask, a spoilt copy takes its
place, is found out by its answers and taken back. `answer` is the digest of all that the models
write in the exam and to the tester.
Last line: 920 answers in 351.41 s (2.6 answers/s), answer 386ea46c
"""

import logging  # NEW:
import os  # NEW:
import shutil
import time
from dataclasses import asdict  # NEW:
from pathlib import Path
from tempfile import TemporaryDirectory  # NEW:

import psutil
import typer

import ray  # NEW:
from ray import serve  # NEW:
from ray.data.expressions import col  # NEW:

from workshop import chats, llm, load, story, web

FOLDER = Path("out/vllm_examples/07_story/ray").absolute()
HALF = story.BATCH // 2
QUIET = dict(enable_access_log=False, log_level="WARNING")  # NEW:
SMALL = dict(num_cpus=0.2)  # NEW: during a roll-out there are two of everything
IN_TURN = dict(num_replicas=1, max_surge_percent=100)  # NEW: the new one starts before the old ends


def prepared(folder: Path, exam: list, model: str) -> ray.data.Dataset:  # NEW:
    """Token ids in the order of the text, without the problems of the exam; 16 rows a block."""
    known = {one.question for one in exam}
    texts = ray.data.read_parquet(str(folder))  # NEW:
    fair = texts.filter(expr=col("question").not_in(list(known)))  # NEW:
    ids = fair.map_batches(story.tokenise, fn_kwargs=dict(model=model), batch_size=None)  # NEW:
    return ids.repartition(target_num_rows_per_block=HALF, strict=True)  # NEW:


def train(config: dict) -> dict:  # NEW: runs in each of two workers
    import torch.distributed as dist  # NEW:

    from ray.train.torch import prepare_model  # NEW:

    start = time.process_time()
    tuned, optimizer, schedule = story.lora(**config)  # NEW:
    model, losses = prepare_model(tuned), []  # NEW: averages the workers' gradients
    halves = ray.train.get_dataset_shard("train")  # NEW:
    for half in halves.iter_batches(batch_size=HALF):  # NEW:
        loss = story.loss(model, half)  # NEW:
        loss.backward()  # NEW:
        losses.append(loss.item())  # NEW:
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    spent = [0.0] * dist.get_world_size()  # NEW:
    dist.all_gather_object(spent, time.process_time() - start)  # NEW:
    with TemporaryDirectory() as folder:  # NEW:
        tuned.save_pretrained(folder)  # NEW:
        first = dist.get_rank() == 0  # NEW:
        adapter = ray.train.Checkpoint.from_directory(folder) if first else None  # NEW:
        ray.train.report({}, checkpoint=adapter)  # NEW:
    return dict(cpu=sum(spent), losses=losses)  # NEW:


def fine_tuned(texts: ray.data.Dataset, model: str, steps: int, seed: int) -> dict:  # NEW:
    """The losses of the first halves, the CPU-seconds, the folder of the adapter."""
    from ray.train import DataConfig, RunConfig, ScalingConfig  # NEW:
    from ray.train.torch import TorchTrainer  # NEW:

    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")  # NEW: report waits for it
    os.environ.setdefault("RAY_DATA_PARQUET_FOOTER_NUM_ACTORS", "1")  # NEW: not 32, for 4 files
    in_order = DataConfig(execution_options=ray.data.ExecutionOptions(preserve_order=True))  # NEW:
    half = {"CPU": 0.5}  # NEW: a CPU is left for Ray Data
    given = dict(scaling_config=ScalingConfig(num_workers=2, resources_per_worker=half))  # NEW:
    given |= dict(datasets=dict(train=texts), dataset_config=in_order)  # NEW:
    given["run_config"] = RunConfig(storage_path=str(FOLDER), name="train")  # NEW:
    config = dict(model=model, steps=steps, seed=seed)
    result = TorchTrainer(train, train_loop_config=config, **given).fit()  # NEW:
    return result.return_value | dict(adapter=result.checkpoint.path)  # NEW:


class Engine:  # NEW:
    def __init__(self, name: str, model: str) -> None:  # NEW:
        from vllm import LLM, SamplingParams  # NEW:

        self.name, self.engine = name, LLM(model, **story.options())  # NEW:
        self.greedy = SamplingParams(temperature=0, max_tokens=story.TOKENS)  # NEW:

    def __call__(self, batch: dict) -> dict:  # NEW:
        chats = [[dict(role="user", content=str(one))] for one in batch["question"]]  # NEW:
        told = self.engine.chat(chats, self.greedy, use_tqdm=False)  # NEW:
        return batch | {self.name: [one.outputs[0].text for one in told]}  # NEW:


def examined(exam: list, models: dict[str, str]) -> dict[str, list[str]]:
    """What each model answers, in the order of the exam."""
    rows = ray.data.from_items([asdict(one) for one in exam], override_num_blocks=4)  # NEW:
    how = dict(num_cpus=0.4, num_gpus=story.SHARE * llm.has_gpu(), batch_size=None)  # NEW:
    for name, model in models.items():  # NEW: both at the same time, one column each
        one, engine = ray.data.ActorPoolStrategy(size=1), dict(name=name, model=model)  # NEW:
        rows = rows.map_batches(Engine, fn_constructor_kwargs=engine, compute=one, **how)  # NEW:
    answers = rows.take_all()  # NEW:
    return {name: [row[name] for row in answers] for name in models}  # NEW:


def service(model: str) -> serve.Application:  # NEW:
    from ray.serve.llm import LLMConfig, build_openai_app  # NEW:

    cpu = {} if llm.has_gpu() else dict(accelerator_config=dict(kind="cpu"))  # NEW:
    given = dict(model_loading_config=dict(model_id=chats.NAME, model_source=model))  # NEW:
    given["engine_kwargs"] = story.options()  # NEW:
    given["deployment_config"] = IN_TURN | dict(ray_actor_options=dict(SMALL))  # NEW:
    bundle = dict(CPU=0.2, GPU=story.SHARE * llm.has_gpu())  # NEW:
    given["placement_group_config"] = dict(bundles=[bundle])  # NEW:
    engine = LLMConfig(runtime_env=dict(env_vars=llm.environment(model)), **given, **cpu)  # NEW:
    front = IN_TURN | dict(ray_actor_options=dict(SMALL))  # NEW:
    return build_openai_app(dict(llm_configs=[engine], ingress_deployment_config=front))  # NEW:


def main(
    steps: int = 120,
    problems: int = 400,
    requests: int = 40,
    clients: int = 2,
    port: int = 8000,
    model: str = llm.MODEL,
    seed: int = 42,
) -> dict:
    """STEPS of LoRA, an exam of PROBLEMS, and REQUESTS to each model that is live."""
    if min(steps, requests, clients) < 1 or problems < max(requests, 10):
        raise typer.BadParameter("all sizes start at 1; --problems at 10, and at --requests")
    web.check_port(port)
    environment = llm.prepare(model)  # NEW:
    shutil.rmtree(FOLDER, ignore_errors=True)
    exam, step = story.exam(problems, seed), story.Steps()
    story.write_texts(FOLDER / "texts", steps * story.BATCH, exam, seed)
    ray.init(runtime_env=dict(env_vars=environment), log_to_driver=False)  # NEW:
    if ray.cluster_resources()["CPU"] < 2:  # NEW:
        raise typer.BadParameter("two workers take half a CPU each, Ray Data another")  # NEW:
    logging.disable(logging.INFO)  # NEW: Ray tells a lot about itself
    data = ray.data.DataContext.get_current()  # NEW:
    data.enable_progress_bars, data.execution_options.preserve_order = False, True  # NEW:
    ready = time.time() - psutil.Process().create_time()

    texts = prepared(FOLDER / "texts", exam, model)  # NEW: begins when the workers ask for it
    with step(f"text, and {steps} steps of LoRA in two workers") as tell:  # NEW:
        done = fine_tuned(texts, model, steps, seed)  # NEW:
        tell(f"{done['cpu']:.0f} CPU-seconds, loss {done['losses'][-1]:.6f}")
    with step("merged and saved"):
        tuned = story.merge(model, done["adapter"], FOLDER / "tuned")
    with step(f"exam of {problems} problems") as tell:
        texts = examined(exam, dict(base=model, tuned=tuned))
        scores = {name: story.scores(told, exam) for name, told in texts.items()}
        tell(story.told(scores))
    best = max(scores, key=lambda name: sum(scores[name].values()))
    good = dict(base=model, tuned=tuned)[best]
    spoilt = story.spoil(good, FOLDER / "spoilt")

    asked, url = exam[:requests], f"http://{web.HOST}:{port}"
    tester = story.Tester(url, asked, clients, step)

    def go_live(model: str) -> None:
        serve.run(service(model), name="story", logging_config=QUIET)  # NEW:

    serve.start(http_options=dict(host=web.HOST, port=port), logging_config=QUIET)  # NEW:
    try:  # NEW:
        with step(f"{best} goes live"):
            go_live(good)
        tester.ask()
        with load.sustained(url + chats.PATH, story.bodies(asked), clients, pause=3) as traffic:
            with step("a spoilt copy takes its place, while clients ask"):
                go_live(spoilt)
            tester.ask()
            if tester.alarmed:
                with step("noticed, and taken back"):
                    go_live(good)
            tester.ask()
    finally:  # NEW:
        serve.shutdown()  # NEW:

    seconds, failed = sum(step.seconds.values()), len(traffic.failed)
    wrong, answers = story.wrong(traffic, asked), [*texts["base"], *texts["tuned"], *tester.texts]
    answer, items = llm.digest(answers), len(answers)
    print(f"{failed} of {len(traffic.answers)} requests failed, {wrong} got a wrong answer")
    print(f"ready in {ready:.1f} s")
    print(f"{items} answers in {seconds:.2f} s ({items / seconds:.1f} answers/s), answer {answer}")
    figures = dict(items=items, unit="answers", seconds=seconds, ready_seconds=ready, answer=answer)
    figures |= dict(scores=scores, cpu_seconds=done["cpu"], losses=done["losses"], best=best)
    figures |= dict(failed=failed, wrong=wrong, asked=len(traffic.answers), right=tester.right)
    return figures | dict(steps=step.seconds)


if __name__ == "__main__":
    typer.run(main)
