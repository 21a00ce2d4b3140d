"""Code that already has a pool and an n_jobs, on Ray: another import for the pool, another backend
for joblib and scikit-learn, and nothing else. (With no Ray to join, Pool starts one.)

    python ray_core/06_pools_ray.py

Last line: 1797 images in 7.66 s (234.7 images/s), answer 9e3c8b91-0.9889
"""

import os
import time
import zlib

import joblib
import numpy as np
import typer
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC

from ray.util.joblib import register_ray  # NEW:
from ray.util.multiprocessing import Pool  # NEW:


def straighten(image: np.ndarray) -> tuple[np.ndarray, int]:
    """The digit at twice its size, turned upright, and the process that did it."""
    large = ndimage.zoom(image, 2)
    turned = [ndimage.rotate(large, angle, reshape=False) for angle in range(-20, 21, 2)]
    upright = max(turned, key=lambda picture: picture.sum(axis=0).var())
    return upright.clip(0, 16).round().astype(np.uint8), os.getpid()


def score(model: SVC, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    return {"accuracy": model.score(images, labels), "process": os.getpid()}


def search(kernel: str, images: np.ndarray, labels: np.ndarray, workers: int) -> GridSearchCV:
    grid, folds = {"C": [1, 10], "gamma": [3e-4, 1e-3]}, StratifiedKFold(3)
    candidates = GridSearchCV(
        SVC(kernel=kernel), grid, scoring=score, refit="accuracy", cv=folds, n_jobs=workers
    )
    return candidates.fit(images, labels)


def main(images: int = 1797, workers: int = 2, seed: int = 42) -> dict:
    """IMAGES handwritten digits on WORKERS processes (0: as many as there are CPUs)."""
    if not 100 <= images <= 1797 or workers < 0:
        raise typer.BadParameter("--images is 100 to 1797, --workers starts at 0.")
    digits = load_digits()
    chosen = np.random.default_rng(seed).permutation(1797)[:images]
    pictures, labels = digits.images[chosen], digits.target[chosen]

    start = time.perf_counter()
    pool = Pool(workers or None)
    pool.map(straighten, pictures[:64])
    ready = time.perf_counter() - start
    print(f"ready in {ready:.1f} s")

    start = time.perf_counter()
    upright, pool_pids = zip(*pool.map(straighten, pictures), strict=True)
    pool_seconds = time.perf_counter() - start
    pool.close()
    pool.join()

    rows = np.stack(upright).reshape(images, -1)
    start = time.perf_counter()
    register_ray()  # NEW:
    with joblib.parallel_backend("ray"):  # NEW:
        searches = [search(kernel, rows, labels, workers or -1) for kernel in ("rbf", "poly")]
    search_seconds = time.perf_counter() - start

    took = pool_seconds + search_seconds
    scores = np.concatenate([done.cv_results_["mean_test_accuracy"] for done in searches])
    answer = f"{zlib.crc32(scores.round(6), zlib.crc32(rows)):08x}-{scores.max():.4f}"
    search_pids = [pid for s in searches for pid in s.cv_results_["split0_test_process"]]
    print(f"pool {pool_seconds:.2f} s on {len(set(pool_pids))} processes, ", end="")
    print(f"search {search_seconds:.2f} s on {len(set(search_pids))} processes")
    print(f"{images} images in {took:.2f} s ({images / took:.1f} images/s), answer {answer}")
    figures = dict(items=images, unit="images", seconds=took, ready_seconds=ready, answer=answer)
    figures |= dict(pool_seconds=pool_seconds, search_seconds=search_seconds, driver=os.getpid())
    return figures | dict(pool_pids=sorted(set(pool_pids)), search_pids=sorted(set(search_pids)))


if __name__ == "__main__":
    typer.run(main)
