import random
import uuid
from collections.abc import Awaitable, Callable
from typing import NamedTuple


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]


Post = Callable[[dict, dict[str, str]], Awaitable[Reply]]
Sleep = Callable[[float], Awaitable[None]]


async def ask(post: Post, sleep: Sleep, body: dict) -> Reply:
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    for attempt in range(6):
        reply = await post(body, headers)
        if reply.status not in (0, 429, 500, 502, 503, 504) or attempt == 5:
            break
        wait = random.uniform(0, 0.1 * 2**attempt)
        await sleep(max(wait, float(reply.headers.get("Retry-After", 0))))
    return reply
