import zlib

from ray import serve


@serve.deployment(user_config={"canary": 10})
class Split:
    def reconfigure(self, config: dict[str, int]) -> None:
        self.percent = config["canary"]

    def __call__(self, user: str) -> str:
        return "canary" if zlib.crc32(user.encode()) % 100 < self.percent else "stable"
