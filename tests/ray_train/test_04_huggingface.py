"""The Trainer learns from the stream what it would have learnt from the rows, in the same order."""

import re
import runpy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import (
    BertForSequenceClassification,
    Trainer,
    TrainingArguments,
    default_data_collator,
)

import ray

from support import as_attendee
from workshop.lessons import ROOT

BASELINE, RAY = "ray_train/04_huggingface_baseline.py", "ray_train/04_huggingface_ray.py"
HELD_OUT = 1000
LAST = 200_000 - HELD_OUT  # the first of them


@pytest.fixture(scope="module")
def lesson() -> dict:
    """What the Ray twin defines."""
    return runpy.run_path(str(ROOT / RAY))


def test_it_has_learnt_what_no_guess_gives(lesson) -> None:
    run = as_attendee(RAY).run
    assert run.ok, run.error
    right = re.search(r"^([\d.]+)% of 1000 held-out problems right$", run.stdout, re.MULTILINE)
    labels = [int(row["labels"]) for row in lesson["problems"](LAST, HELD_OUT)]
    guess = max(labels.count(label) for label in set(labels)) / HELD_OUT
    assert guess < 0.6 and float(right[1]) > 90


def test_the_checkpoint_in_storage_is_the_trained_model(lesson) -> None:
    figures = as_attendee(RAY).figures
    torch.set_num_threads(1)
    model = BertForSequenceClassification.from_pretrained(figures["checkpoint"]).eval()
    rows = default_data_collator(lesson["problems"](LAST, HELD_OUT))
    with torch.no_grad():
        logits = model(rows["input_ids"], rows["attention_mask"]).logits
    right = (logits.argmax(1) == rows["labels"]).double().mean().item()
    assert right == pytest.approx(figures["accuracy"], abs=0.0015)
    loss = cross_entropy(logits, rows["labels"]).item()
    assert loss == pytest.approx(float(figures["answer"]), abs=1e-4)


def test_each_worker_streams_the_rows_that_the_trainer_gives_its_twin(shared_ray, lesson) -> None:
    """Accelerate's shards and Ray Data's are the same, batch by batch; one row cannot be shared."""
    first, block, workers = 777, 16, 2
    stream = lesson["streamed"](first, 10 * block + 1, block)
    stream.context.execution_options.preserve_order = True
    shards = stream.streaming_split(workers, equal=True)
    with ThreadPoolExecutor() as pool:
        streams = list(pool.map(lambda s: list(s.iter_torch_batches(batch_size=block)), shards))
    rows = default_data_collator(lesson["problems"](first, 10 * block))["input_ids"].split(block)
    for rank, batches in enumerate(streams):
        for batch, expected in zip(batches, rows[rank::workers], strict=True):
            assert torch.equal(batch["input_ids"], expected)


def test_bert_leaves_the_mean_to_the_trainer_and_the_trainer_to_bert(lesson, tmp_path) -> None:
    """Hence average_tokens_across_devices=False: or two processes print twice the loss."""
    model = lesson["classifier"](0)
    trainer = Trainer(model, TrainingArguments(str(tmp_path), use_cpu=True))
    assert trainer.model_accepts_loss_kwargs
    assert trainer.args.average_tokens_across_devices
    rows = dict(input_ids=torch.arange(64).reshape(4, 16), labels=torch.tensor([0, 1, 2, 1]))
    assert torch.equal(model(**rows).loss, model(**rows, num_items_in_batch=8).loss)


def test_the_trainer_wants_to_know_where_a_stream_ends(lesson, tmp_path) -> None:
    arguments = TrainingArguments(str(tmp_path), use_cpu=True)
    with pytest.raises(ValueError, match="max_steps"):
        Trainer(lesson["classifier"](0), arguments, train_dataset=iter([]))


def test_too_many_workers_for_the_cpus_is_one_sentence(run) -> None:
    result = run(RAY, "--workers", "32")
    assert result.exit_code == 2
    assert "half a CPU" in result.stderr and "Traceback" not in result.stderr
    assert ray.is_initialized()
