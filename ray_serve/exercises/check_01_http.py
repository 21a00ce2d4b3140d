import inspect

from fastapi import HTTPException

from ray import serve
from ray.serve import Application
from ray.serve._private.http_util import ASGIAppReplicaWrapper

TEXT, WORDS = "The cat sat on the mat and it is a happy cat", 5  # cat sat mat happy cat


class Watched(list):
    """Stop words that count how often somebody goes through them."""

    reads = 0

    def __iter__(self):
        Watched.reads += 1
        return super().__iter__()

    def __contains__(self, word):
        Watched.reads += 1
        return super().__contains__(word)


def check(attempt) -> str:
    attempt.service.__globals__["STOP_WORDS"] = Watched(attempt.STOP_WORDS)
    service = attempt.service()
    assert isinstance(service, Application), "service() returns no Application: .bind()"
    deployment = service._bound_deployment
    assert deployment.name == "WordCount", f"the class is {deployment.name}, not WordCount"
    assert deployment.num_replicas == 2, f"num_replicas is {deployment.num_replicas}, not 2"
    cpus = deployment.ray_actor_options.get("num_cpus", 1)
    assert cpus == 0.5, f'a replica takes {cpus} CPUs: ray_actor_options={{"num_cpus": 0.5}}'
    kind = deployment.func_or_class
    assert isinstance(kind, type) and issubclass(kind, ASGIAppReplicaWrapper), (
        "FastAPI's routes are not served: @serve.ingress(app) under @serve.deployment"
    )
    operation = attempt.app.openapi()["paths"].get("/count", {}).get("post")
    assert operation, 'there is no POST /count: @app.post("/count") in the class'
    name = operation["summary"].lower().replace(" ", "_")  # FastAPI makes it of the method's name

    method = inspect.unwrap(getattr(kind, name))  # a class outside of service() has its own globals
    method.__globals__["STOP_WORDS"] = attempt.service.__globals__["STOP_WORDS"]
    handle = serve.run(service, _local_testing_mode=True)
    count = getattr(handle, name).remote
    before = Watched.reads
    said = count(attempt.Text(id=7, text=TEXT)).result()
    assert isinstance(said, attempt.Count), f"it answers with a {type(said).__name__}, not a Count"
    assert said.id == 7, f"the Count of text 7 has the id {said.id}"
    assert said.words == WORDS, f"{said.words} words in {TEXT!r}, not {WORDS}"
    assert before and Watched.reads == before, "make a set of STOP_WORDS in __init__, once"
    try:
        count(attempt.Text(id=8, text="  ")).result()
    except HTTPException as error:
        assert error.status_code == 422, f"no word gets {error.status_code}, not 422"
        assert isinstance(error.detail, str) and " " in error.detail, "say what is wrong: detail="
    else:
        raise AssertionError("a text without a word is counted: HTTPException(422, ..)")
    return "two replicas that read the stop words once, and a text without a word gets its 422"
