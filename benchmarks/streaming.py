"""Peak memory of ray_data/03_streaming with N and with 4 N images, in turns (alone on the machine).

python benchmarks/streaming.py --images 600 --runs 3
"""

import json
import statistics
import subprocess
import sys
import tempfile

import typer

from workshop.lessons import ROOT

CALL_MAIN = ROOT / "tests" / "call_main.py"


def peak(twin: str, images: int, output: str) -> dict:
    """What main() of the twin returned, in a process of its own."""
    script = ROOT / "ray_data" / f"03_streaming_{twin}.py"
    arguments = json.dumps(dict(images=images, output=output))
    command = [sys.executable, str(CALL_MAIN), str(script), arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.rpartition("RETURNED ")[2].partition("\n")[0])


def main(images: int = 600, runs: int = 3) -> None:
    """RUNS times: both twins with IMAGES images and with four times as many."""
    ratios: dict[str, list[float]] = {"baseline": [], "ray": []}
    with tempfile.TemporaryDirectory() as output:
        for run in range(1, runs + 1):
            for twin, found in ratios.items():
                few, many = (peak(twin, count, output) for count in (images, 4 * images))
                if len({few["spilled_mb"], many["spilled_mb"]}) > 1 or few["spilled_mb"]:
                    print("spilled:", few["spilled_mb"], many["spilled_mb"])
                found.append(many["tree_mb"] / few["tree_mb"])
                print(
                    f"run {run} {twin:8}: PSS {few['tree_mb']:5.0f} -> {many['tree_mb']:5.0f} MB"
                    f" (x {found[-1]:.3f}), driver RSS {few['driver_mb']:.0f} ->"
                    f" {many['driver_mb']:.0f}, floor {few['floor_mb']:.0f},"
                    f" {few['seconds']:.1f} and {many['seconds']:.1f} s",
                    flush=True,
                )
    for twin, found in ratios.items():
        print(f"{twin}: {images} -> {4 * images} images, PSS x {statistics.median(found):.3f}")


if __name__ == "__main__":
    typer.run(main)
