"""A script's summary line is read, its failure is told, and nothing of it stays behind."""

import psutil
import pytest

from workshop.runner import own_lines, read_run, run_script

SUMMARY = "8 images in 1.02 s (7.8 images/s), answer 122481\n"


def test_the_summary_is_read() -> None:
    run = read_run(0, f"ready in 3.1 s\nnoise\n{SUMMARY}", "", 5.0)
    assert (run.items, run.unit, run.seconds, run.answer) == (8, "images", 1.02, "122481")
    assert run.ready_seconds == 3.1 and run.ok


def test_lines_that_ray_relays_are_not_the_scripts_own() -> None:
    late = (
        "\x1b[33m(raylet)\x1b[0m A worker died\n\x1b[36m(task pid=7, ip=192.0.2.1)\x1b[0m hello\n"
    )
    assert read_run(0, SUMMARY + late, "", 5.0).ok
    assert own_lines("\nserved ... " + late + " 3.0 s\n") == ["served ... ", " 3.0 s"]


@pytest.mark.parametrize("stdout", ["", SUMMARY + "more\n", "8 images in x s\n", "a " + SUMMARY])
def test_without_a_summary_as_last_line_a_run_is_not_ok(stdout) -> None:
    run = read_run(0, stdout, "", 5.0)
    assert not run.ok and "without a summary line" in run.error


def test_the_error_of_a_script_is_its_own(tmp_path) -> None:
    script = tmp_path / "broken.py"
    script.write_text("raise SystemExit('the disk is full')")
    run = run_script(script)
    assert run.exit_code == 1 and run.error == "the disk is full"


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended may stay listed until it is waited for."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_children_that_outlive_a_script_are_ended(tmp_path) -> None:
    script = tmp_path / "leaves_a_child.py"
    script.write_text(
        "import subprocess\n"
        "print(subprocess.Popen(['sleep', '300']).pid)\n"
        f"print({SUMMARY.strip()!r})\n"
    )
    run = run_script(script)
    assert run.ok
    assert not is_alive(int(run.stdout.split()[0]))


def test_a_run_that_takes_too_long_is_ended(tmp_path) -> None:
    script = tmp_path / "hangs.py"
    script.write_text("while True: pass")
    run = run_script(script, timeout=1)
    assert run.exit_code == 124 and "ended after 1 s" in run.error
