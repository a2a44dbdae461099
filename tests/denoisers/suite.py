"""What every denoiser keeps to: a test class of each inherits `DenoiserSuite`."""

import json
import pickle
from dataclasses import fields

import numpy as np
import pytest

from freq2clean.denoisers.contract import Denoiser
from freq2clean.errors import InputError, MissingExtraError, OutputError
from freq2clean.recordings.contract import Metadata, Recording
from freq2clean.simulation.simulator import simulate


class CountingRecording(Recording):
    """An array that counts the frames read from it."""

    def __init__(self, array):
        self.name, self.shape, self.dtype = "counted.tif", array.shape, array.dtype
        self.metadata = Metadata(frame_rate_hz=30.0, pixel_size_um=(1.0, 2.0))
        self._array = array
        self.n_read = 0

    def _read(self, start, stop):
        self.n_read += stop - start
        return self._array[start:stop]


def close(a, b, recording):
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * float(np.ptp(recording.astype(float))))


class DenoiserSuite:
    """Set ``denoiser`` to one that fits in well under a second.

    Whoever asks for less than these says why.
    """

    denoiser: Denoiser
    gain_db = 8.0
    mean_within = 2e-3
    reads = 1  # of the recording, to predict any part of it

    @pytest.fixture(name="denoiser")
    def denoiser_fixture(self):
        return self.denoiser

    @pytest.fixture
    def thorough(self, denoiser):
        """What is to reach the gain on the simulated recordings."""
        return denoiser

    def test_prediction_is_a_lazy_float32_recording(self, denoiser, noisy):
        source = CountingRecording(noisy)
        model = denoiser.fit(source)
        source.n_read = 0
        predicted = model.predict(source)
        assert source.n_read == 0
        assert (predicted.shape, predicted.dtype) == (noisy.shape, np.float32)
        assert predicted.metadata.frame_rate_hz == 30.0
        assert predicted.metadata.pixel_size_um == (1.0, 2.0)
        assert predicted.metadata.provenance["denoiser"] == denoiser.name
        json.dumps(predicted.metadata.provenance)
        block = predicted.read(30, 33)
        assert (block.shape, block.dtype) == ((3, 20, 27), np.float32)
        assert 0 < source.n_read <= self.reads * noisy.shape[0]

    @pytest.mark.parametrize("length", [1, 7, 64, 69])
    def test_any_blocking_equals_the_whole(self, denoiser, noisy, length):
        predicted = denoiser.fit(noisy).predict(noisy)
        whole = predicted[:]
        pieces = [predicted[i : i + length] for i in range(0, len(noisy), length)]
        close(np.concatenate(pieces), whole, noisy)

    def test_blocking_of_a_recording_with_holes(self, denoiser, noisy):
        holed = noisy.astype(np.float32)
        holed[10:14, 5] = 0
        holed[20, 3:6, 4:9] = np.nan
        holed[33] = 0
        predicted = denoiser.fit(holed).predict(holed)
        whole = predicted[:]
        pieces = np.concatenate([predicted[i : i + 9] for i in range(0, len(holed), 9)])
        assert np.array_equal(np.isnan(whole), np.isnan(holed))
        assert np.array_equal(np.isnan(pieces), np.isnan(holed))
        close(np.nan_to_num(pieces), np.nan_to_num(whole), noisy)

    def test_noise_falls_on_a_simulated_recording(self, thorough, simulated, psnr):
        raw, truth = simulated
        denoised = thorough.fit(raw).predict(raw)[:]
        assert psnr(truth, denoised) > psnr(truth, raw) + self.gain_db
        assert abs(denoised.mean() - raw.mean()) < self.mean_within * raw.mean()

    def test_scale_and_offset_of_the_recording_change_nothing_else(self, denoiser, noisy):
        plain = denoiser.fit(noisy).predict(noisy)[:]
        other = noisy.astype(np.float32) * 0.25 + 3000
        changed = denoiser.fit(other).predict(other)[:]
        np.testing.assert_allclose(changed, plain * 0.25 + 3000, atol=0.05)

    @pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32, np.float64])
    def test_dtypes_agree(self, denoiser, noisy, dtype):
        small = noisy // 8
        as_integers = denoiser.fit(small).predict(small)[:]
        converted = small.astype(dtype)
        assert np.array_equal(converted, small)
        close(denoiser.fit(converted).predict(converted)[:], as_integers, small)

    def test_big_endian_input(self, denoiser, noisy):
        swapped = noisy.astype(">u2")
        close(
            denoiser.fit(swapped).predict(swapped)[:], denoiser.fit(noisy).predict(noisy)[:], noisy
        )

    def test_read_only_input_is_left_as_it_is(self, denoiser, noisy):
        frozen = noisy.astype(np.float32)
        frozen[5, 5] = np.nan
        before = frozen.copy()
        frozen.flags.writeable = False
        denoiser.fit(frozen).predict(frozen)[:]
        np.testing.assert_array_equal(frozen, before)

    @pytest.mark.parametrize("value", [0, 7, 60000])
    def test_constant_recording_is_unchanged(self, denoiser, value):
        constant = np.full((40, 18, 21), value, np.uint16)
        denoised = denoiser.fit(constant).predict(constant)[:]
        np.testing.assert_allclose(denoised, value, rtol=1e-6)

    def test_one_frame_comes_back(self, denoiser, noisy):
        frame = noisy[:1]
        if denoiser.least_frames > 1:
            with pytest.raises(InputError, match="two or more"):
                denoiser.fit(frame)
            denoised = denoiser.fit(noisy).predict(frame)[:]
            assert denoised.shape == frame.shape
            assert denoised.mean() == pytest.approx(frame.mean(), rel=0.05)
            return
        np.testing.assert_array_equal(denoiser.fit(frame).predict(frame)[:], frame)

    @pytest.mark.parametrize("shape", [(2, 20, 20), (3, 9, 40), (40, 3, 5), (30, 1, 1), (5, 1, 50)])
    def test_small_recordings(self, denoiser, shape):
        rng = np.random.default_rng(3)
        recording = rng.normal(500, 20, shape).astype(np.float32)
        denoised = denoiser.fit(recording).predict(recording)[:]
        assert denoised.shape == shape
        assert np.isfinite(denoised).all()
        assert denoised.std() < recording.std()

    def test_dropped_lines_are_filled(self, denoiser, noisy, psnr):
        dropped = noisy.copy()
        for t in range(len(dropped)):
            dropped[t, (7 * t) % 20] = 0
        whole = denoiser.fit(noisy).predict(noisy)[:]
        filled = denoiser.fit(dropped).predict(dropped)[:]
        t = np.arange(len(dropped))
        lines, expected = filled[t, (7 * t) % 20], whole[t, (7 * t) % 20]
        assert abs(lines.mean() - expected.mean()) < 0.01 * expected.mean()
        assert np.abs(lines - expected).mean() < 0.3 * noisy.std(axis=0).mean()
        assert np.abs(filled - whole).mean() < 0.1 * noisy.std(axis=0).mean()

    def test_a_pixel_that_is_never_a_number_stays_so(self, denoiser, noisy):
        masked = noisy.astype(np.float32)
        masked[:, 4, 9] = np.nan
        masked[:, :, 26] = np.inf
        denoised = denoiser.fit(masked).predict(masked)[:]
        assert np.array_equal(np.isnan(denoised), ~np.isfinite(masked))
        whole = denoiser.fit(noisy).predict(noisy)[:]
        seen = np.isfinite(masked)
        assert np.abs(denoised - whole)[seen].mean() < 0.2 * noisy.std(axis=0).mean()

    def test_nothing_but_nan_is_refused(self, denoiser):
        nothing = np.full((12, 16, 16), np.nan, np.float32)
        with pytest.raises(InputError, match="not a single value of the recording is a finite num"):
            denoiser.fit(nothing).predict(nothing)[:]

    def test_progress_ends_at_the_total(self, denoiser, noisy):
        seen = []
        denoiser.fit(noisy, progress=lambda done, total: seen.append((done, total)))
        assert seen
        assert seen == sorted(seen)
        assert seen[-1][0] == seen[-1][1]

    @pytest.mark.parametrize(
        "bad",
        [
            np.zeros((5, 5)),
            np.zeros((5, 5, 5, 3)),
            np.zeros((0, 5, 5)),
            np.zeros((5, 5, 5), complex),
            np.zeros((5, 5, 5), bool),
        ],
    )
    def test_what_is_no_recording_is_refused(self, denoiser, bad):
        with pytest.raises(InputError, match="cannot be denoised; give"):
            denoiser.fit(bad)

    def test_a_saved_model_predicts_the_same(self, denoiser, noisy, tmp_path):
        model = denoiser.fit(noisy)
        model.save(tmp_path / "model")
        loaded = type(denoiser).load(tmp_path / "model")
        assert loaded.denoiser == denoiser
        assert loaded.findings == model.findings
        np.testing.assert_array_equal(loaded.predict(noisy)[:], model.predict(noisy)[:])
        assert [file.name for file in tmp_path.iterdir()] == ["model"]

    def test_a_model_that_cannot_be_written(self, denoiser, noisy, tmp_path):
        model = denoiser.fit(noisy)
        with pytest.raises(OutputError, match="could not be written"):
            model.save(tmp_path / "nowhere" / "model")

    @pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99])
    def test_a_damaged_model_is_refused(self, denoiser, noisy, tmp_path, kept):
        path = tmp_path / "model"
        denoiser.fit(noisy).save(path)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(kept * len(whole)) if kept < 1 else kept])
        with pytest.raises(InputError, match="give"):
            type(denoiser).load(path)

    def test_a_pickle_is_refused_and_not_run(self, denoiser, tmp_path):
        path, trace = tmp_path / "model", tmp_path / "trace"

        class Harmful:
            def __reduce__(self):
                return open, (str(trace), "w")

        path.write_bytes(pickle.dumps({"about": Harmful()}))
        with pytest.raises(InputError, match="give"):
            type(denoiser).load(path)
        assert not trace.exists()

    def test_a_file_that_is_not_there(self, denoiser, tmp_path):
        with pytest.raises(InputError, match="no such file"):
            type(denoiser).load(tmp_path / "model")

    def test_options_that_were_fixed_by_fitting_are_refused(self, denoiser, noisy, tmp_path):
        denoiser.fit(noisy).save(tmp_path / "model")
        own = [f.name for f in fields(denoiser) if f.name not in denoiser.prediction_options]
        with pytest.raises(InputError, match=f"{own[0]}: fixed when {denoiser.name} was fitted"):
            type(denoiser).load(tmp_path / "model", **{own[0]: 8})

    def test_missing_libraries_are_named_with_their_extra(self, denoiser, noisy, monkeypatch):
        if not denoiser.needs:
            denoiser.check_installed()
            return
        monkeypatch.setattr("freq2clean.denoisers.contract.find_spec", lambda name: None)
        with pytest.raises(MissingExtraError, match=rf"freq2clean\[{denoiser.extra}\]"):
            denoiser.fit(noisy)
        with pytest.raises(MissingExtraError, match=rf"freq2clean\[{denoiser.extra}\]"):
            type(denoiser).load("model")


class TrainedSuite(DenoiserSuite):
    """For networks: set ``learning`` to one that is trained long enough to be of use."""

    learning: Denoiser
    gain_db = 6.0  # after a hundred patches
    reads = 5  # the mean, the noise and the scale are measured first

    @pytest.fixture
    def thorough(self):
        return self.learning

    @pytest.fixture(params=[-5.5, pytest.param(6.0, marks=pytest.mark.slow)])
    def simulated(self, request):
        recording = simulate((200, 32, 48), seed=11, snr_db=request.param)
        return recording.raw[:], recording.truth[:]
