import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy


@ray.remote
def fetch() -> str:
    return ray.get_runtime_context().get_node_id()


def on_every_node(task) -> dict[str, object]:
    ids = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    runs = [
        task.options(
            num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)
        ).remote()
        for node in ids
    ]
    return dict(zip(ids, ray.get(runs), strict=True))
