"""The READMEs of this repository as something to search: passages, and questions about them."""

import functools
import random
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from markdown_it import MarkdownIt

from workshop.lessons import ROOT

SHORT = 6  # words; a passage with fewer says nothing


@dataclass(frozen=True)
class Passage:
    """A paragraph, or a sentence of it, and where it stands."""

    file: str
    heading: str
    text: str

    @property
    def whole(self) -> str:
        return f"{self.heading}. {self.text}"

    def sentences(self) -> list["Passage"]:
        return [replace(self, text=each) for each in re.split(r"(?<=[.!?:]) ", self.text)]


class Question(NamedTuple):
    """What somebody may ask, and the section with the answer: its file, and how it begins."""

    text: str
    file: str
    heading: str = ""


CORE, DATA, TRAIN = "ray_core/README.md", "ray_data/README.md", "ray_train/README.md"
TUNE, CLUSTERS = "ray_tune/README.md", "clusters/README.md"
QUESTIONS = (
    Question("Can several tasks change the same state?", CORE, "02"),
    Question("What does ray.put do with a large array?", CORE, "03"),
    Question("How do I keep few tasks in flight at a time?", CORE, "04"),
    Question("What happens when a worker process is killed while a task runs?", CORE, "05"),
    Question("Can I use multiprocessing Pool or joblib code with Ray?", CORE, "06"),
    Question("What happens when the object store is full?", CORE, "08"),
    Question("How do I find the line of the task that failed?", CORE, "09"),
    Question("How are pictures read and resized in blocks?", DATA, "01"),
    Question("How can data be larger than memory?", DATA, "03"),
    Question("What happens to broken image files?", DATA, "04"),
    Question("How do I read from an S3 bucket?", DATA, "06"),
    Question("Is pandas faster than Ray Data for a join or a group by?", DATA, "07"),
    Question("Does Ray Train give the same loss as torchrun?", TRAIN, "01"),
    Question("How do I resume training from a checkpoint?", TRAIN, "02"),
    Question("What does LoRA save in a checkpoint?", TRAIN, "05"),
    Question("How many bytes of the optimizer does a worker hold with FSDP?", TRAIN, "06"),
    Question("Should I train XGBoost on two workers?", TRAIN, "08"),
    Question("What happens to training when a machine is lost?", TRAIN, "10"),
    Question("How does ASHA stop bad trials early?", TUNE, "01"),
    Question("How does Optuna choose the next configuration?", TUNE, "02"),
    Question("How does population based training copy the better half?", TUNE, "03"),
    Question("How do I go on with a sweep that was killed?", TUNE, "05"),
    Question("How do I start a cluster on Google Cloud?", CLUSTERS),
    Question("How do I run Ray on Kubernetes?", CLUSTERS),
)


def passages(root: Path = ROOT) -> list[Passage]:
    """Every paragraph of every README, in their order; code is left out."""
    found = []
    for file in (root / "README.md", *sorted(root.glob("[a-z]*/README.md"))):
        heading = opened = ""
        for token in MarkdownIt().enable("table").parse(file.read_text()):
            if token.type.endswith("_open"):
                opened = token.type
            elif token.type == "inline":
                text = " ".join("".join(part.content or " " for part in token.children).split())
                if opened == "heading_open":
                    heading = text
                elif len(text.split()) >= SHORT:
                    found.append(Passage(file.relative_to(root).as_posix(), heading, text))
    return found


def requests(count: int, seed: int) -> list[dict]:
    """COUNT bodies {"id": .., "question": ..}."""
    asked = random.Random(seed).choices(QUESTIONS, k=count)
    return [dict(id=number, question=question.text) for number, question in enumerate(asked)]


@functools.cache
def _sections() -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for each in passages():
        found.setdefault((each.file, each.heading), []).append(each.text)
    return found


def is_cited(quote: dict) -> bool:
    """Whether the quote {"text": .., "file": .., "heading": ..} stands in that section."""
    section = _sections().get((quote["file"], quote["heading"]), [])
    return any(quote["text"] in text for text in section)


def proof(request: dict, answer: Any) -> list:
    """[question, whether its own answer has quotes and each stands where it says]."""
    own = isinstance(answer, dict) and answer.get("id") == request["id"]
    quotes = answer.get("quotes") if own else []
    return [request["question"], bool(quotes) and all(map(is_cited, quotes))]


def is_right(answer: Any, request: dict) -> bool:
    """Whether the first quote comes from the section that QUESTIONS names for this request."""
    (wanted,) = (each for each in QUESTIONS if each.text == request["question"])
    quotes = (isinstance(answer, dict) and answer.get("quotes")) or [dict(file="", heading="")]
    return quotes[0]["file"] == wanted.file and quotes[0]["heading"].startswith(wanted.heading)
