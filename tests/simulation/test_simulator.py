"""The simulated recording as a whole: determinism, blocks, SNR, truth, masks, traces, motion."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freq2clean.errors import InputError
from freq2clean.simulation import simulate

SHAPE = (40, 48, 56)


def measured_snr_db(simulated):
    offset = simulated.raw.metadata.provenance["simulated"]["offset"]
    signal = simulated.truth[:].astype(np.float64) - offset
    noise = simulated.raw[:] - simulated.truth[:].astype(np.float64)
    return 10 * np.log10(np.sum(signal**2) / np.sum(noise**2))


def test_the_same_seed_gives_the_same_recording():
    first, again = simulate(SHAPE, seed=5), simulate(SHAPE, seed=5)
    np.testing.assert_array_equal(first.raw[:], again.raw[:])
    np.testing.assert_array_equal(first.truth[:], again.truth[:])
    np.testing.assert_array_equal(first.traces, again.traces)


def test_another_seed_gives_other_tissue_and_noise():
    first, other = simulate(SHAPE, seed=5), simulate(SHAPE, seed=6)
    means = [s.truth[:].mean(axis=0).ravel() for s in (first, other)]
    assert abs(np.corrcoef(means)[0, 1]) < 0.5


@pytest.mark.parametrize("motion", [{}, {"drift_px": 6.0, "jitter_px": 0.3, "bleed": 0.3}])
def test_any_blocks_equal_the_whole(motion):
    simulated = simulate((70, 40, 32), seed=2, **motion)
    raw, truth = simulated.raw[:], simulated.truth[:]

    @settings(max_examples=15)
    @given(st.lists(st.integers(0, 70), max_size=5))
    def holds(cuts):
        edges = [0, *sorted(cuts), 70]
        for whole, lazy in ((raw, simulated.raw), (truth, simulated.truth)):
            blocks = [lazy.read(a, b) for a, b in pairwise(edges)]
            np.testing.assert_array_equal(np.concatenate(blocks), whole)

    holds()


def test_what_it_offers_fits_together(recording):
    n_frames, rows, columns = recording.raw.shape
    n_cells = len(recording.traces)
    assert n_cells > 5
    assert recording.raw.dtype == recording.raw[:1].dtype == np.uint16
    assert recording.truth.dtype == recording.truth[:1].dtype == np.float32
    assert recording.traces.shape == recording.spikes.shape == (n_cells, n_frames)
    assert recording.masks.shape == (n_cells, rows, columns)
    assert recording.footprints.shape == (n_cells, rows * columns)
    assert recording.shifts_px.shape == (n_frames, 2)
    assert not recording.shifts_px.any()
    mean = (recording.truth[:].mean(dtype=np.float64) - 20) / 100
    assert recording.photons_per_pixel == pytest.approx(mean, rel=1e-4)


def test_metadata_says_how_it_was_made(recording):
    metadata = recording.raw.metadata
    assert metadata.frame_rate_hz == 30.0
    assert metadata.pixel_size_um == (1.0, 1.0)
    made = json.loads(json.dumps(metadata.provenance))["simulated"]
    options = {k: v for k, v in made.items() if k not in ("shape", "seed")}
    again = simulate(tuple(made["shape"]), seed=made["seed"], **options)
    np.testing.assert_array_equal(again.raw[7:9], recording.raw[7:9])


@pytest.mark.parametrize("snr_db", [-12.0, -5.5, 0.0, 6.0, 12.0])
def test_the_snr_is_the_one_asked_for(snr_db):
    simulated = simulate((200, 64, 64), seed=11, snr_db=snr_db)
    assert measured_snr_db(simulated) == pytest.approx(snr_db, abs=0.1)


@pytest.mark.parametrize(
    "options",
    [
        {"drift_px": 20.0, "jitter_px": 0.5},
        {"read_noise": 50.0, "offset": 300.0},
        {"bleaching": 0.6, "bleed": 0.5},
        {"gain": 1.0, "read_noise": 0.0},
    ],
)
def test_the_snr_holds_with_every_defect(options):
    simulated = simulate((200, 64, 64), seed=12, **options)
    assert measured_snr_db(simulated) == pytest.approx(-5.5, abs=0.1)


def test_snr_fixes_the_signal_weighted_photons_of_pure_poisson_noise():
    simulated = simulate((200, 64, 64), seed=4, read_noise=0.0)
    photons = (simulated.truth[:].astype(np.float64) - 20) / 100
    assert np.sum(photons**2) / np.sum(photons) == pytest.approx(0.282, rel=0.01)


def test_noise_has_no_mean_and_the_variance_of_photons_and_electronics():
    simulated = simulate(
        (600, 48, 48), seed=8, snr_db=0.0, gain=20.0, read_noise=15.0, offset=100.0
    )
    truth = simulated.truth[:].astype(np.float64)
    noise = simulated.raw[:] - truth
    expected = 20.0 * (truth - 100) + 15.0**2 + 1 / 12
    assert abs(noise.mean()) < 4 * noise.std() / np.sqrt(noise.size)
    for low, high in ((0, 0.3), (0.3, 0.7), (0.7, 0.95), (0.95, 1)):
        edges = np.quantile(truth, (low, high))
        chosen = (truth >= edges[0]) & (truth < edges[1])
        assert np.mean(noise[chosen] ** 2) == pytest.approx(expected[chosen].mean(), rel=0.03)


def test_noise_is_new_in_every_frame(recording):
    truth = recording.truth[:].astype(np.float64)
    noise = (recording.raw[:] - truth) / np.sqrt(truth - 20 + 1)
    flat = noise.reshape(len(noise), -1)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    correlation = flat @ flat.T
    np.fill_diagonal(correlation, 0)
    assert np.abs(correlation).max() < 6 / np.sqrt(flat.shape[1])
    by_lag = [np.diagonal(correlation, lag).mean() for lag in range(1, 390)]
    errors = [5 / np.sqrt(flat.shape[1] * (len(noise) - lag)) for lag in range(1, 390)]
    assert np.all(np.abs(by_lag) < errors)


@pytest.mark.parametrize("bleed", [0.0, 0.4])
def test_bleed_correlates_neighbours_of_a_row_and_nothing_else(bleed):
    simulated = simulate((300, 48, 48), seed=9, bleed=bleed, cell_density_per_mm2=0.0)
    noise = simulated.raw[:] - simulated.truth[:].astype(np.float64)
    power = np.mean(noise**2)
    along = np.mean(noise[:, :, 1:] * noise[:, :, :-1]) / power
    beyond = np.mean(noise[:, :, 2:] * noise[:, :, :-2]) / power
    across = np.mean(noise[:, 1:] * noise[:, :-1]) / power
    assert along == pytest.approx(bleed / (1 + bleed**2), abs=0.02)
    assert abs(beyond) < 0.01
    assert abs(across) < 0.01


def test_bleaching_dims_the_last_frame_by_the_share_asked_for():
    faded, steady = (
        simulate((50, 48, 48), seed=1, snr_db=6.0, bleaching=b).truth[:] - 20 for b in (0.4, 0.0)
    )
    ratio = (faded / steady).mean(axis=(1, 2))
    np.testing.assert_allclose(ratio / ratio[0], 0.6 ** np.linspace(0, 1, 50), rtol=1e-3)


def test_drift_moves_the_tissue_by_the_pixels_asked_for():
    from skimage.registration import phase_cross_correlation

    simulated = simulate((200, 96, 96), seed=13, drift_px=9.0, bleaching=0.0)
    assert np.hypot(*(simulated.shifts_px[-1] - simulated.shifts_px[0])) == pytest.approx(9.0)
    truth = simulated.truth[:]
    found, _, _ = phase_cross_correlation(truth[0], truth[-1], upsample_factor=20)
    np.testing.assert_allclose(-found, simulated.shifts_px[-1] - simulated.shifts_px[0], atol=0.3)


def test_motion_leaves_the_tissue_itself_as_it_was():
    still, moved = (simulate((20, 64, 64), seed=21, drift_px=d) for d in (0.0, 8.0))
    np.testing.assert_array_equal(still.labels, moved.labels)
    np.testing.assert_array_equal(still.traces, moved.traces)


def test_traces_are_those_of_the_truth_over_the_masks():
    simulated = simulate((900, 128, 128), seed=17, bleaching=0.0)
    light = simulated.truth[:].reshape(900, -1) - 20
    active = [i for i, trace in enumerate(simulated.traces) if trace.std() > 0.3]
    assert len(active) >= 3
    found = [light[:, simulated.masks[cell].ravel()].mean(axis=1) for cell in active]
    correlation = [
        np.corrcoef(over_mask, simulated.traces[cell])[0, 1]
        for over_mask, cell in zip(found, active, strict=True)
    ]
    assert min(correlation) > 0.75
    assert np.median(correlation) > 0.97


def test_masks_cover_the_somata_of_the_footprints(recording):
    areas = recording.masks.sum(axis=(1, 2))
    radii_um = np.sqrt(areas / np.pi)
    assert np.all(areas > 0)
    assert 3.5 < np.median(radii_um) < 7.5
    assert recording.labels.max() == len(areas)
    np.testing.assert_array_equal(recording.masks.sum(axis=0), recording.labels > 0)
    light = recording.footprints.toarray()
    masks = recording.masks.reshape(len(areas), -1)
    inside = np.array([row[mask].mean() for row, mask in zip(light, masks, strict=True)])
    outside = np.array([row[~mask].mean() for row, mask in zip(light, masks, strict=True)])
    assert np.all(inside > 20 * outside)


def test_light_is_sparse_bright_and_finely_structured(recording):
    light = recording.truth[:] - 20
    median, bright = np.quantile(light, (0.5, 0.999))
    assert light.min() > 0
    assert bright > 5 * median
    mean = light.mean(axis=0)
    power = np.abs(np.fft.rfft2(mean - mean.mean())) ** 2
    radius = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.rfftfreq(112))
    assert power[radius > 0.25].sum() > 0.005 * power.sum()


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 20, 30), (3, 1, 50), (5, 7, 5)])
def test_the_smallest_recordings(shape):
    simulated = simulate(shape, seed=0, drift_px=2.0)
    assert simulated.raw[:].shape == simulated.truth[:].shape == shape
    assert np.isfinite(simulated.truth[:]).all()
    assert simulated.masks.shape == (len(simulated.traces), *shape[1:])


@pytest.mark.parametrize(
    "options", [{"pixel_size_um": 0.3}, {"pixel_size_um": 4.0}, {"soma_diameter_um": 30.0}]
)
def test_other_scales(options):
    simulated = simulate((30, 64, 64), seed=2, **options)
    assert np.isfinite(simulated.truth[:]).all()
    assert measured_snr_db(simulated) == pytest.approx(-5.5, abs=0.15)


def test_without_cells_there_are_no_masks():
    simulated = simulate((10, 32, 32), seed=0, cell_density_per_mm2=0.0)
    assert simulated.masks.shape == (0, 32, 32)
    assert simulated.traces.shape == (0, 10)
    assert simulated.raw[:].std() > 0


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((0, 8, 8), {}, r"shape=\(0, 8, 8\): must be three whole numbers above 0"),
        ((8, 8), {}, "shape="),
        ((4.0, 8, 8), {}, "shape="),
        (SHAPE, {"seed": -1}, "seed=-1: must be a whole number, 0 or more"),
        (SHAPE, {"seed": 1.5}, "seed=1.5"),
        (SHAPE, {"frame_rate_hz": -30.0}, "frame_rate_hz=-30.0: must be a number from 0.1 to 1000"),
        (SHAPE, {"snr_db": float("nan")}, "snr_db=nan: must be a number from -40 to 60"),
        (SHAPE, {"snr_db": float("inf")}, "snr_db=inf"),
        (SHAPE, {"snr_db": "high"}, "snr_db=high"),
        (SHAPE, {"bleaching": 1.0}, "bleaching=1.0: must be a number from 0 to 0.99"),
        (SHAPE, {"bleed": 1.5}, "bleed=1.5"),
        (SHAPE, {"drift_px": -1.0}, "drift_px=-1.0"),
        (SHAPE, {"gain": 0.0}, "gain=0.0"),
        (SHAPE, {"read_noise": 9.0}, "offset=20.0: counts below 0 would be clipped; use at least"),
        (SHAPE, {"bleed": 0.5, "offset": 0.0, "read_noise": 0.0}, "use at least 10"),
        (SHAPE, {"snr_db": 40.0}, "16 bits hold 65535; divide the gain by"),
    ],
)
def test_what_cannot_be_simulated_is_refused(shape, options, message):
    with pytest.raises(InputError, match=message):
        simulate(shape, **{"seed": 1, **options})


@pytest.mark.slow
def test_a_long_recording_streams_in_little_memory():
    import tracemalloc

    simulated = simulate((6000, 512, 512), seed=1)
    tracemalloc.start()
    for start in range(0, 6000, 1200):
        assert simulated.raw.read(start, start + 16).shape == (16, 512, 512)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * 2**20
