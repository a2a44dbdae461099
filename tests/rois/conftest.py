"""A simulated recording that tools find cells in, and what makes them quick."""

import numpy as np
import pytest

from freq2clean.recordings import ArrayRecording, Metadata
from freq2clean.simulation import simulate


@pytest.fixture(scope="session")
def simulated():
    """600 frames of 96 x 96 pixels with eleven cells, as bright as its noise."""
    return simulate((600, 96, 96), seed=11, snr_db=0.0, frame_rate_hz=10.0)


@pytest.fixture(scope="session")
def matched():
    """For each true mask, the index of the best ROI and their IoU."""

    def match(rois, masks):
        found = rois.masks().reshape(len(rois), -1).astype(np.float32)
        true = masks.reshape(len(masks), -1).astype(np.float32)
        both = true @ found.T
        either = true.sum(axis=1)[:, None] + found.sum(axis=1) - both
        iou = both / np.maximum(either, 1)
        return iou.argmax(axis=1), iou.max(axis=1)

    return match


@pytest.fixture
def recording():
    """A recording of any array, with a frame rate unless it is not to say one."""

    def make(array, frame_rate_hz=10.0):
        return ArrayRecording(np.asarray(array), metadata=Metadata(frame_rate_hz))

    return make


@pytest.fixture(autouse=True, scope="session")
def _one_thread(one_thread):
    """All of these tests."""
