from math import ceil

from ray import serve


@serve.deployment
class Service: ...


def check(attempt) -> str:
    for rate, seconds, target, lull, patience in ((20, 0.25, 4, 300, 2), (9, 0.5, 1.5, 60, 1)):
        given = attempt.options(rate, seconds, target, lull, patience)
        assert isinstance(given, dict), "options() returns no dict"
        deployment = Service.options(**given)
        scaling = deployment._deployment_config.autoscaling_config
        assert scaling, "the number of replicas is fixed: autoscaling_config"
        least, most, wanted = scaling.min_replicas, scaling.max_replicas, ceil(rate * seconds)
        assert least == 1, f"{least} replicas at night, not 1: min_replicas"
        assert most >= wanted, (
            f"{most} replicas finish {most / seconds:.0f} requests a second, and {rate} come"
        )
        assert most == wanted, f"{wanted} replicas keep up at the peak, {most} are too many"
        if scaling.target_ongoing_requests != target:
            raise AssertionError(
                f"a replica is wanted to have {scaling.target_ongoing_requests:g} requests, not"
                f" {target:g}: target_ongoing_requests (Serve ignores a name it does not know)"
            )
        assert scaling.downscale_delay_s == lull, (
            f"a replica goes after a lull of {scaling.downscale_delay_s:g} s: downscale_delay_s"
        )
        queue, fits = deployment.max_queued_requests, int(patience / seconds)
        assert queue != -1, "the queue has no limit, so nobody is turned away: max_queued_requests"
        assert queue == fits, (
            f"one replica finishes {fits} requests in {patience} s, and {queue} may wait for it"
        )
    return "as many replicas as keep up, and a queue that nobody waits in for too long"
