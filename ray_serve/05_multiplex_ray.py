"""Twenty tenants, a model for each, two replicas: each keeps the eight it used last.

    python ray_serve/05_multiplex_ray.py

The request's header says whose model is meant. `answer` is a digest of all answers but for
`loaded`, which says whether this request had to wait for the model; `ready` from the command on.
Last line: 300 requests in 2.98 s (100.8 requests/s), answer 164f1fe4
"""

import time
from dataclasses import replace
from statistics import median
from typing import Annotated

import aiohttp
import psutil
import torch  # NEW:
import typer
from fastapi import FastAPI, Header, HTTPException
from pydantic import AfterValidator, Base64Bytes, BaseModel

import ray  # NEW:
from ray import serve  # NEW:

from workshop import digits, load, tenants, web

app = web.guarded(FastAPI(title="Digits for twenty tenants"))
HEADER = "serve-multiplexed-model-id"
Tenant = Annotated[str, Header(alias=HEADER, description="whose model: tenant-00 to tenant-19")]


class Picture(BaseModel):
    id: int
    png: Annotated[Base64Bytes, AfterValidator(digits.as_pixels)]  # (1, 8, 8), 0 to 1


class Label(BaseModel):
    id: int
    tenant: str
    label: int
    loaded: bool


@serve.deployment(num_replicas=2, ray_actor_options={"num_cpus": 0.5})  # NEW:
@serve.ingress(app)  # NEW:
class Digits:  # NEW:
    @serve.multiplexed(max_num_models_per_replica=8)  # NEW:
    async def model(self, tenant: str) -> torch.nn.Module:  # NEW:
        model = tenants.load(tenant)  # NEW:
        model.loaded = True  # NEW: until the first request that gets it says so
        return model  # NEW:

    @app.get("/healthz")
    async def healthz(self) -> dict[str, str]:  # NEW:
        return {"status": "ok"}

    @app.post("/predict")
    async def predict(self, picture: Picture, tenant: Tenant) -> Label:  # NEW:
        if tenant not in tenants.NAMES:
            raise HTTPException(404, f"there is no tenant {tenant!r}: see {HEADER} in /docs")
        model = await self.model(serve.get_multiplexed_model_id())  # NEW:
        loaded, model.loaded = model.loaded, False  # NEW:
        label = model(picture.png[None]).argmax().item()
        return Label(id=picture.id, tenant=tenant, label=label, loaded=loaded)  # NEW:


async def send(session: aiohttp.ClientSession, url: str, body: dict) -> load.Answer:
    picture = {name: value for name, value in body.items() if name != "tenant"}
    return await load.post(session, url, picture, headers={HEADER: body["tenant"]})


def main(requests: int = 300, clients: int = 4, port: int = 8000, seed: int = 42) -> dict:
    """Sends REQUESTS pictures of 20 tenants from CLIENTS clients; few tenants send most of them."""
    if requests < 1 or clients < 1:
        raise typer.BadParameter("--requests and --clients start at 1")
    web.check_port(port)
    tenants.prepare()
    pictures, url = tenants.requests(requests, seed), f"http://{web.HOST}:{port}/predict"

    ray.init(log_to_driver=False)  # NEW:
    quiet = dict(enable_access_log=False, log_level="WARNING")  # NEW:
    serve.start(http_options=dict(host=web.HOST, port=port), logging_config=quiet)  # NEW:
    try:  # NEW:
        serve.run(Digits.bind(), logging_config=quiet)  # NEW:
        ready = time.time() - psutil.Process().create_time()
        done = load.closed_loop(url, pictures, clients, warm_up=0, send=send)
    finally:  # NEW:
        serve.shutdown()  # NEW:

    print(f"ready in {ready:.1f} s")
    times: dict[bool, list[float]] = {True: [], False: []}
    for each in done.answers:
        times[each.status == 200 and each.body["loaded"]].append(1000 * each.seconds)
    waited = [f"{median(found):.1f} ms" if found else "none" for found in times.values()]
    print(f"{len(times[True])} models loaded; p50 with a load {waited[0]}, without {waited[1]}")
    print(f"{len(done.failed)} failed; {done.latency}")
    labels = [replace(each, body=tenants.label(each.body)) for each in done.answers]
    seconds, answer = done.seconds, load.Load(labels).digest
    print(f"{requests} requests in {seconds:.2f} s ({done.rate:.1f} requests/s), answer {answer}")
    figures = dict(items=requests, unit="requests", seconds=seconds, ready_seconds=ready)
    figures |= dict(answer=answer, failed=len(done.failed), loads=len(times[True]))
    return figures | dict(p50=done.percentile(50), p95=done.percentile(95))


if __name__ == "__main__":
    typer.run(main)
