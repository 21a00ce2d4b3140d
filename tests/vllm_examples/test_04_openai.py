"""Two services with OpenAI's API, as OpenAI's own client sees them."""

import contextlib
import time
from collections.abc import Iterator
from unittest.mock import patch

import httpx2 as httpx
import pytest

from openai_checks import (
    CHAT,
    GREEDY,
    OTHERS,
    Said,
    ask_others,
    client,
    listens_on_this_machine_only,
    openai_sees_the_refusals,
    streams_the_whole,
    wrongly_refused,
)
from support import held, served
from workshop import chats, llm, web
from workshop.lessons import ROOT

BASELINE, RAY = (f"vllm_examples/04_openai_{twin}.py" for twin in ("baseline", "ray"))


@pytest.fixture(scope="module")
def found() -> list[Said]:
    """What each service said to the same questions."""
    return []


@pytest.fixture(scope="module", params=[BASELINE, RAY], ids=["fastapi", "ray.serve.llm"])
def url(request) -> Iterator[str]:
    with served(request.param) as (base, _):
        yield base


def test_it_lists_its_model(url) -> None:
    assert [model.id for model in client(url).models.list()] == [chats.NAME]


def test_a_chat(url) -> None:
    said = client(url).chat.completions.create(**GREEDY)
    (choice,) = said.choices
    assert choice.message.role == "assistant" and choice.finish_reason == "stop"
    assert llm.number(choice.message.content) is not None
    assert said.usage.prompt_tokens + said.usage.completion_tokens == said.usage.total_tokens


def test_an_answer_that_is_cut(url) -> None:
    said = client(url).chat.completions.create(**GREEDY, max_tokens=5)
    assert said.choices[0].finish_reason == "length" and said.usage.completion_tokens == 5


def test_a_stream_is_the_whole_answer(url) -> None:
    assert len(streams_the_whole(url)) > 5
    assert len(streams_the_whole(url, max_tokens=5)) > 1


def test_ray_serve_llm_has_completions_too(url, request) -> None:
    asked = dict(model=chats.NAME, temperature=0, max_tokens=96)
    prompt = f"<|user|>{CHAT[0]['content']}<|assistant|>"
    if "fastapi" in request.node.name:
        assert httpx.post(f"{url}/v1/completions", json=asked).status_code == 404
        return
    said = client(url).completions.create(**asked, prompt=prompt).choices[0].text
    assert said == client(url).chat.completions.create(**GREEDY).choices[0].message.content


def test_bad_requests_are_turned_away_and_the_next_is_answered(url) -> None:
    assert wrongly_refused(url) == []


def test_the_client_raises_the_right_errors(url) -> None:
    openai_sees_the_refusals(url)


def test_it_listens_on_this_machine_only(url) -> None:
    listens_on_this_machine_only(url)


def test_most_answers_are_right(url, found) -> None:
    found.append(ask_others(url))
    assert found[-1].right >= 0.85 * OTHERS


def test_both_say_the_same_in_as_many_tokens(found) -> None:
    assert len(found) == 2 and found[0] == found[1]


def until_it_answers(port: int, alive) -> None:
    """ray.serve.llm has no /healthz, and lists its models before the engine is there."""
    deadline = time.monotonic() + 150
    while alive() and time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            url = f"http://{web.HOST}:{port}{chats.PATH}"
            if httpx.post(url, json=GREEDY | dict(max_tokens=1), timeout=60).status_code == 200:
                return
        time.sleep(0.5)
    raise RuntimeError(f"no answer on port {port}")


@pytest.mark.thorough  # the tests above ask a service that is there anyhow
@pytest.mark.parametrize(
    "script", sorted((ROOT / "vllm_examples").glob("04_*.py")), ids=lambda path: path.stem
)
def test_hold_keeps_it_up(script) -> None:
    with patch.object(web, "wait_until_healthy", until_it_answers), held(script) as url:
        assert [model.id for model in client(url).models.list()] == [chats.NAME]
