"""The example for SLURM asks for what it says."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "slurm.py"


def test_the_job_script_asks_for_one_worker_with_eight_cores():
    pytest.importorskip("dask_jobqueue")
    with runpy.run_path(str(EXAMPLE))["make_cluster"]() as cluster:
        lines = cluster.job_script().splitlines()
        address = cluster.scheduler_address
    assert lines[0] == "#!/usr/bin/env bash"
    assert {
        "#SBATCH -p normal",
        "#SBATCH -n 1",
        "#SBATCH --cpus-per-task=8",
        "#SBATCH --mem=15G",
        "#SBATCH -t 02:00:00",
        "#SBATCH --output=freq2clean-%j.log",
    } <= set(lines)
    worker = lines[-1].split()
    assert address in worker
    assert worker[worker.index("--nthreads") + 1] == "1"
    assert "--nworkers" not in worker or worker[worker.index("--nworkers") + 1] == "1"
