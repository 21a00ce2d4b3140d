from itertools import product

from ray.tune.search.variant_generator import generate_variants

WIDTHS, RATES, BATCH = [64, 128, 192], [0.5, 1.0, 2.0, 4.0], 2_700


def check(attempt) -> str:
    given = attempt.space()
    assert isinstance(given, dict) and set(given) == {"width", "rate"}, (
        "space() is a dict with the keys width and rate"
    )
    found = [(one["width"], one["rate"]) for _, one in generate_variants(given)]
    pairs = list(product(WIDTHS, RATES))
    assert all(isinstance(value, (int, float)) for pair in found for value in pair), (
        "a list is a value, tune.grid_search makes trials of it: both need it"
    )
    assert sorted(found) == sorted(pairs), (
        f"{len(set(found) & set(pairs))} of the {len(pairs)} pairs would be tried: grid_search both"
    )
    for parameters, batches in ((1_000_000, 10), (4_000_000, 2), (10_000_000, 1)):
        asked = attempt.steps(parameters, 6 * 1_000_000 * BATCH * 10.5)
        assert isinstance(asked, int), f"steps() returns whole batches, not {asked!r}"
        assert asked == batches, (
            f"{parameters:,} parameters: {batches} batches fit into the budget, not {asked}"
        )
    assert attempt.steps(10**9, 1.0) == 1, "at least one batch, however small the budget"
    return f"{len(pairs)} trials, each with as many batches as it can pay for"
