"""What both twins of vllm_examples/story do alike: text to learn from, an exam, LoRA's parts, a
checkpoint of the tuned model and one that somebody spoilt, and how a step is told.

torch, transformers and peft are imported where they are used, as in workshop.llm.
"""

import functools
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from workshop import chats, llm
from workshop.load import Load
from workshop.problems import Problem, comparison, problem

BATCH, GROUP, FILES = 32, 512, 4  # problems in a step; those sorted by length; files of text
RATE = 0.003  # AdamW's
ALARM = 0.9  # of the answers that were right before: who gives fewer goes back
TOKENS = 96
SHARE = 0.4  # of a GPU for an engine: during an exam and a roll-out there are two


def exam(count: int, seed: int) -> list[Problem]:
    """COUNT problems that nobody learns from: of the new kind and of the old ones in turn."""
    new = [comparison(random.Random(f"exam {seed} {k}")) for k in range(count // 2)]
    old = llm.problems(count - count // 2, seed + 1)
    return [(old, new)[k % 2][k // 2] for k in range(count)]


def is_new(one: Problem) -> bool:
    return one.question.endswith(" together?")


def write_texts(folder: Path, rows: int, exam: Sequence[Problem], seed: int) -> None:
    """ROWS problems as Parquet, new and old in turn; a few of the exam have got in among them."""
    rng, known, texts = random.Random(f"texts {seed}"), {one.question for one in exam}, []
    while len(texts) < rows:
        one = (problem, comparison)[len(texts) % 2](rng)
        if one.question not in known:
            texts.append(dict(question=one.question, answer=one.answer))
    grouped = []
    for k in range(0, rows, GROUP):  # batches of about equally long ones need little padding
        group = sorted(texts[k : k + GROUP], key=lambda text: len(text["answer"]))
        batches = [group[n : n + BATCH] for n in range(0, len(group), BATCH)]
        grouped += [text for batch in rng.sample(batches, len(batches)) for text in batch]
    for one in exam[::10]:
        grouped.insert(rng.randint(0, rows), dict(question=one.question, answer=one.answer))
    folder.mkdir(parents=True)
    size = -(-len(grouped) // FILES)
    for k in range(FILES):
        table = pa.Table.from_pylist(grouped[k * size : (k + 1) * size])
        parquet.write_table(table, folder / f"{k}.parquet")


@functools.cache
def tokenizer(model: str):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model, padding_side="left")


def tokenise(batch: Mapping[str, Sequence[str]], model: str) -> dict[str, list]:
    """Token ids of question and answer as the model's chats have them, and where answers start."""
    words, ids, start = tokenizer(model), [], []
    for question, answer in zip(batch["question"], batch["answer"], strict=True):
        chat = [dict(role="user", content=str(question))]
        given = dict(add_generation_prompt=True, return_dict=True)
        asked = words.apply_chat_template(chat, **given)["input_ids"]
        said = words(str(answer), add_special_tokens=False)["input_ids"]
        ids.append([*asked, *said, words.eos_token_id])
        start.append(len(asked))
    return dict(ids=ids, start=start)


def lora(model: str, steps: int, seed: int) -> tuple:
    """The model with an untrained adapter, its optimizer, and the schedule of the learning rate."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    adapter = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    tuned = get_peft_model(base, adapter).train()
    optimizer = torch.optim.AdamW([p for p in tuned.parameters() if p.requires_grad], RATE)

    def share(step: int) -> float:
        return min(1, (step + 1) / (0.1 * steps), (steps - step) / (0.5 * steps))

    return tuned, optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, share)


def loss(model, batch: Mapping[str, Sequence]):
    """-log of the probability of a whole answer, on average: halves average to the whole."""
    from workshop.offline_model import loss_of, padded

    return loss_of(model, padded(batch, next(model.parameters()).device))


def _save(network, model: str, folder: Path) -> str:
    network.save_pretrained(folder)
    tokenizer(model).save_pretrained(folder)
    return str(folder)


def merge(model: str, adapter: str, folder: Path) -> str:
    """A checkpoint like any other, the adapter's products added to the model's matrices."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(model, dtype=llm.dtype())
    merged = PeftModel.from_pretrained(base, adapter).merge_and_unload()
    return _save(merged, model, folder)


def spoil(model: str, folder: Path, bits: int = 3) -> str:
    """The model as someone made it smaller and did not look: each matrix rounded to BITS bits."""
    import torch
    from transformers import AutoModelForCausalLM

    network = AutoModelForCausalLM.from_pretrained(model, dtype=llm.dtype())
    with torch.no_grad():
        for weights in network.parameters():
            if weights.ndim == 2:
                unit = weights.abs().max() / (2 ** (bits - 1) - 1)
                weights.copy_((weights / unit).round() * unit)
    return _save(network, model, folder)


def options() -> dict:
    """What vLLM is told besides the model."""
    return llm.options() | (dict(gpu_memory_utilization=SHARE) if llm.has_gpu() else {})


def scores(texts: Sequence[str], problems: Sequence[Problem]) -> dict[str, float]:
    """Percent of right answers to the new kind and to the old ones."""
    right = {True: [], False: []}
    for text, one in zip(texts, problems, strict=True):
        right[is_new(one)].append(llm.number(text) == one.number)
    new, old = (100 * sum(right[kind]) / len(right[kind]) for kind in (True, False))
    return dict(new=new, old=old)


def told(scores: Mapping[str, Mapping[str, float]]) -> str:
    base, tuned = scores["base"], scores["tuned"]
    return ", ".join(f"{kind} kind {base[kind]:.1f}% -> {tuned[kind]:.1f}%" for kind in base)


def bodies(problems: Sequence[Problem]) -> list[dict]:
    """Requests for chats.PATH."""
    given = dict(model=chats.NAME, max_tokens=TOKENS, temperature=0)
    return [given | dict(messages=chat) for chat in llm.chats(problems)]


def wrong(traffic: Load, problems: Sequence[Problem]) -> int:
    """How many of the clients that asked over and over got a wrong answer."""
    count = 0
    for number, answer in enumerate(traffic.answers):
        if answer.status == 200:
            text = answer.body["choices"][0]["message"]["content"]
            count += llm.number(text) != problems[number % len(problems)].number
    return count


class Steps:
    """Tells what is being done, then how many seconds it took and what came out."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[Callable[[str], None]]:
        notes, start = [], time.perf_counter()
        print(f"{name} ...", end=" ", flush=True)
        yield notes.append
        self.seconds[name] = time.perf_counter() - start
        print(", ".join([f"{self.seconds[name]:.1f} s", *notes]), flush=True)


class Tester:
    """Asks the service the same problems after each change, by OpenAI's own client."""

    def __init__(self, url: str, problems: Sequence[Problem], clients: int, step: Steps) -> None:
        self.url, self.problems, self.clients, self.step = url, problems, clients, step
        self.texts: list[str] = []
        self.right: list[int] = []  # each time

    def ask(self) -> None:
        with self.step(f"asked, {len(self.right) + 1}") as tell:
            chat = llm.chats(self.problems)
            texts = chats.ask_all(self.url, chat, self.clients, TOKENS).texts
            self.texts += texts
            self.right.append(llm.right(texts, self.problems))
            tell(f"{self.right[-1]} of {len(texts)} right")

    @property
    def alarmed(self) -> bool:
        """Whether the last answers were much worse than the first."""
        return self.right[-1] < ALARM * self.right[0]
