import numpy as np

import ray


def brighter(paths: list[str], by: int) -> ray.data.Dataset:
    def brighten(row: dict) -> dict:
        image = np.minimum(row["image"].astype(int) + by, 255).astype(np.uint8)
        return dict(path=row["path"], image=image)

    return ray.data.read_images(paths, mode="RGB", include_paths=True).map(brighten)
