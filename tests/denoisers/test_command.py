"""Programs of all kinds, well-behaved and not, run on a recording."""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.denoisers.suite import DenoiserSuite

from freq2clean.denoisers.command import Command
from freq2clean.errors import InputError, OutputError
from freq2clean.recordings import Metadata, create, open_recording

MOVING_AVERAGE = """
import sys
import numpy as np

recording = np.load(sys.argv[1])
sums = np.cumsum(np.pad(recording.astype(float), ((1, 0), (0, 0), (0, 0))), axis=0)
frames = np.arange(len(recording))
first, last = np.maximum(0, frames - 4), np.minimum(len(recording), frames + 5)
denoised = (sums[last] - sums[first]) / (last - first)[:, None, None]
np.save(sys.argv[2], denoised)
"""
COPY = "shutil.copy(sys.argv[1], sys.argv[2])"


def python(code: str, *arguments: str) -> str:
    """A command that runs Python code."""
    return shlex.join([sys.executable, "-c", code, *arguments])


def command(code: str, *, suffix: str = ".npy") -> Command:
    """A denoiser that runs code with the names of both files in sys.argv."""
    lines = f"import os, shutil, signal, sys, time; {code}"
    return Command(python(lines, f"{{input{suffix}}}", f"{{output{suffix}}}"))


@pytest.fixture(autouse=True)
def temporary(tmp_path_factory, monkeypatch):
    """The folder for temporary files; whatever is done, nothing stays there."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


class TestCommand(DenoiserSuite):
    denoiser = Command(python(MOVING_AVERAGE, "{input.npy}", "{output.npy}"))
    gain_db = 4.0  # it is an average of nine frames
    reads = 3  # for its mean, for the program, and to see where it is not a number


@pytest.mark.parametrize("suffix", ["", ".tif", ".h5", ".zarr", ".npy"])
def test_formats_and_what_the_program_gets(noisy, tmp_path, suffix):
    """The very frames, in their dtype, with frame rate and pixel size."""
    raw = tmp_path / "raw.tif"
    metadata = Metadata(frame_rate_hz=12.5, pixel_size_um=(0.5, 0.25))
    with create(raw, noisy.shape, noisy.dtype, metadata=metadata) as writer:
        writer.append(noisy)
    kept = tmp_path / f"kept{suffix or '.tif'}"
    code = (
        f"copy = shutil.copytree if os.path.isdir(sys.argv[1]) else shutil.copy; "
        f"copy(sys.argv[1], {str(kept)!r}); copy(sys.argv[1], sys.argv[2])"
    )
    with open_recording(raw) as recording:
        predicted = command(code, suffix=suffix).fit(recording).predict(recording)
        np.testing.assert_array_equal(predicted[:], noisy)
    assert predicted.notes == []
    with open_recording(kept) as given:
        assert given.dtype == np.uint16
        np.testing.assert_array_equal(given[:], noisy)
        if suffix in ("", ".tif"):
            assert given.metadata.frame_rate_hz == 12.5
            assert given.metadata.pixel_size_um == (0.5, 0.25)


def test_what_is_missing_is_filled_for_the_program(noisy):
    holed = noisy.copy()
    holed[20, 3] = 0
    expected = noisy.copy()
    expected[20, 3] = np.rint((noisy[19, 3].astype(float) + noisy[21, 3]) / 2)
    np.testing.assert_array_equal(command(COPY).fit(holed).predict(holed)[:], expected)


def test_a_program_runs_once_whatever_is_read(noisy, tmp_path):
    code = f"open({str(tmp_path / 'runs')!r}, 'a').write('x'); {COPY}"
    predicted = command(code).fit(noisy).predict(noisy)
    readers = [threading.Thread(target=predicted.read, args=(i, i + 5)) for i in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert predicted[:].shape == noisy.shape
    assert (tmp_path / "runs").read_text() == "x"


def test_its_folder_is_there_while_it_is_read(noisy, temporary):
    predicted = command(COPY).fit(noisy).predict(noisy)
    assert list(temporary.iterdir()) == []
    predicted.read(0, 1)
    assert len(list(temporary.iterdir())) == 1


def test_no_shell_sees_the_command(noisy, tmp_path):
    code = f"open({str(tmp_path / 'words')!r}, 'w').write(sys.argv[3]); {COPY}"
    lines = f"import shutil, sys; {code}"
    words = "$HOME; * `ls` {x} 'a' > b"
    one = Command(python(lines, "{input.npy}", "{output.npy}", words))
    one.fit(noisy).predict(noisy).read(0, 1)
    assert (tmp_path / "words").read_text() == words


def test_values_that_are_no_numbers_are_said(noisy):
    code = "import numpy as n; x = n.load(sys.argv[1]).astype('f'); x[3, 3] = n.nan; "
    predicted = command(code + "n.save(sys.argv[2], x)").fit(noisy).predict(noisy)
    assert np.isnan(predicted[:]).sum() == noisy.shape[2]
    predicted.read(2, 5)
    assert len(predicted.notes) == 1
    assert "no finite numbers" in predicted.notes[0]


FAILURES = {
    "sys.exit(3)": "failed with exit code 3$",
    "sys.exit('one\\n' * 9 + 'no GPU')": r"exit code 1; it said last: one \| one \| one \| no GPU$",
    "raise KeyError('weights')": r"exit code 1; it said last: .*KeyError: 'weights'$",
    "os.kill(os.getpid(), signal.SIGKILL)": r"was ended by SIGKILL \(out of memory, perhaps\)$",
    "os.kill(os.getpid(), signal.SIGSEGV)": "was ended by SIGSEGV$",
    "pass": "ended, but wrote no output.npy$",
    "print('skipped')": "wrote no output.npy; it said last: skipped$",
    "open(sys.argv[2], 'w').write('nonsense')": "wrote cannot be read: .*output.npy",
    "open(sys.argv[2], 'w')": r"wrote cannot be read: .* is empty",
    "import numpy; numpy.save(sys.argv[2], numpy.load(sys.argv[1])[1:])":
        "wrote 69 frames of 20 x 27 pixels, and the recording has 70 frames of 20 x 27 pixels",
    "import numpy; numpy.save(sys.argv[2], numpy.load(sys.argv[1])[..., None])":
        "(?s)wrote cannot be read",
}  # fmt: skip


@pytest.mark.parametrize("code", FAILURES)
def test_failures(noisy, code):
    with pytest.raises(InputError, match=FAILURES[code]) as raised:
        command(code).fit(noisy).predict(noisy).read(0, 1)
    assert "\n" not in str(raised.value)


def test_a_program_that_is_not_there(noisy, tmp_path):
    with pytest.raises(InputError, match="there is no program 'absent'; give its path"):
        Command("absent {input} {output}").fit(noisy)
    script = tmp_path / "script"
    script.write_text("no program")
    script.chmod(0o755)
    with pytest.raises(InputError, match="script cannot be run: Exec format error"):
        Command(f"{script} {{input}} {{output}}").fit(noisy).predict(noisy).read(0, 1)


def test_a_disk_that_is_too_small(noisy, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=0))
    with pytest.raises(OutputError, match="make room or choose another disk"):
        command(COPY).fit(noisy).predict(noisy).read(0, 1)


@pytest.mark.parametrize(
    "words",
    ["", "prog", "prog {input}", "prog {output}", "prog input output", "prog {input} {outputs}"],
)
def test_commands_without_both_files_are_refused(words):
    with pytest.raises(InputError, match=r'as in "prog \{input\} \{output\}"'):
        Command(words)


def test_commands_that_cannot_be_read():
    with pytest.raises(InputError, match="No closing quotation; mend the quotes"):
        Command("prog '{input} {output}")
    with pytest.raises(InputError, match=r"unknown format \.avi; known are \.tif"):
        Command("prog {input} {output.avi}")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("deaf", [False, True], ids=["polite", "deaf"])
def test_an_interrupt_ends_the_program_and_what_it_started(noisy, tmp_path, monkeypatch, deaf):
    monkeypatch.setattr("freq2clean.denoisers.command._SECONDS_TO_END", 0.2)
    child = "import time; time.sleep(60)"
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN); " if deaf else ""
    code = (
        f"import subprocess; {ignore}child = subprocess.Popen([sys.executable, '-c', {child!r}]); "
        f"open('{tmp_path}/new', 'w').write(f'{{os.getpid()}} {{child.pid}}'); "
        f"os.rename('{tmp_path}/new', '{tmp_path}/pids'); time.sleep(60)"
    )

    def interrupt():
        while not (tmp_path / "pids").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    predicted = command(code).fit(noisy).predict(noisy)
    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        predicted.read(0, 1)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    deadline = time.monotonic() + 5
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(alive, pids))


def test_nothing_stays_when_python_ends(noisy, temporary):
    """The recording is still held when the interpreter goes."""
    code = (
        "import shutil, sys, numpy as np; from freq2clean.denoisers.command import Command; "
        "raw = np.ones((4, 8, 8), 'u2'); "
        "held = Command('cp {input} {output}').fit(raw).predict(raw); held.read(0, 1); sys.exit(7)"
    )
    environment = os.environ | {"TMPDIR": str(temporary)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert done.returncode == 7
