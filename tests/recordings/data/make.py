"""Make the stores of this folder, with libraries that no test environment can have at once.

hdmf-zarr asks for zarr 2, ome-zarr for an earlier pydantic. Each part in an environment of its own:
``pip install ome-zarr && python make.py ome``, ``pip install hdmf-zarr && python make.py nwb``.
"""

import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
PIXELS = np.arange(7 * 2 * 3 * 12 * 10, dtype=np.uint16).reshape(7, 2, 3, 12, 10)
"""Time, channel, plane, row, column."""


def packed(store: Path) -> None:
    shutil.make_archive(str(store), "zip", store)
    shutil.rmtree(store)


def ome() -> None:
    import zarr
    from ome_zarr.format import FormatV04, FormatV05
    from ome_zarr.writer import write_image

    for fmt in (FormatV04(), FormatV05()):
        store = HERE / f"ome-{fmt.version}.zarr"
        group = zarr.open_group(store, mode="w", zarr_format=2 if fmt.version == "0.4" else 3)
        write_image(
            PIXELS,
            group,
            axes="tczyx",
            fmt=fmt,
            scale_factors=[2],
            scale={"t": 40.0, "c": 1.0, "z": 2.0, "y": 0.5, "x": 0.25},
            axes_units={"t": "millisecond", **dict.fromkeys("zyx", "micrometer")},
        )
        packed(store)


def nwb() -> None:
    from hdmf_zarr import NWBZarrIO
    from pynwb import NWBFile
    from pynwb.ophys import OpticalChannel, TwoPhotonSeries

    file = NWBFile("a session", "an identifier", datetime(2026, 1, 1, tzinfo=UTC))
    plane = file.create_imaging_plane(
        name="ImagingPlane",
        optical_channel=OpticalChannel(name="green", description="GCaMP", emission_lambda=525.0),
        description="layer 2/3",
        device=file.create_device(name="Microscope"),
        excitation_lambda=920.0,
        indicator="GCaMP6s",
        location="V1",
        grid_spacing=[0.25e-6, 0.5e-6],
        grid_spacing_unit="meters",
    )
    frames = PIXELS[:, 0, 0].transpose(0, 2, 1)
    for name, values in (("Green", frames), ("Red", frames + 1)):
        file.add_acquisition(
            TwoPhotonSeries(name=name, data=values, imaging_plane=plane, rate=25.0, unit="a.u.")
        )
    with NWBZarrIO(str(HERE / "session.nwb.zarr"), "w") as io:
        io.write(file)
    packed(HERE / "session.nwb.zarr")


{"ome": ome, "nwb": nwb}[sys.argv[1]]()
