"""Pairs are found by file name, chosen by name, and their difference is counted."""

import pytest

from workshop.lessons import (
    ROOT,
    STAGES,
    all_pairs,
    changed_lines,
    paired,
    select,
    side_by_side,
    tour,
)

BASELINE = '"""Old.\n\nLonger."""\n\nimport time\n\n\ndef work(n):\n    return n\n\n\nold = 1\n'
RAY = '"""New."""\nimport ray  # NEW:\nimport time\n\ndef work(n):\n    return n\n\nnew = 2\n'


@pytest.fixture
def repository(tmp_path):
    """Two stages; the first lesson of ray_core has a pitfall."""
    for stage, names in {"ray_core": "abcde", "ray_data": "xy"}.items():
        (tmp_path / stage).mkdir()
        for number, name in enumerate(names, start=1):
            for twin, text in {"baseline": BASELINE, "ray": RAY}.items():
                (tmp_path / stage / f"{number:02}_{name}_{twin}.py").write_text(text)
    (tmp_path / "ray_core" / "01_a_pitfall.py").write_text("")
    return tmp_path


def names(pairs) -> list[str]:
    return [pair.name for pair in pairs]


def test_pairs_are_found_in_order(repository) -> None:
    pairs = all_pairs(repository)
    assert names(pairs)[:2] == ["ray_core/01_a", "ray_core/02_b"]
    assert names(pairs)[-1] == "ray_data/02_y"
    assert [path.name for path in pairs[0].pitfalls] == ["01_a_pitfall.py"]
    assert not pairs[1].pitfalls


def test_the_tour_is_three_of_core_and_one_of_each_other(repository) -> None:
    expected = ["ray_core/01_a", "ray_core/02_b", "ray_core/03_c", "ray_data/01_x"]
    assert names(tour(all_pairs(repository))) == expected
    assert names(select([], all_pairs(repository))) == expected


def test_select(repository) -> None:
    pairs = all_pairs(repository)
    assert len(select(["ray_core"], pairs)) == 5
    assert names(select(["ray_core/02", "ray_core/02_b"], pairs)) == ["ray_core/02_b"]
    for wrong in ("ray_cor", "ray_core/9", "01"):
        with pytest.raises(LookupError, match=f"no lesson is called '{wrong}'"):
            select([wrong], pairs)


def test_changed_lines_are_those_of_the_ray_twin(repository) -> None:
    pair = all_pairs(repository)[0]
    assert changed_lines(pair) == 2
    changes = [(left, right) for left, right in side_by_side(pair) if left != right]
    assert changes == [("", "import ray  # NEW:"), ("old = 1", ""), ("", "new = 2")]


def test_only_lines_that_are_alike_stand_side_by_side() -> None:
    old = ["results = [work(n) for n in todo]", "done = True"]
    new = ["ray.init()", "results = ray.get([work(n) for n in todo])", "print(results)"]
    assert paired(old, new) == [
        ("", new[0]),
        (old[0], new[1]),
        (old[1], ""),
        ("", new[2]),
    ]


def test_every_folder_of_lessons_is_a_known_stage() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/[0-9]*_ray.py")}
    assert folders <= set(STAGES)
