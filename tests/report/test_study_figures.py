from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from freq2clean.errors import MissingExtraError
from freq2clean.report.study import draw_gains, draw_sweep, draw_training_time


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def trainings(patch_t=(8, 16, 32), fft=2.0, seeds=(0,)):
    scores = {"denoised": 0.0, "fft": fft, "wiener": 5.0}
    return [
        {
            "denoiser": "deepcad", "patch_t": length, "method": method, "psnr_active_db": 10.0,
            "psnr_db": 20 + i + gain + seed, "ssim3d": 0.5 + 0.01 * gain,
            "training_seconds": 60.0 + i, "seed": seed,
        }
        for seed in seeds
        for i, length in enumerate(patch_t)
        for method, gain in scores.items()
    ]  # fmt: skip


def sweep(parameter, recordings):
    return [
        {"recording": name, "method": method, parameter: value, "psnr_db": score, "ssim3d": 0.5}
        for name in recordings
        for method, value, score in (
            ("denoised", None, 20.0), ("wiener", None, 25.0), ("one", 1, 21.0), ("one", 2, "22.5"),
            ("two", 1, 23.0), ("two", 2, 24.0),
        )
    ]  # fmt: skip


def test_figures_have_their_size_and_are_drawn(tmp_path):
    for draw, size in ((draw_gains, (500, 1200)), (draw_training_time, (900, 1200))):
        image = pixels(draw(trainings(), tmp_path / "figure.png"))
        assert image.shape == (*size, 3)
        assert len(np.unique(image.reshape(-1, 3), axis=0)) > 20
    for parameter, recordings, height in (
        ("alpha", ["still"], 500),
        ("window", ["still", "drifting"], 900),
    ):
        path = draw_sweep(sweep(parameter, recordings), parameter, tmp_path / "sweep.png")
        assert pixels(path).shape == (height, 1200, 3)
    assert len(list(tmp_path.iterdir())) == 2


def test_the_same_rows_give_the_same_file(tmp_path):
    first, second = (draw_gains(trainings(), tmp_path / f"{i}.png").read_bytes() for i in range(2))
    assert first == second


def test_one_training_without_patch_t_can_be_drawn(tmp_path):
    rows = trainings(patch_t=(None,), fft=-1.0)
    for draw in (draw_gains, draw_training_time):
        assert pixels(draw(rows, tmp_path / "figure.png")).std() > 0


def test_bars_end_at_the_scores(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "freq2clean.report.study.save_figure", lambda figure, path: drawn.append(figure)
    )
    draw_gains(trainings(fft=-1.0), tmp_path / "figure.png")
    axes = drawn[0].axes[0]
    ends = {
        container.get_label(): [bar.get_y() + bar.get_height() for bar in container]
        for container in axes.containers
    }
    assert ends["fft"] == pytest.approx([19, 20, 21])
    assert ends["wiener"] == pytest.approx([25, 26, 27])
    assert ends["denoised"] == pytest.approx([20, 21, 22])
    assert not axes.collections
    hatched = {c.get_label() for c in axes.containers if c[0].get_hatch()}
    assert hatched == {"fft"}


def test_with_several_seeds_bars_end_at_means_and_lines_reach_over_the_range(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "freq2clean.report.study.save_figure", lambda figure, path: drawn.append(figure)
    )
    draw_gains(trainings(seeds=(0, 3)), tmp_path / "figure.png")
    axes = drawn[0].axes[0]
    ends = {c.get_label(): [bar.get_y() + bar.get_height() for bar in c] for c in axes.containers}
    assert ends["fft"] == pytest.approx([23.5, 24.5, 25.5])
    fft, wiener = ([path[:, 1].tolist() for path in c.get_segments()] for c in axes.collections)
    assert fft == [[22, 25], [23, 26], [24, 27]]
    assert wiener == [[25, 28], [26, 29], [27, 30]]


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("freq2clean.report.figures.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "freq2clean\[figures\]"'):
        draw_gains(trainings(), tmp_path / "figure.png")
