from optuna.distributions import FloatDistribution, IntDistribution
from optuna.samplers import TPESampler

from ray.tune.search import ConcurrencyLimiter, Searcher
from ray.tune.search.optuna import OptunaSearch

SPACE = {"lr": FloatDistribution(1e-5, 1e-1, log=True), "layers": IntDistribution(1, 6)}
KNOWN = {"lr": 3e-4, "layers": 2}


def search(seed: int) -> Searcher:
    sampler = TPESampler(seed=seed)
    given = dict(metric="loss", mode="min", sampler=sampler, points_to_evaluate=[KNOWN])
    return ConcurrencyLimiter(OptunaSearch(SPACE, **given), max_concurrent=3)
