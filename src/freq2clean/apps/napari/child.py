"""One call of the pipeline in a process of its own: ``python -m freq2clean.apps.napari.child``.

The request is one line of JSON on standard input, which stays open as long as the answer is wanted;
when it closes, the work stops and tidies up. Answers are lines of JSON on standard output: progress
as often as it is made, the result at the end. What went wrong is on standard error.
"""

from __future__ import annotations

import _thread
import json
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from freq2clean.apps.failures import failures_explained

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main"]


def main() -> NoReturn:
    """Answer one request; do not wait for threads that are still at work when it is stopped."""
    answers, sys.stdout = sys.stdout, sys.stderr
    code: Any = 0
    try:
        with failures_explained():
            request = json.loads(sys.stdin.readline())
            threading.Thread(target=_stop_when_left, daemon=True).start()
            _say(answers, result=_call(request, answers))
    except SystemExit as ended:
        code = ended.code
    sys.stderr.flush()
    os._exit(code)


def _call(request: dict[str, Any], answers: TextIO) -> dict[str, Any]:
    from freq2clean import pipeline

    def progress(done: int, total: int) -> None:
        _say(answers, progress=[done, total])

    calls: dict[str, Callable[..., Any]] = {"fuse": pipeline.fuse, "inspect": pipeline.inspect}
    call = calls[request["call"]]
    result: dict[str, Any] = call(
        *request["recordings"], progress=progress, **request["options"]
    ).as_dict()
    return result


def _say(answers: TextIO, **words: Any) -> None:
    answers.write(json.dumps(words) + "\n")
    answers.flush()


def _stop_when_left() -> None:
    """Stop once nobody waits any more, also where the program that asked has died."""
    sys.stdin.read()
    if hasattr(signal, "pthread_kill"):
        main_thread = threading.main_thread().ident
        assert main_thread is not None
        signal.pthread_kill(main_thread, signal.SIGTERM)
    else:
        _thread.interrupt_main(signal.SIGTERM)


if __name__ == "__main__":
    main()
