"""Machines that a lesson may lose: each is the processes of one `ray start` on this machine."""

import atexit
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

import ray
from ray.data._internal.cluster_autoscaler import default_autoscaling_coordinator as coordinator

SECONDS = 60


class Coordinator(coordinator._AutoscalingCoordinatorActor):
    TICK_INTERVAL_S = 1


def look_every_second() -> None:
    """Ray Train hears of lost and new machines every second, not every 20.

    Ray 2.60 has no setting for it. The actor that looks is found by name, and a private class: it
    is started here, a little changed, before Ray Train would start it. Call this after ray.init().
    """
    name = "AutoscalingCoordinator"
    options = dict(name=name, namespace=name, lifetime="detached", num_cpus=0, max_restarts=-1)
    ray.remote(Coordinator).options(**options).remote()


class Machine:
    """A machine with one CPU, and with the GPU of that number, in the cluster of this program."""

    def __init__(self, gpu: int | None = None) -> None:
        self.gpu = gpu
        here = dict(dir=ray.get_runtime_context().get_temp_dir(), prefix="m")
        self.folder = tempfile.TemporaryDirectory(**here, ignore_cleanup_errors=True)
        atexit.register(self.lose)
        self.start()

    def start(self) -> None:
        """Joins the cluster, and returns when it belongs to it."""
        before, address = ray.cluster_resources(), ray.get_runtime_context().gcs_address
        gpus = f"--num-gpus={int(self.gpu is not None)}"
        command = [Path(sys.executable).with_name("ray"), "start", "--block", "--num-cpus=1", gpus]
        # There `ray start` writes down the address for every later ray.init(): not where they look
        folder, env = f"--temp-dir={self.folder.name}", os.environ.copy()
        if self.gpu is not None:
            env["CUDA_VISIBLE_DEVICES"] = str(self.gpu)
        self.process = psutil.Popen(
            [*command, f"--address={address}", folder, "--include-log-monitor=false"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=env,
        )
        deadline = time.monotonic() + SECONDS
        while ray.cluster_resources().get("CPU", 0) <= before.get("CPU", 0):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("`ray start` did not bring a machine into the cluster")
            time.sleep(0.1)

    def lose(self) -> None:
        """Kills all of its processes without notice, as a power cut would."""
        with contextlib.suppress(psutil.Error):
            for process in [*self.process.children(recursive=True), self.process]:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            self.process.wait()
