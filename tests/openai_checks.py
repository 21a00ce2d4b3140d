"""What every service with OpenAI's chat API turns away, and that it goes on afterwards."""

import socket
from dataclasses import dataclass

import httpx2 as httpx
import openai
import pytest

from workshop import chats, llm

CHAT = llm.chats(llm.problems(1, seed=5))[0]
GREEDY = dict(model=chats.NAME, messages=CHAT, temperature=0)
LONG = [dict(role="user", content="five pens and " * 300)]  # the context has room for 512 tokens
REFUSED = {
    "another model": (dict(GREEDY, model="gpt-5"), 404, "gpt-5"),
    "a long prompt": (dict(GREEDY, messages=LONG), 400, "512"),
    "no messages": (dict(model=chats.NAME), 400, "messages"),
    "messages that are no list": (dict(GREEDY, messages="hello"), 400, "messages"),
    "no tokens": (dict(GREEDY, max_tokens=-1), 400, "max_tokens"),
}


OTHERS = 17  # questions


@dataclass(frozen=True)
class Said:
    """The answers to OTHERS questions: a digest of the texts, tokens, how many are right."""

    digest: str
    tokens: int
    right: int


def ask_others(url: str) -> Said:
    """Other questions than the scripts ask by default, and from fewer clients."""
    problems = llm.problems(OTHERS, seed=7)
    done = chats.ask_all(url, llm.chats(problems), 8, 96)
    return Said(llm.digest(done.texts), done.tokens, llm.right(done.texts, problems))


def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=60)


def message(body: dict) -> str:
    """The sentence in an error: as OpenAI puts it, or as FastAPI does."""
    return body["error"]["message"] if "error" in body else body["detail"]


def wrongly_refused(url: str) -> list[str]:
    """What is wrong with the answers to bad requests: a status, a message, or what came after."""
    found, right = [], client(url).chat.completions.create(**GREEDY).choices[0].message.content

    def look(name: str, response: httpx.Response, status: int, word: str) -> None:
        if response.status_code != status:
            found.append(f"{name}: {response.status_code}, not {status}: {response.text[:200]}")
        elif word not in message(response.json()):
            found.append(f"{name}: the message does not say {word!r}: {response.text[:200]}")
        after = client(url).chat.completions.create(**GREEDY).choices[0].message.content
        if after != right:
            found.append(f"{name}: the next request got {after!r}")

    address = f"{url}{chats.PATH}"
    for name, (body, status, word) in REFUSED.items():
        look(name, httpx.post(address, json=body, timeout=60), status, word)
    json = {"Content-Type": "application/json"}
    for broken in (b'{"model": "workshop"', b"hello", b""):
        look(repr(broken), httpx.post(address, content=broken, headers=json), 400, "")
    return found


def openai_sees_the_refusals(url: str) -> None:
    """The errors of the official client, and what they say."""
    with pytest.raises(openai.NotFoundError) as missing:
        client(url).chat.completions.create(**GREEDY | dict(model="gpt-5"))
    assert "gpt-5" in missing.value.response.text  # ray.serve.llm's is not in OpenAI's form
    with pytest.raises(openai.BadRequestError, match="512"):
        client(url).chat.completions.create(**GREEDY | dict(messages=LONG))


def listens_on_this_machine_only(url: str) -> None:
    port = int(url.rpartition(":")[2])
    outside = socket.gethostbyname(socket.gethostname())
    if outside.startswith("127."):
        outside = "127.0.0.2"  # Linux answers on it only if bound to all addresses
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((outside, port), timeout=5)


def streams_the_whole(url: str, **more) -> list[str]:
    """The pieces of a streamed answer; together they are the one that comes whole."""
    whole = client(url).chat.completions.create(**GREEDY, **more).choices[0]
    events = list(client(url).chat.completions.create(**GREEDY, **more, stream=True))
    choices = [event.choices[0] for event in events if event.choices]
    pieces = [choice.delta.content or "" for choice in choices]
    assert "".join(pieces) == whole.message.content
    assert choices[-1].finish_reason == whole.finish_reason
    return pieces
