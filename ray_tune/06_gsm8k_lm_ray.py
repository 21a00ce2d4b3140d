"""How wide a language model, and with which learning rate, if all may read the same tokens?

    python ray_tune/06_gsm8k_lm_ray.py
    python ray_tune/06_gsm8k_lm_ray.py --tokens 1000000

The learning rate is a multiple of the usual ones. `ready` is from the command to the first step;
the answer is the smallest loss on held-out problems.
Last line: 8 trials in 13.63 s (0.6 trials/s), answer 119.069046
"""

import itertools
import time
from pathlib import Path  # NEW:

import psutil
import torch
import typer

import ray  # NEW:
from ray import tune  # NEW:

from workshop import sweeps  # NEW:
from workshop.offline_data import batch_of, encoded, group, held_out
from workshop.offline_model import Optimizer, loss_of, new_model, new_tokenizer, padded

EXAM, WIDTHS, RATES = 60, (64, 128), (0.5, 1.0, 2.0, 4.0)


def within(tokens: int, tokenizer, seed: int) -> list[dict]:
    """As many batches as TOKENS tokens will make, the same for all."""
    groups = (group(tokenizer.backend_tokenizer, seed, number) for number in itertools.count())
    batches, left = [], tokens
    for batch in itertools.chain.from_iterable(groups):
        left -= sum(map(len, batch["ids"]))
        if left < 0 and batches:
            return batches
        batches.append(batch)


def train(config: dict, batches: list[dict]) -> dict:
    """One model's loss on the exam: -log of the probability of a whole worked answer."""
    torch.set_num_threads(1)
    tokenizer, choice = new_tokenizer(), config["choice"]
    model = new_model(tokenizer, config["seed"], choice["width"])
    optimizer, begin = Optimizer(model, len(batches), choice["rate"]), time.time()
    for batch in batches:
        loss_of(model, padded(batch)).backward()
        optimizer.step()
    with torch.inference_mode():
        exam = batch_of(encoded(tokenizer.backend_tokenizer, held_out()[:EXAM]))
        return dict(loss=loss_of(model, padded(exam)).item(), begin=begin)


def main(tokens: int = 40_000, seed: int = 42) -> dict:
    """Eight models, each of which reads TOKENS tokens at most, and at least one batch."""
    if tokens < 1:
        raise typer.BadParameter("--tokens starts at 1")
    command = psutil.Process().create_time()
    batches = within(tokens, new_tokenizer(), seed)
    tried = [dict(width=width, rate=rate) for width, rate in itertools.product(WIDTHS, RATES)]

    folder = sweeps.fresh(Path("out/ray_tune/06_gsm8k_lm"))  # NEW:
    progress = sweeps.Progress("trial {number}: {choice}: loss {loss:.2f}")  # NEW:
    ray.init(log_to_driver=False)  # NEW:
    space = dict(choice=tune.grid_search(tried), seed=seed)  # NEW:
    search = tune.TuneConfig(max_concurrent_trials=2, reuse_actors=True)  # NEW:
    kept = dict(name="sweep", storage_path=folder, callbacks=[progress], verbose=0)  # NEW:
    given = dict(tune_config=search, run_config=tune.RunConfig(**kept))  # NEW:
    trial = tune.with_parameters(train, batches=batches)  # NEW:
    results = [one.metrics for one in tune.Tuner(trial, param_space=space, **given).fit()]  # NEW:
    losses, start = [one["loss"] for one in results], min(one["begin"] for one in results)  # NEW:
    seconds = time.time() - start

    best = min(range(len(tried)), key=lambda number: losses[number])
    trials, read = len(tried), sum(len(ids) for batch in batches for ids in batch["ids"])
    print(f"ready in {start - command:.1f} s")
    print(f"best: {tried[best]}, after {read} tokens in {len(batches)} batches")
    rate, answer = trials / seconds, f"{losses[best]:.6f}"
    print(f"{trials} trials in {seconds:.2f} s ({rate:.1f} trials/s), answer {answer}")
    figures = dict(items=trials, unit="trials", seconds=seconds, ready_seconds=start - command)
    return figures | dict(answer=answer, losses=losses, tokens=read)


if __name__ == "__main__":
    typer.run(main)
