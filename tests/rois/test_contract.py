"""ROIs: what they may be made of, what they say, and that a file holds all of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from freq2clean.errors import InputError, OutputError
from freq2clean.rois import Rois

LABELS = np.array([[0, 3, 3], [7, 7, 3]], np.int32)


@pytest.fixture
def rois():
    """Three overlapping ROIs with everything that a tool may say."""
    rng = np.random.default_rng(5)
    weights = rng.random((3, 4, 5)).astype(np.float32)
    weights[weights < 0.4] = 0
    return Rois.from_masks(
        weights,
        traces=rng.random((3, 7)).astype(np.float32),
        neuropil=rng.random((3, 7)).astype(np.float32),
        spikes=rng.random((3, 7)).astype(np.float32),
        probability=np.array([0.9, 0.2, 0.6], np.float32),
        is_cell=np.array([True, False, True]),
        frames=np.array([2, 5]),
        frame_labels=rng.integers(0, 4, (2, 4, 5)).astype(np.uint32),
        mean_labels=rng.integers(0, 4, (4, 5)).astype(np.uint32),
        max_labels=rng.integers(0, 4, (4, 5)).astype(np.uint32),
        tool="a tool 1.0",
        options={"frame_rate_hz": np.float64(30.0), "classifier": None},
    )


def test_a_label_image_gives_one_roi_per_number_in_their_order():
    rois = Rois.from_label_image(LABELS)
    assert len(rois) == 2
    np.testing.assert_array_equal(rois.masks(), [LABELS == 3, LABELS == 7])
    np.testing.assert_array_equal(rois.label_image(), [[0, 1, 1], [2, 2, 1]])
    assert rois.label_image().dtype == np.uint32


@given(arrays(np.uint16, (5, 6), elements=st.integers(0, 6)))
def test_labels_and_masks_are_two_sides_of_the_same(labels):
    rois = Rois.from_label_image(labels)
    np.testing.assert_array_equal(rois.label_image() > 0, labels > 0)
    np.testing.assert_array_equal(
        Rois.from_masks(rois.masks()).footprints.toarray(), rois.footprints.toarray()
    )
    numbers = np.unique(labels[labels > 0])
    for mask, number in zip(rois.masks(), numbers, strict=True):
        np.testing.assert_array_equal(mask, labels == number)


def test_where_rois_overlap_a_pixel_goes_to_the_one_it_counts_most_in():
    weights = np.array([[[2.0, 1.0, 0.0]], [[0.0, 8.0, 10.0]]], np.float32)
    rois = Rois.from_masks(weights)
    np.testing.assert_array_equal(rois.label_image(), [[1, 2, 2]])


def test_masks_of_the_core_of_an_roi():
    rois = Rois.from_masks(np.array([[[4.0, 1.0, 0.0]], [[0.1, 0.4, 0.2]]], np.float32))
    np.testing.assert_array_equal(rois.masks(), [[[1, 1, 0]], [[1, 1, 1]]])
    np.testing.assert_array_equal(rois.masks(at_least=0.5), [[[1, 0, 0]], [[0, 1, 1]]])


def test_no_rois_at_all(tmp_path):
    rois = Rois.from_label_image(np.zeros((4, 5), np.uint8))
    assert len(rois) == 0
    assert rois.masks().shape == (0, 4, 5)
    assert not rois.label_image().any()
    rois.save(tmp_path / "none.npz")
    assert len(Rois.load(tmp_path / "none.npz")) == 0


def test_an_empty_roi_among_others_is_kept():
    masks = np.zeros((3, 2, 2), bool)
    masks[0, 0, 0] = masks[2, 1, 1] = True
    rois = Rois.from_masks(masks)
    np.testing.assert_array_equal(rois.masks(), masks)
    np.testing.assert_array_equal(rois.label_image(), [[1, 0], [0, 3]])


def test_only_cells(rois):
    cells = rois.cells()
    assert len(cells) == 2
    np.testing.assert_array_equal(cells.traces, rois.traces[[0, 2]])
    np.testing.assert_array_equal(cells.footprints.toarray(), rois.footprints.toarray()[[0, 2]])
    assert cells.is_cell.all()
    plain = Rois.from_label_image(LABELS)
    assert plain.cells() is plain


def test_a_file_holds_all_of_it(rois, tmp_path):
    rois.save(tmp_path / "rois.npz")
    loaded = Rois.load(tmp_path / "rois.npz")
    assert (loaded.shape, loaded.tool) == (rois.shape, rois.tool)
    assert loaded.options == {"frame_rate_hz": 30.0, "classifier": None}
    np.testing.assert_array_equal(loaded.footprints.toarray(), rois.footprints.toarray())
    for name in (
        "traces", "neuropil", "spikes", "probability", "is_cell", "frames", "frame_labels",
        "mean_labels", "max_labels",
    ):  # fmt: skip
        ours, theirs = getattr(rois, name), getattr(loaded, name)
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    assert [file.name for file in tmp_path.iterdir()] == ["rois.npz"]


def test_what_is_not_known_stays_so(tmp_path):
    Rois.from_label_image(LABELS).save(tmp_path / "rois.npz")
    assert Rois.load(tmp_path / "rois.npz").traces is None


def without(name):
    def change(held):
        del held[name]

    return change


def outside(held):
    held["pixels"][0] = 1000


def backwards(held):
    held["starts"][1] = 1000


def words(held):
    held["about"] = np.array("{")


@pytest.mark.parametrize(
    "change", [without("about"), without("weights"), outside, backwards, words]
)
def test_damaged_files_are_refused(rois, tmp_path, change):
    file = tmp_path / "rois.npz"
    rois.save(file)
    with np.load(file) as stored:
        held = dict(stored)
    change(held)
    np.savez(file, **held)
    with pytest.raises(InputError, match=r"rois.npz holds no ROIs of freq2clean"):
        Rois.load(file)


@pytest.mark.parametrize("contents", [b"", b"no zip at all", b"PK\x03\x04 cut off"])
def test_other_files_are_refused(tmp_path, contents):
    (tmp_path / "rois.npz").write_bytes(contents)
    with pytest.raises(InputError, match="holds no ROIs"):
        Rois.load(tmp_path / "rois.npz")


def test_a_pickle_is_never_loaded(rois, tmp_path):
    np.savez(tmp_path / "rois.npz", about=np.array({"tool": "a pickle"}, dtype=object))
    with pytest.raises(InputError, match="holds no ROIs"):
        Rois.load(tmp_path / "rois.npz")


def test_a_missing_file_and_a_missing_folder(rois, tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        Rois.load(tmp_path / "rois.npz")
    with pytest.raises(OutputError, match="could not be written"):
        rois.save(tmp_path / "missing" / "rois.npz")


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"traces": np.zeros((3, 9))}, "traces of 3 ROIs, footprints of 2"),
        ({"traces": np.zeros((2, 9)), "spikes": np.zeros((2, 8))}, "frames differ in number"),
        ({"is_cell": np.zeros(1, bool)}, "is_cell of 1 ROIs"),
        ({"mean_labels": np.zeros((3, 2), np.uint32)}, "mean_labels of shape"),
        ({"frames": np.zeros(2, int)}, "frames and frame_labels differ"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(others, message):
    with pytest.raises(InputError, match=message):
        Rois.from_label_image(LABELS, **others)


@pytest.mark.parametrize(
    ("footprints", "message"),
    [
        (np.ones((1, 5)), "footprints of 5 pixels, and frames of 2 x 3"),
        (-np.ones((1, 6)), "values below 0"),
        (np.full((1, 6), np.nan), "not finite"),
    ],
)
def test_footprints_that_are_none_are_refused(footprints, message):
    with pytest.raises(InputError, match=message):
        Rois((2, 3), sparse.csr_array(footprints))


@pytest.mark.parametrize("labels", [LABELS[0], LABELS.astype(float)])
def test_labels_that_are_none_are_refused(labels):
    with pytest.raises(InputError, match=r"give whole numbers \(Y, X\)"):
        Rois.from_label_image(labels)
    with pytest.raises(InputError, match=r"give numbers \(n, Y, X\)"):
        Rois.from_masks(labels)
