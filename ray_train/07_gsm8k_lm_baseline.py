"""A language model learns grade-school problems from nothing: one process, each batch in parts,
whose gradients add up before a step is made with them.

    python ray_train/07_gsm8k_lm_baseline.py
    python ray_train/07_gsm8k_lm_baseline.py --steps 1400

40 steps are enough to see the loss fall, 1400 (some minutes) for a model that gets problems right.
`ready` is from the command to the first step; the last line leaves out that step and the exam.
Last line: 1248 problems in 10.64 s (117.3 problems/s), answer 98.577454
(the answer is the loss on held-out problems: -log of the probability of the whole worked answer)
"""

import itertools
import time
from collections.abc import Iterator

import psutil
import torch
import typer

from workshop.offline_data import BATCH, batch_of, encoded, group, held_out
from workshop.offline_model import Optimizer, loss_of, new_model, new_tokenizer, padded, solved

EXAM, CHUNK = 120, 60  # held-out problems; so many are answered together


def batches(config: dict) -> Iterator[list[dict]]:
    """Batches without end; each is a list of WORKERS equal parts."""
    words, parts = config["tokenizer"].backend_tokenizer, config["workers"]
    for number in itertools.count():
        given = (group(words, config["seed"], number, part, parts) for part in range(parts))
        yield from zip(*given, strict=True)


def train(config: dict) -> dict:
    """The only process: it computes the parts of a batch one after the other."""
    workers, device = config["workers"], torch.device("cuda" if config["gpu"] else "cpu")
    torch.set_num_threads(config["threads"])
    tokenizer, steps = config["tokenizer"], config["steps"]
    plain = new_model(tokenizer, config["seed"]).to(device)
    optimizer = Optimizer(plain, steps)
    losses, ends = [], []
    for step, parts in zip(range(steps), batches(config), strict=False):
        for part in parts:
            loss = loss_of(plain, padded(part, device)) / workers
            loss.backward()
            losses.append(loss.item())
        optimizer.step()
        ends.append(time.time())
        if (step + 1) % max(10, steps // 20) == 0:
            print(f"step {step + 1} of {steps}", flush=True)
    losses = torch.tensor(losses, dtype=torch.float64).reshape(steps, workers).sum(1)
    exam = torch.zeros(2, dtype=torch.float64)
    for k in range(0, EXAM, CHUNK):
        problems = held_out()[k : k + CHUNK]
        batch = padded(batch_of(encoded(tokenizer.backend_tokenizer, problems)), device)
        with torch.no_grad():
            exam[0] += loss_of(plain, batch).item() * CHUNK / EXAM
        exam[1] += sum(solved(plain, tokenizer, problems)) / EXAM
    return dict(ends=ends, losses=losses.tolist(), exam=exam.tolist())


def main(
    steps: int = 40, workers: int = 2, threads: int = 1, gpu: bool = False, seed: int = 42
) -> dict:
    """STEPS batches of 32 problems, each in WORKERS parts; THREADS of torch in the process."""
    if steps < 2 or workers < 1 or BATCH % workers or threads < 1:
        raise typer.BadParameter(f"--steps starts at 2, --workers at 1 and divides {BATCH}")
    if gpu and not torch.cuda.is_available():
        raise typer.BadParameter("--gpu: torch sees none here")

    config = dict(tokenizer=new_tokenizer(), steps=steps, workers=workers, gpu=gpu, seed=seed)
    config["threads"] = threads
    command = psutil.Process().create_time()
    done = train(config)

    (first, *_, last), losses, (loss, right) = done["ends"], done["losses"], done["exam"]
    ready, seconds, problems = first - command, last - first, (steps - 1) * BATCH
    print(f"ready in {ready:.1f} s")
    print(
        f"loss {losses[0]:.2f} -> {losses[-1]:.2f}; {right:.1%} of {EXAM} held-out problems right"
    )
    rate, answer = problems / seconds, f"{loss:.6f}"
    print(f"{problems} problems in {seconds:.2f} s ({rate:.1f} problems/s), answer {answer}")
    figures = dict(items=problems, unit="problems", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, losses=losses, accuracy=right)


if __name__ == "__main__":
    typer.run(main)
