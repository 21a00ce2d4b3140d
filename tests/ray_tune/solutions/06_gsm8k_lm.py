from ray import tune

WIDTHS, RATES = [64, 128, 192], [0.5, 1.0, 2.0, 4.0]
BATCH = 2_700  # tokens


def space() -> dict:
    """What Tuner(param_space=...) takes: the keys are "width" and "rate"."""
    return {"width": tune.grid_search(WIDTHS), "rate": tune.grid_search(RATES)}


def steps(parameters: int, budget: float) -> int:
    """Batches for a model of so many parameters, with a budget of operations."""
    return max(1, int(budget // (6 * parameters * BATCH)))
