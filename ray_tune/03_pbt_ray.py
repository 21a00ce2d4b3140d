"""Eight learning rates; after each generation the worse half becomes copies of the better.

    python ray_tune/03_pbt_ray.py

`ready` is from the command to the first epoch; the answer is the mean loss of all members after
the first generation: until then no search, however it goes on, has changed anything.
Last line: 192 epochs in 10.72 s (17.9 epochs/s), answer 1.386106
"""

import random
import time
from pathlib import Path
from tempfile import TemporaryDirectory  # NEW:

import psutil
import torch
import typer
from torch.nn.functional import cross_entropy

import ray  # NEW:
from ray import tune  # NEW:
from ray.tune.schedulers import pbt  # NEW:

from workshop import digits, plots, sweeps

TRAIN, EPOCHS, WORST = 600, 6, 10.0  # no loss counts for more than 10, nor does one that is NaN


def train(config: dict, data: tuple) -> None:  # NEW:
    """One member: after each generation its story, with the loss on digits it never learns."""
    torch.set_num_threads(1)
    torch.manual_seed(config["seed"])
    flat, first, last = torch.nn.Flatten(), torch.nn.Linear(64, 64), torch.nn.Linear(64, 10)
    model = torch.nn.Sequential(flat, first, torch.nn.ReLU(), last)
    optimizer = torch.optim.SGD(model.parameters(), config["rate"], momentum=0.9)
    (pixels, labels), number, story = data, tune.get_context().get_trial_id(), []  # NEW:
    member = int(number[-5:])  # NEW: a member that is a copy has its parent's config
    if found := tune.get_checkpoint():  # NEW: its own, or that of a better member
        with found.as_directory() as folder:  # NEW:
            state = torch.load(f"{folder}/state.pt", weights_only=True)  # NEW:
        story = state["story"]  # NEW:
        model.load_state_dict(state["model"])  # NEW:
        optimizer.load_state_dict(state["optimizer"])  # NEW: and with it the parent's rate
        optimizer.param_groups[0]["lr"] = config["rate"]  # NEW:
    while len(story) < config["generations"]:
        torch.manual_seed(len(story))
        for rows in [r for _ in range(EPOCHS) for r in torch.randperm(TRAIN).split(8)]:
            noisy = pixels[rows] + 0.4 * torch.randn(len(rows), 8, 8)
            loss = cross_entropy(model(noisy), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.inference_mode():
            loss = cross_entropy(model(pixels[TRAIN:]), labels[TRAIN:])
        loss = loss.nan_to_num(WORST).clamp(max=WORST).item()
        story = [*story, dict(member=member, rate=config["rate"], loss=loss)]
        state = dict(model=model.state_dict(), optimizer=optimizer.state_dict())  # NEW:
        with TemporaryDirectory() as folder:  # NEW:
            torch.save(state | dict(story=story), f"{folder}/state.pt")  # NEW:
            kept = tune.Checkpoint.from_directory(folder)  # NEW:
            tune.report(dict(loss=loss, story=story), checkpoint=kept)  # NEW: here it may end


def main(members: int = 8, generations: int = 4, seed: int = 42) -> dict:
    """Trains MEMBERS networks, alike but for their rates, for GENERATIONS times 6 epochs."""
    if members < 4 or generations < 1:
        raise typer.BadParameter("--members starts at 4, --generations at 1")
    (pixels, labels), chance = digits.dataset(), random.Random(seed)
    data = pixels[:, 0], labels
    rates = [10 ** chance.uniform(-3, 0) for _ in range(members)]

    folder, progress = Path("out/ray_tune/03_pbt").absolute(), sweeps.Progress()  # NEW:
    sweeps.fresh(folder / "sweep")  # NEW:
    ray.init(log_to_driver=False)  # NEW:
    pbt.random = random.Random(seed + 1)  # NEW: of its own: the rest of Tune draws as well
    rules = dict(hyperparam_mutations=dict(rate=tune.loguniform(1e-4, 1)), synch=True)  # NEW:
    rules |= dict(resample_probability=0, perturbation_factors=(0.3, 1.5))  # NEW: of the parent's
    rules |= dict(perturbation_interval=1, quantile_fraction=0.5)  # NEW: half dies, half is copied
    scheduler = pbt.PopulationBasedTraining("training_iteration", **rules)  # NEW:
    cpus = dict(cpu=ray.cluster_resources()["CPU"] / 2)  # NEW: two members at a time
    member = tune.with_resources(tune.with_parameters(train, data=data), cpus)  # NEW:
    space = dict(rate=tune.grid_search(rates), generations=generations, seed=seed)  # NEW:
    goal = dict(metric="loss", mode="min", scheduler=scheduler)  # NEW:
    search = tune.TuneConfig(reuse_actors=True, **goal)  # NEW:
    kept = dict(name="sweep", storage_path=folder, callbacks=[progress], verbose=0)  # NEW:
    run = tune.RunConfig(stop=dict(training_iteration=generations), **kept)  # NEW:
    tune.Tuner(member, param_space=space, tune_config=search, run_config=run).fit()  # NEW:
    start, end = progress.start, time.time()  # NEW:
    stories = [report["story"] for report in progress.reports]  # NEW:

    best = min((s for s in stories if len(s) == generations), key=lambda s: s[-1]["loss"])
    loss, file = best[-1]["loss"], Path("out/ray_tune/03_pbt/ray.png")
    plots.lineage(file, stories, best)
    ready, seconds = start - psutil.Process().create_time(), end - start
    items, early = len(stories) * EPOCHS, sorted(s[-1]["loss"] for s in stories if len(s) == 1)
    answer = f"{sum(early) / members:.6f}"
    print(f"ready in {ready:.1f} s")
    print(f"best: loss {loss:.4f}, rates", *(f"{row['rate']:.4f}" for row in best), f"in {file}")
    print(f"{items} epochs in {seconds:.2f} s ({items / seconds:.1f} epochs/s), answer {answer}")
    figures = dict(items=items, unit="epochs", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, stories=stories, best=best, loss=loss)


if __name__ == "__main__":
    typer.run(main)
