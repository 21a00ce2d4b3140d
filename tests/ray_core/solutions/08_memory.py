import numpy as np

import ray


class Album:
    def __init__(self) -> None:
        self.stored: dict[str, ray.ObjectRef] = {}

    def add(self, name: str, photo: np.ndarray) -> None:
        self.stored[name] = ray.put(photo)

    def brightness(self, name: str) -> int:
        return int(ray.get(self.stored[name]).sum())

    def remove(self, name: str) -> None:
        del self.stored[name]
