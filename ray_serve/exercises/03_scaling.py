"""Exercise 3: how many replicas, and how long a queue?

A replica works on one request at a time and takes SECONDS for it. At the peak RATE requests come
in a second; at night none. Return the options of the deployment, for Digits.options(**options(..)):

- 1 replica at night, and at the peak as many as it takes to keep up;
- another replica when those that are up have more than TARGET requests each;
- a lull shorter than LULL seconds takes no replica away;
- who would wait longer than PATIENCE seconds in the queue, even while only one replica is up, is
  turned away at once.

    make check EX=ray_serve/03
"""


def options(rate: float, seconds: float, target: float, lull: float, patience: float) -> dict:
    raise NotImplementedError("dict(autoscaling_config=.., max_queued_requests=..)")
