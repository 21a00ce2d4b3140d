from math import ceil


def options(rate: float, seconds: float, target: float, lull: float, patience: float) -> dict:
    most = ceil(rate * seconds)
    size = dict(min_replicas=1, max_replicas=most, target_ongoing_requests=target)
    scaling = size | dict(downscale_delay_s=lull)
    return dict(autoscaling_config=scaling, max_queued_requests=int(patience / seconds))
