"""Ending a program together with everything that it started."""

import contextlib
import os
import signal
import time

import psutil


def members(session: int) -> list[psutil.Process]:
    """The live processes of a session (as of setsid), the caller's own apart."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return [process for process in found if process.pid != os.getpid()]


def end_session(session: int, grace: float = 5.0) -> None:
    """Ends all processes of a session: SIGINT to its leader, after grace seconds SIGKILL to all."""
    if session == os.getsid(0):
        raise ValueError("this would end the caller itself")
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(session, signal.SIGINT)
    deadline = time.monotonic() + grace
    while members(session) and time.monotonic() < deadline:
        time.sleep(0.1)
    while left := members(session):
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=1)
