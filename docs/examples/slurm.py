"""Fuse on a cluster that SLURM runs: one worker per job, each with eight cores.

pip install "freq2clean[dask]" dask-jobqueue
python slurm.py /shared/raw.zarr /shared/denoised.zarr /shared/fused.zarr
"""

from __future__ import annotations

import sys

from dask_jobqueue import SLURMCluster

from freq2clean import fuse


def make_cluster() -> SLURMCluster:
    """Workers do one task at a time, and each task uses all cores of its job."""
    return SLURMCluster(
        queue="normal",
        walltime="02:00:00",
        processes=1,
        cores=1,
        job_cpu=8,
        memory="16GB",
        job_extra_directives=["--output=freq2clean-%j.log"],
        scheduler_options={"dashboard_address": ":0"},
    )


def main(raw: str, denoised: str, out: str) -> None:
    with make_cluster() as cluster:
        cluster.scale(jobs=64)
        result = fuse(
            raw,
            denoised,
            out=out,
            scheduler=cluster.scheduler_address,
            memory="4GB",
            progress=print,
        )
    print(*result.notes, sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
