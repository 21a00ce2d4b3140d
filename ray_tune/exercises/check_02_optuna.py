import optuna

from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

AT_ONCE = 3


def check(attempt) -> str:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    searcher = attempt.search(seed=1)
    assert isinstance(searcher, Searcher), "search() returns no searcher"
    inner = getattr(searcher, "searcher", searcher)
    assert isinstance(inner, OptunaSearch), "it is not Optuna that searches: OptunaSearch"
    assert inner.metric == "loss", f"metric is '{inner.metric}', not 'loss'"
    assert inner.mode == "min", f"mode is '{inner.mode}': of losses the smallest is best"
    first = searcher.suggest("1")
    assert first == attempt.KNOWN, f"it begins with {first}, not with KNOWN: points_to_evaluate"
    suggestions = [first, searcher.suggest("2"), searcher.suggest("3")]
    assert None not in suggestions, f"{AT_ONCE} may be under way, it stops before: max_concurrent"
    assert searcher.suggest("4") is None, (
        f"a fourth trial would start beside {AT_ONCE} others: ConcurrencyLimiter, max_concurrent"
    )
    for config in suggestions:
        assert sorted(config) == ["layers", "lr"] and 1e-5 <= config["lr"] <= 1e-1, (
            f"{config} is not from SPACE"
        )
    searcher.on_trial_complete("2", {"loss": 1.0, "training_iteration": 1})
    suggestions.append(searcher.suggest("5"))
    assert suggestions[-1], "one is done, and it waits for the others: that is what batch=True does"

    again = attempt.search(seed=1)
    same = [again.suggest(str(number)) for number in (1, 2, 3)]
    assert same == suggestions[:3], "the same seed, other suggestions: seed the sampler"
    other = attempt.search(seed=2)
    assert [other.suggest(str(number)) for number in (1, 2, 3)] != same, (
        "another seed, the same suggestions: TPESampler(seed=seed)"
    )
    return f"KNOWN first, then Optuna's own, {AT_ONCE} at once and the next when one is done"
