import ray

CATALOGUE = {"a": "temple", "b": "temple", "c": "flower", "d": "flower", "e": "flower"}
MEASURED = {"a": (300, 4), "b": (71, 2), "c": (100, 8), "d": (10, 4), "z": (999, 1)}
EXPECTED = {"temple": (2, 371 / 6), "flower": (2, 110 / 12)}
MEANS = {"temple": (300 / 4 + 71 / 2) / 2, "flower": (100 / 8 + 10 / 4) / 2}


def check(attempt) -> str:
    ray.init(num_cpus=2, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    catalogue = ray.data.from_items([{"file": f, "label": a} for f, a in CATALOGUE.items()])
    rows = [{"file": f, "light": a, "pixels": b} for f, (a, b) in MEASURED.items()]
    result = attempt.brightness(catalogue, ray.data.from_items(rows))
    assert result is not None, "brightness() returns nothing"
    assert isinstance(result, list), "brightness() returns a plan: take_all() runs it"
    assert result and {"label", "images", "brightness"} <= set(result[0]), (
        "a row needs the columns label, images and brightness: alias_name names an aggregate"
    )
    found = {row["label"]: (row["images"], row["brightness"]) for row in result}
    assert set(found) == set(EXPECTED) and len(result) == len(found), (
        f"one row for each of the labels {sorted(EXPECTED)}, not {[r['label'] for r in result]}"
    )
    for label, (images, value) in EXPECTED.items():
        assert found[label][0] == images, (
            f"{found[label][0]} images are {label}, not {images}: an inner join keeps what is"
            " in both tables"
        )
        got = found[label][1]
        assert got != value // 1, (
            "brightness has lost its fraction: whole numbers divide to a whole number, so"
            " multiply one of them by 1.0"
        )
        assert abs(got - MEANS[label]) > 1e-9, (
            "this is the mean of the images' own brightness: add up light and pixels first, then"
            " divide"
        )
        assert abs(got - value) < 1e-9, f"brightness of {label} is {got:.3f}, not {value:.3f}"
    return "joined, grouped and divided: brightness with its fraction for both labels"
