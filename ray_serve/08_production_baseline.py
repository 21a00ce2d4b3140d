"""A service in production: FastAPI on uvicorn, with all that it needs besides its answers.

    python ray_serve/08_production_baseline.py

An API key, a limit on what is read, a health check, log lines in JSON, a metric for Prometheus,
and an end that waits for who is being served. `ready` is until the service is healthy.
Last line: 200 requests in 0.21 s (954.3 requests/s), answer 6e35f616
"""

import functools
import json
import logging
import os
import secrets
import time
import uuid
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated

import psutil
import torch
import typer
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.security import APIKeyHeader
from prometheus_client import CollectorRegistry, Counter, generate_latest
from pydantic import AfterValidator, Base64Bytes, BaseModel

from workshop import digits, load, operations, web

KEY, DIGEST = "WORKSHOP_API_KEY", "WORKSHOP_API_KEY_SHA256"
FIELDS, LOG = ("picture", "label"), Path("out/ray_serve/08_production/service.log")
api = web.guarded(FastAPI(title="Digits"), seconds=2)
log = logging.getLogger("digits")
registry = CollectorRegistry()
counter = Counter("pictures", "Pictures that got a label", ["label"], registry=registry)
model = functools.cache(digits.classifier)
request_id: ContextVar[str] = ContextVar("request_id")


class Picture(BaseModel):
    id: int
    png: Annotated[Base64Bytes, AfterValidator(digits.as_pixels)]  # (1, 8, 8), 0 to 1


class Label(BaseModel):
    id: int
    label: int


class Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = dict(asctime=self.formatTime(record), levelname=record.levelname)
        line |= dict(message=record.getMessage(), request_id=request_id.get(None))
        line |= {name: value for name, value in vars(record).items() if name in FIELDS}
        if record.exc_info:
            line |= dict(exc_text=self.formatException(record.exc_info))
        return json.dumps(line)


@api.middleware("http")
async def access_log(request: Request, call_next) -> Response:
    request_id.set(request.headers.get("X-Request-ID") or str(uuid.uuid4()))
    start = time.perf_counter()
    response = await call_next(request)
    took = 1000 * (time.perf_counter() - start)
    log.info(f"{request.method} {request.url.path} {response.status_code} {took:.1f}ms")
    response.headers["X-Request-ID"] = request_id.get()
    return response


def known(key: str = Depends(APIKeyHeader(name=operations.HEADER))) -> None:
    if not secrets.compare_digest(operations.fingerprint(key), os.environ[DIGEST]):
        raise HTTPException(403, "this API key is not known")


@api.get("/healthz")
async def healthz() -> dict[str, str]:
    if not model()(torch.zeros(1, 1, 8, 8)).isfinite().all():
        raise HTTPException(503, "the model's scores are not finite")
    return {"status": "ok"}


@api.get("/metrics", dependencies=[Depends(known)], include_in_schema=False)
async def metrics() -> Response:
    return Response(generate_latest(registry), media_type="text/plain")


@api.post("/predict", dependencies=[Depends(known)])
async def predict(picture: Picture) -> Label:
    label = model()(picture.png[None]).argmax().item()
    counter.labels(str(label)).inc()
    log.info("labelled", extra=dict(picture=picture.id, label=label))
    return Label(id=picture.id, label=label)


def serve_app(port: int) -> None:
    LOG.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(LOG, "w")
    handler.setFormatter(Lines())
    logging.basicConfig(handlers=[handler])
    log.setLevel("INFO")
    model()
    uvicorn.run(api, host=web.HOST, port=port, log_config=None, timeout_graceful_shutdown=10)


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

    os.environ[DIGEST] = operations.fingerprint(key)
    with web.running(serve_app, port) as server:
        ready = time.time() - psutil.Process().create_time()
        page, log_file = f"{base}/metrics", LOG
        print(f"metrics: {page}\nlogs: {log_file.parent}")
        if hold:
            print(f"{operations.HEADER}: {f'${KEY}' if KEY in os.environ else key}")
            web.hold(port)
        url, headers = f"{base}/predict", {operations.HEADER: key}
        done = load.closed_loop(url, pictures, clients, warm_up=0, headers=headers)
        refused = operations.refusals(url, pictures[0], key)
        counted = operations.scraped(page, "pictures", requests, headers)
        lines = [json.loads(line) for line in log_file.read_text().splitlines()]
        finish = operations.unfinished(url, pictures[0], key)
        server.terminate()
        operations.wait_until_refused(f"{base}/healthz")
        last = finish()

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
