"""Exercise 6: a canary that does not flicker.

The lesson's Split draws for each request: a user on trial gets the new version now, the old one on
the next click. Write a Split that decides for each user: "canary" for about as many percent of the
users as the user_config says, {"canary": 10}, "stable" for the others. The same user always gets
the same, from every replica; and who has the canary at 10% keeps it at 50%.

    make check EX=ray_serve/06
"""

from ray import serve


@serve.deployment(user_config={"canary": 10})
class Split:
    def reconfigure(self, config: dict[str, int]) -> None:
        raise NotImplementedError("keep the percentage")

    def __call__(self, user: str) -> str:
        raise NotImplementedError("a digest of the user's name is a number; compare it")
