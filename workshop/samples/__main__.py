"""Makes sample data.

    python -m workshop.samples                                  what the lessons read
    python -m workshop.samples images --count 1000 --size 640 --output some/folder
    python -m workshop.samples texts --count 20000 --output some/folder
    python -m workshop.samples dirty --count 1000 --bad 100 --output some/folder

A folder that was made with the same arguments is left as it is.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from workshop.samples import FOLDER, SMALL, Made, dirty, everything, images, texts

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Output = Annotated[Path | None, typer.Option(help="A folder; the default is under out/samples.")]
Count = Annotated[int, typer.Option(min=1)]


def report(made: Callable[[], Made | list[Made]]) -> None:
    try:
        result = made()
    except OSError as error:
        print(f"workshop.samples: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    for one in result if isinstance(result, list) else [result]:
        print(one)


@app.callback(invoke_without_command=True)
def main(context: typer.Context) -> None:
    """Make sample data; without a command, all that the lessons read."""
    if context.invoked_subcommand is None:
        report(everything)


@app.command("images")
def images_command(
    count: Count = 300,
    size: Annotated[int, typer.Option(min=16, max=8000, help="Longest side, pixels.")] = SMALL,
    output: Output = None,
    seed: int = 42,
) -> None:
    """JPEG files with EXIF, in one folder a label, and a catalogue of them beside the folder."""
    report(lambda: images((output or FOLDER / "images").resolve(), count, size, seed))


@app.command("texts")
def texts_command(
    count: Count = 200_000,
    shards: Annotated[int, typer.Option(min=1)] = 16,
    output: Output = None,
    seed: int = 42,
) -> None:
    """Parquet shards of grade-school problems, and a tokenizer for them."""
    report(lambda: texts((output or FOLDER / "texts").resolve(), count, shards, seed))


@app.command("dirty")
def dirty_command(
    count: Annotated[int, typer.Option(min=2)] = 240,
    bad: Annotated[int, typer.Option(min=0)] = 36,
    output: Output = None,
    seed: int = 42,
) -> None:
    """As images, but BAD of them broken or unusual; the catalogue says which, and how."""
    if bad >= count:
        raise typer.BadParameter(f"--bad is at most {count - 1}: fewer than --count")
    report(lambda: dirty((output or FOLDER / "dirty").resolve(), count, bad, seed=seed))


if __name__ == "__main__":
    app(prog_name="python -m workshop.samples")
