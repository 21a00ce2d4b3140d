"""Three stages in one process or three deployments: same answers, each with its source."""

import ast
import runpy
from dataclasses import asdict

import pytest
from fastapi.testclient import TestClient

from ray import serve
from ray.util.state import list_actors

from bad_input import wrongly_answered
from support import SHARED, as_attendee, free_port, refusal
from workshop import readmes, server_timing
from workshop.lessons import ROOT

BASELINE, RAY = (ROOT / f"ray_serve/04_composition_{kind}.py" for kind in ("baseline", "ray"))
STAGES = ("Retriever", "Reranker", "Generator")
ASK = dict(id=7, question="How do I run Ray on Kubernetes?")


@pytest.fixture(scope="module")
def lesson() -> dict:
    return runpy.run_path(str(BASELINE))


@pytest.fixture(scope="module")
def client(lesson: dict) -> TestClient:
    return TestClient(lesson["app"])


def test_all_answers_are_equal_and_cited() -> None:
    alone, composed = as_attendee(BASELINE).figures, as_attendee(RAY).figures
    assert alone["bodies"] == composed["bodies"], "a quote or its source differs"
    assert alone["failed"] == composed["failed"] == 0
    # The 60 are drawn from 24 questions, some of which each edit of a README moves to another
    # section: 52, 47, 39 and 40 were right after four edits, and 174 of 240 after the last.
    assert alone["right"] == composed["right"] >= 0.6 * alone["items"]


def test_both_say_what_each_stage_costs() -> None:
    for figures in (as_attendee(BASELINE).figures, as_attendee(RAY).figures):
        *stages, whole = figures["alone"].values()
        assert list(figures["alone"]) == ["find", "rank", "quote", "whole"]
        assert 0 < sum(stages) < whole


@pytest.mark.measures
def test_a_hop_costs_milliseconds_and_ranking_is_the_slow_stage() -> None:
    alone, composed = as_attendee(BASELINE).figures["alone"], as_attendee(RAY).figures["alone"]
    assert alone["rank"] > 10 * (alone["find"] + alone["quote"])
    assert composed["find"] > 2 * alone["find"] and composed["quote"] > 2 * alone["quote"]


def test_the_answer_depends_on_whether_the_quotes_stand_there() -> None:
    there = asdict(readmes.passages()[0].sentences()[0])
    asked = dict(id=3, question="Who?")
    assert readmes.proof(asked, dict(id=3, quotes=[there])) == ["Who?", True]
    assert readmes.proof(asked, dict(id=4, quotes=[there])) == ["Who?", False]
    for wrong in ("text", "file", "heading"):
        quotes = [there, there | {wrong: "?"}]
        assert readmes.proof(asked, dict(id=3, quotes=quotes)) == ["Who?", False]
    assert readmes.proof(asked, dict(id=3, quotes=[])) == ["Who?", False]
    assert readmes.proof(asked, "Internal Server Error") == ["Who?", False]


def test_the_questions_ask_for_sections_that_exist() -> None:
    sections = {(each.file, each.heading) for each in readmes.passages()}
    for question in readmes.QUESTIONS:
        assert any(
            file == question.file and heading.startswith(question.heading)
            for file, heading in sections
        ), question


def test_an_answer_names_file_and_heading(client: TestClient) -> None:
    answer = client.post("/ask", json=ASK)
    assert answer.status_code == 200 and readmes.proof(ASK, answer.json())[1]
    assert len(answer.json()["quotes"]) == 2
    assert readmes.is_right(answer.json(), ASK)
    assert answer.headers["Server-Timing"].count(";dur=") == 3


def test_the_reranker_is_worth_its_time(lesson: dict) -> None:
    retriever, reranker, _ = lesson["stages"]()

    def meant(passage: readmes.Passage, question: readmes.Question) -> bool:
        return passage.file == question.file and passage.heading.startswith(question.heading)

    found = {question: retriever.find(question.text) for question in readmes.QUESTIONS}
    before = sum(meant(some[0], question) for question, some in found.items())
    ranked = {question: reranker.rank(question.text, some) for question, some in found.items()}
    after = sum(meant(some[0], question) for question, some in ranked.items())
    assert after > before, f"{before} of {len(found)} were right before, {after} after"


def test_what_no_readme_mentions_is_not_made_up(client: TestClient) -> None:
    answer = client.post("/ask", json=dict(id=1, question="zzyzx qwghlm?"))
    assert answer.status_code == 404 and "no README" in answer.json()["detail"]
    for question in ("", "x" * 501):
        assert client.post("/ask", json=dict(id=1, question=question)).status_code == 422


def replicas() -> dict[str, set[int]]:
    """The process ids of each stage."""
    found, here = {}, SHARED.env()["RAY_ADDRESS"]
    for name in (*STAGES, "Pipeline"):
        class_name = ("class_name", "=", f"ServeReplica:default:{name}")
        alive = [class_name, ("state", "=", "ALIVE")]
        actors = list_actors(address=here, filters=alive, detail=True)
        found[name] = {actor.pid for actor in actors}
    return found


@pytest.mark.thorough
def test_the_slow_stage_has_two_replicas_and_bad_input_gets_a_sentence() -> None:
    SHARED.env()
    quiet = dict(enable_access_log=False, log_level="WARNING")
    port, made = free_port(), runpy.run_path(str(RAY))
    serve.start(http_options=dict(host="127.0.0.1", port=port), logging_config=quiet)
    try:
        stages = (made[name].bind() for name in STAGES)
        serve.run(made["Pipeline"].bind(*stages), logging_config=quiet)
        found = {name: len(pids) for name, pids in replicas().items()}
        assert found == dict(Retriever=1, Reranker=2, Generator=1, Pipeline=1)
        url = f"http://127.0.0.1:{port}"
        assert server_timing.medians(f"{url}/ask", [ASK] * 2)["rank"] > 0
        assert not wrongly_answered(url, "/ask", ASK)
    finally:
        serve.shutdown()


def test_each_stage_has_resources_of_its_own_and_all_fit_on_two_cores() -> None:
    tree, cpus = ast.parse(RAY.read_text()), {}
    for node in (each for each in tree.body if isinstance(each, ast.ClassDef)):
        for call in (each for each in node.decorator_list if isinstance(each, ast.Call)):
            options = {each.arg: ast.literal_eval(each.value) for each in call.keywords if each.arg}
            if "ray_actor_options" in options:
                count = options.get("num_replicas", 1)
                cpus[node.name] = count, options["ray_actor_options"]["num_cpus"]
    assert set(cpus) == {*STAGES, "Pipeline"}
    assert cpus["Reranker"] == (2, 0.5)
    assert sum(count * share for count, share in cpus.values()) <= 2


@pytest.mark.parametrize("script", [BASELINE, RAY], ids=["baseline", "ray"])
def test_bad_flags_get_a_sentence(script) -> None:
    assert "--requests and --clients start at 1" in refusal(script, "--clients", "0")
