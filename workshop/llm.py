"""What the scripts of vllm_examples share: the model, settings for a laptop, problems to solve.

They import torch and vLLM in main, after prepare(): both read the environment when they are
imported, both take seconds, which count as `ready`, and a wrong flag is told at once.

Everything runs on a CPU unless there is an NVIDIA GPU; then vLLM's own defaults hold.
"""

import hashlib
import importlib.util
import os
import random
import re
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

import typer

from workshop.lessons import ROOT
from workshop.problems import Problem, problem

MODEL = str(ROOT / "workshop" / "model")
QUIET = {
    "TOKENIZERS_PARALLELISM": "false",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "TRANSFORMERS_VERBOSITY": "error",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}
# With these an engine starts in seconds, and several share two cores.
ON_A_CPU = {
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
}
FILES = ["*.json", "*.safetensors", "*.txt", "*.jinja", "*.model"]  # of a model on the hub
NUMBER = re.compile(r"####\s*(-?\d+)")


def has_gpu() -> bool:
    return shutil.which("nvidia-smi") is not None


def has_vllm() -> bool:
    return importlib.util.find_spec("vllm") is not None


def device() -> str:
    """Where transformers puts its model."""
    return "cuda" if has_gpu() else "cpu"


def dtype() -> str:
    """In what precision transformers loads its model: vLLM's, by options()."""
    return "auto" if has_gpu() else "float32"


def threads() -> int:
    """Threads of torch: as many as vLLM gets."""
    return int(environment().get("OMP_NUM_THREADS", os.cpu_count()))


def environment(model: str = MODEL) -> dict[str, str]:
    """The variables under which vLLM suits this machine; those that are set already win."""
    wanted = QUIET | ({} if has_gpu() else ON_A_CPU)
    if Path(model).is_dir():
        wanted |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    return {name: os.environ.get(name, value) for name, value in wanted.items()}


def options() -> dict:
    """What vllm.LLM is told besides the model."""
    here = {} if has_gpu() else dict(dtype=dtype(), enforce_eager=True)
    return here | dict(use_tqdm_on_load=False)


def prepare(model: str = MODEL) -> dict[str, str]:
    """Sets environment(), which is also what Ray's workers need, and returns it.

    MODEL is a folder, or a name on the Hugging Face hub, from where it is downloaded. Raises
    typer.BadParameter where it is neither, or there is no vLLM, before anything is started.
    """
    if not has_vllm():
        raise typer.BadParameter(
            "there is no vLLM in this environment: make setup-vllm, once, then"
            " source .venv-vllm/bin/activate"
        )
    set_ = environment(model)
    os.environ.update(set_)
    warnings.filterwarnings("ignore", category=FutureWarning)  # vLLM about its own imports
    if not (Path(model) / "config.json").is_file():
        fetch(model)
    return set_


def fetch(model: str) -> None:
    """Downloads what is not there yet, with a progress bar, before anything waits for it."""
    from huggingface_hub import snapshot_download  # takes a second, rarely needed

    try:
        snapshot_download(model, allow_patterns=FILES)
    except Exception as error:  # no such name, no network, no permission: each of another kind
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise typer.BadParameter(
            f"no model '{model}': give a folder with a config.json, or a name on the Hugging Face"
            f" hub such as Qwen/Qwen2.5-0.5B-Instruct ({reason})"
        ) from None


def problems(count: int, seed: int) -> list[Problem]:
    """Problems of one, two and three calculations in turn; 1,000 of the next seed are others."""
    return [problem(random.Random(f"llm {seed} {k}"), 1 + k % 3) for k in range(count)]


def chats(problems: Sequence[Problem]) -> list[list[dict[str, str]]]:
    """Each question as a chat of one message."""
    return [[dict(role="user", content=one.question)] for one in problems]


def number(text: str) -> int | None:
    """The whole number after #### in an answer, or None."""
    found = NUMBER.search(text)
    return int(found[1]) if found else None


def right(texts: Sequence[str], problems: Sequence[Problem]) -> int:
    """How many of the answers have the right number (exact match)."""
    return sum(number(t) == p.number for t, p in zip(texts, problems, strict=True))


def digest(texts: Sequence[str]) -> str:
    """Eight hexadecimal digits of all texts, in their order."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:8]
