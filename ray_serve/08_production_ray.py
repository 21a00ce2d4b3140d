"""A service in production: FastAPI on Ray Serve, and serve_config.yaml says how it is run.

    python ray_serve/08_production_ray.py

An API key, a limit on what is read, a health check, log lines in JSON, a metric for Prometheus,
and an end that waits for who is being served. `ready` is until the service is healthy.
Last line: 200 requests in 1.06 s (189.3 requests/s), answer 6e35f616
"""

import json
import logging
import os
import secrets
import time
from concurrent.futures import ThreadPoolExecutor  # NEW:
from pathlib import Path
from typing import Annotated

import psutil
import torch
import typer
import yaml  # NEW:
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import APIKeyHeader
from pydantic import AfterValidator, Base64Bytes, BaseModel

import ray  # NEW:
from ray import serve  # NEW:
from ray.dashboard.modules.serve.sdk import ServeSubmissionClient  # NEW:
from ray.serve import metrics  # NEW:

from workshop import digits, load, operations, web

KEY, DIGEST = "WORKSHOP_API_KEY", "WORKSHOP_API_KEY_SHA256"
CONFIG = Path(__file__).with_name("serve_config.yaml")  # NEW:
EVERY = "RAY_metrics_report_interval_ms"  # NEW: 10,000 unless told otherwise
api = web.guarded(FastAPI(title="Digits"), seconds=2)
log = logging.getLogger("ray.serve")  # NEW:


class Picture(BaseModel):
    id: int
    png: Annotated[Base64Bytes, AfterValidator(digits.as_pixels)]  # (1, 8, 8), 0 to 1


class Label(BaseModel):
    id: int
    label: int


def known(key: str = Depends(APIKeyHeader(name=operations.HEADER))) -> None:
    if not secrets.compare_digest(operations.fingerprint(key), os.environ[DIGEST]):
        raise HTTPException(403, "this API key is not known")


@serve.deployment  # NEW:
@serve.ingress(api)  # NEW:
class Digits:  # NEW:
    def __init__(self) -> None:  # NEW:
        self.model = digits.classifier()  # NEW:
        self.counter = metrics.Counter("pictures", "Pictures that got a label", ("label",))  # NEW:

    def check_health(self) -> None:  # NEW: Serve calls it, and replaces a replica that fails
        if not self.model(torch.zeros(1, 1, 8, 8)).isfinite().all():  # NEW:
            raise HTTPException(503, "the model's scores are not finite")

    @api.get("/healthz")
    async def healthz(self) -> dict[str, str]:  # NEW:
        self.check_health()  # NEW:
        return {"status": "ok"}

    @api.post("/predict", dependencies=[Depends(known)])
    async def predict(self, picture: Picture) -> Label:  # NEW:
        label = self.model(picture.png[None]).argmax().item()  # NEW:
        self.counter.inc(tags=dict(label=str(label)))  # NEW:
        log.info("labelled", extra=dict(picture=picture.id, label=label))
        return Label(id=picture.id, label=label)


app = Digits.bind()  # NEW: serve_config.yaml names it


def main(
    requests: int = 200, clients: int = 4, port: int = 8000, hold: bool = False, seed: int = 42
) -> dict:
    """Sends REQUESTS pictures from CLIENTS clients, then tries each part of the operations."""
    if requests < 1 or clients < 1:
        raise typer.BadParameter("--requests and --clients start at 1")
    web.check_port(port)
    base, pictures = f"http://{web.HOST}:{port}", digits.requests(requests, seed)
    digits.cached("convnet")
    key = os.environ.get(KEY) or secrets.token_urlsafe()

    config = yaml.safe_load(CONFIG.read_text())  # NEW:
    config["http_options"]["port"] = port  # NEW:
    known_there = {DIGEST: operations.fingerprint(key), EVERY: "1000"}  # NEW: Ray logs these
    here = ray.init(log_to_driver=False, runtime_env=dict(env_vars=known_there))  # NEW:
    dashboard = ServeSubmissionClient(f"http://{here.dashboard_url}")  # NEW:
    http, lines = config["http_options"], config["logging_config"]  # NEW:
    serve.start(http_options=http, logging_config=lines)  # NEW:
    try:  # NEW:
        dashboard.deploy_applications(config)  # NEW: as `serve deploy serve_config.yaml` does
        while (now := serve.status().applications["digits"]).status != "RUNNING":  # NEW:
            if now.status == "DEPLOY_FAILED":  # NEW:
                raise RuntimeError(now.message)  # NEW:
            time.sleep(0.05)  # NEW:
        web.wait_until_healthy(port)  # NEW: a replica runs before the proxy knows the way to it
        ready = time.time() - psutil.Process().create_time()
        details = dashboard.get_serve_details()["applications"]["digits"]  # NEW:
        (replica,) = details["deployments"]["Digits"]["replicas"]  # NEW:
        node = next(one for one in ray.nodes() if one["NodeID"] == replica["node_id"])  # NEW:
        log_file = Path(here.address_info["session_dir"], f"logs{replica['log_file_path']}")  # NEW:
        page = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"  # NEW:
        print(f"metrics: {page}\nlogs: {log_file.parent}")
        if hold:
            print(f"{operations.HEADER}: {f'${KEY}' if KEY in os.environ else key}")
            web.hold(port)
        url, headers = f"{base}/predict", {operations.HEADER: key}
        done = load.closed_loop(url, pictures, clients, warm_up=0, headers=headers)
        refused = operations.refusals(url, pictures[0], key)
        tag = replica["replica_id"]  # NEW: each series says whose it is
        counted = operations.scraped(page, "ray_pictures", requests, replica=tag)  # NEW:
        lines = [json.loads(line) for line in log_file.read_text().splitlines()]
        finish = operations.unfinished(url, pictures[0], key)
        with ThreadPoolExecutor() as pool:  # NEW:
            pool.submit(serve.delete, "digits")  # NEW:
            operations.wait_until_refused(f"{base}/healthz")
            last = finish()
    finally:  # NEW:
        serve.shutdown()  # NEW:

    line = next(line for line in lines if line["message"] == "labelled")
    print(f"{len(done.failed)} failed; refused: {refused}, under way at the end: {last}")
    print(f"counted: {counted} pictures, logged: picture {line['picture']} of {line['request_id']}")
    print(f"ready in {ready:.1f} s")
    seconds, answer = done.seconds, done.digest
    print(f"{requests} requests in {seconds:.2f} s ({done.rate:.1f} requests/s), answer {answer}")
    figures = dict(items=requests, unit="requests", seconds=seconds, ready_seconds=ready)
    measured = dict(failed=len(done.failed), refused=refused, counted=counted, line=line)
    return figures | measured | dict(answer=answer, last=last)


if __name__ == "__main__":
    typer.run(main)
