"""Exercise 7: a client that asks again, but does no harm.

Write ask(). It awaits post(body, headers) and returns the last Reply.
- Status 0 (no answer), 429, 500, 502, 503 and 504 may be over soon: it tries again, six attempts in
  all. Any other status is the answer.
- Before retry 1, 2, 3, .. it awaits sleep(s) with a random s from 0 to 0.1, 0.2, 0.4, .. seconds;
  if the reply has the header Retry-After (whole seconds), it waits that long at least.
- Every attempt has the header Idempotency-Key, the same for all attempts of a request and another
  for each request: so the service can tell a repeated request from a new one.

    make check EX=ray_serve/07
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]


Post = Callable[[dict, dict[str, str]], Awaitable[Reply]]
Sleep = Callable[[float], Awaitable[None]]


async def ask(post: Post, sleep: Sleep, body: dict) -> Reply:
    raise NotImplementedError("a loop of six attempts; uuid.uuid4() makes a key")
