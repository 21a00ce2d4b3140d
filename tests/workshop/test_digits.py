"""The digits of ray_serve: pictures, and classifiers that are trained once."""

import base64
import io

import pytest
import torch
from PIL import Image

from workshop import digits


def png(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (width, height)).save(file, "PNG")
    return file.getvalue()


def test_a_picture_holds_the_pixels() -> None:
    pixels, _ = digits.dataset()
    for row in (0, 7, 1500):
        assert torch.allclose(digits.as_pixels(digits.as_png(pixels[row])), pixels[row], atol=0.01)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a PNG"),
        (b"GIF89a", "not a PNG"),
        (digits.as_png(digits.dataset()[0][0])[:100], "not a whole one"),
        (png(2000, 8), "more than 1024 pixels"),
    ],
    ids="empty GIF half large".split(),
)
def test_what_is_no_picture_is_said(content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        digits.as_pixels(content)


def test_requests_are_seeded_and_hold_out_what_was_learned() -> None:
    one, again, other = (digits.requests(30, seed) for seed in (1, 1, 2))
    assert one == again != other
    assert [request["id"] for request in one] == list(range(30))
    pixels, _ = digits.dataset()
    learned = {digits.as_png(pixels[row]) for row in range(digits.TRAIN)}
    assert not [r for r in one if base64.b64decode(r["png"]) in learned]


@pytest.mark.parametrize("kind", digits.STEPS)
def test_trained_once_and_right(kind, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(digits.platformdirs, "user_cache_dir", lambda name: str(tmp_path / name))
    state = torch.get_rng_state()
    model = digits.classifier(kind)
    assert "training" in capsys.readouterr().out
    assert torch.equal(torch.get_rng_state(), state), "the caller's random state was touched"
    again = digits.classifier(kind)
    assert capsys.readouterr().out == ""
    pixels, labels = digits.dataset()
    scores = model(pixels[digits.TRAIN :])
    assert torch.equal(scores, again(pixels[digits.TRAIN :]))
    assert (scores.argmax(1) == labels[digits.TRAIN :]).double().mean() > 0.95
    assert [file.suffix for file in (tmp_path / "ray-workshop").iterdir()] == [".safetensors"]
