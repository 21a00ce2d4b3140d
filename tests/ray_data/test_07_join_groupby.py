"""Both twins make the same table; pandas is quicker at it while the table fits into memory."""

import numpy as np
import pandas as pd

import ray
from ray.data.expressions import col

from support import here, refusal

BASELINE, RAY = "ray_data/07_join_groupby_baseline.py", "ray_data/07_join_groupby_ray.py"


def test_the_same_table_and_pandas_makes_it_sooner(call, tmp_path) -> None:
    twins = {}
    for script in (BASELINE, RAY):
        output = str(tmp_path / script)
        figures = call(script, images=40, copies=50, output=output).figures
        twins[script] = figures, pd.read_parquet(f"{output}/brightness.parquet")
    (in_pandas, expected), (on_ray, table) = twins.values()
    assert in_pandas["answer"] == on_ray["answer"]
    assert table["images"].sum() == on_ray["table_rows"] == 40 * 50
    keys = ["images", "light", "pixels"]
    assert table[keys].to_numpy().tolist() == expected[keys].to_numpy().tolist()
    assert np.allclose(table["brightness"], expected["brightness"], rtol=1e-12)
    assert any(value % 1 for value in table["brightness"]), "brightness has its fraction"
    assert on_ray["tables_seconds"] > 2 * in_pandas["tables_seconds"]


def test_copies_change_the_sums_and_not_the_brightness(tmp_path) -> None:
    tables = []
    for copies in (1, 3):
        here(BASELINE, images=40, copies=copies, output=str(tmp_path))
        tables.append(pd.read_parquet(tmp_path / "brightness.parquet"))
    once, thrice = tables
    assert (thrice["light"] == 3 * once["light"]).all()
    assert np.allclose(thrice["brightness"], once["brightness"])


def test_whole_numbers_divide_to_whole_numbers(shared_ray) -> None:
    """What the README warns of: pandas gives 3.5 here."""
    ds = ray.data.from_items([{"a": 7, "b": 2}])
    ds = ds.with_column("whole", col("a") / col("b")).with_column("real", col("a") / 2.0)
    assert ds.take_all() == [{"a": 7, "b": 2, "whole": 3, "real": 3.5}]


def test_a_groupby_makes_200_partitions_by_default() -> None:
    assert ray.data.DataContext.get_current().default_hash_shuffle_parallelism == 200


def test_refusals() -> None:
    refused = {
        "no images with a catalogue in out/samples/texts": ("--input", "out/samples/texts"),
        "no images with a catalogue in tests": ("--input", "tests"),
        "--images is 1 to 300": ("--images", "301"),
        "--copies starts at 1": ("--copies", "0"),
    }
    for script in (BASELINE, RAY):
        for sentence, flags in refused.items():
            assert sentence in refusal(script, *flags)
