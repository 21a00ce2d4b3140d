import inspect
import os
import tempfile
import threading

import ray
from ray._private.authentication import authentication_token_setup as authentication
from ray.cluster_utils import Cluster

SECONDS = 20


def outcome(function, *arguments) -> tuple[object, Exception | None]:
    """What the function returned or raised, in at most SECONDS."""
    result = [None, TimeoutError()]

    def call() -> None:
        try:
            result[:] = function(*arguments), None
        except Exception as error:
            result[:] = None, error

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return tuple(result)


def check(attempt) -> str:
    if "NotImplementedError" in attempt.on_every_node.__code__.co_names:
        raise NotImplementedError
    assert "SPREAD" not in inspect.getsource(attempt.on_every_node), (
        "SPREAD promises no node a task: name the node in each call's scheduling_strategy"
    )
    with tempfile.TemporaryDirectory(prefix="rw", dir="/tmp", ignore_cleanup_errors=True) as folder:
        os.environ["RAY_TMPDIR"] = folder
        authentication.enable_token_auth_by_default()
        authentication.ensure_token_if_auth_enabled()
        cluster = Cluster(True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        workers = [cluster.add_node(num_cpus=1) for _ in range(2)]
        cluster.remove_node(workers[0])
        ray.init(cluster.address, log_to_driver=False)
        try:
            return judge(*outcome(attempt.on_every_node, attempt.fetch))
        finally:
            ray.shutdown()
            cluster.shutdown()


def judge(ran: object, error: Exception | None) -> str:
    alive = {
        node["NodeID"]: node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]
    }
    assert not isinstance(error, TimeoutError), (
        f"no answer after {SECONDS} s: does a task ask for a CPU where there are none?"
    )
    assert not isinstance(error, ray.exceptions.TaskUnschedulableError), (
        "a task was sent where it cannot run: to a node that is gone (ray.nodes() lists those, too:"
        ' look at "Alive"), or to one with 0 CPUs (num_cpus=0)'
    )
    if error:
        raise error
    assert isinstance(ran, dict), f"return a dict by node id, not {type(ran).__name__}"
    gone = [node for node in ran if node not in alive]
    assert not gone, f"{gone[0]} is no id of a node that is alive"
    missed = [node for node in alive if ran.get(node) is None]
    assert not missed, (
        f"{len(missed)} of {len(alive)} nodes had no run, such as {missed[0][:8]} with"
        f" {alive[missed[0]]:.0f} CPUs: name the node in each call's scheduling_strategy"
    )
    assert not any(isinstance(result, ray.ObjectRef) for result in ran.values()), (
        "these are references, not results: ray.get() is missing"
    )
    assert all(ran[node] == node for node in ran), (
        "a result is filed under another node than the one it ran on:"
        " name the node in each call's scheduling_strategy"
    )
    return f"one run on each of {len(alive)} nodes, the head with 0 CPUs among them"
