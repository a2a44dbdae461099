"""Whether the installed package has each file that git has of it, and the sources' version."""

import runpy
import subprocess
from importlib.metadata import distribution
from pathlib import Path

SOURCE = Path("src/freq2clean")

tracked = subprocess.run(
    ["git", "ls-files", SOURCE], capture_output=True, text=True, check=True
).stdout.splitlines()
installed = distribution("freq2clean")
place = Path(installed.locate_file("freq2clean"))
lacking = [
    name
    for name in tracked
    if not (there := place / Path(name).relative_to(SOURCE)).is_file()
    or there.read_bytes() != Path(name).read_bytes()
]
if lacking or not tracked:
    raise SystemExit(f"{place} lacks, or has otherwise: {', '.join(lacking) or 'everything'}")
version = runpy.run_path(str(SOURCE / "version.py"))["__version__"]
if installed.version != version:
    raise SystemExit(f"{installed.version} is installed; the sources are {version}")
print(f"{len(tracked)} files of freq2clean {version} are installed")
