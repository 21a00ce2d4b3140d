"""Photographs from a web server, then through a median filter: two stages of actors. An async actor
fetches, max_concurrency bounds its requests in flight, and two more actors decode and filter.

    python ray_core/07_pipeline_ray.py

Last line: 48 photos in 3.69 s (13.0 photos/s), answer 3140099269
"""

import io
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle  # NEW:

import aiohttp
import numpy as np
import typer
from PIL import Image, ImageFilter
from sklearn.datasets import load_sample_images

import ray  # NEW:


class Gallery(BaseHTTPRequestHandler):
    """Serves photographs as PNG; a sleep stands for the latency of a network."""

    def do_GET(self) -> None:
        began = time.monotonic()
        time.sleep(self.server.latency)
        self.send_response(200)
        self.end_headers()
        self.server.requests.append((began, time.monotonic()))
        self.wfile.write(self.server.photos[int(self.path[1:])])

    def log_message(self, *_: object) -> None: ...


def gallery(photos: int, latency: float, seed: int) -> ThreadingHTTPServer:
    server, samples = ThreadingHTTPServer(("127.0.0.1", 0), Gallery), load_sample_images().images
    server.socket.listen(128)
    server.latency, server.requests, server.photos = latency, [], []
    for i, (y, x) in enumerate(np.random.default_rng(seed).integers(0, 107, (photos, 2))):
        png = io.BytesIO()
        Image.fromarray(samples[i % 2][y : y + 320, x : x + 320]).save(png, "png")
        server.photos.append(png.getvalue())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@ray.remote  # NEW:
class Fetcher:
    async def fetch(self, url: str) -> bytes:
        async with aiohttp.request("GET", url) as response:  # NEW:
            return await response.read()


@ray.remote  # NEW:
class Smoother:
    def smooth(self, png: bytes) -> tuple[float, int]:
        """When the work on a photograph began, and the checksum of all its pixels."""
        began, photo = time.monotonic(), Image.open(io.BytesIO(png))
        return began, zlib.crc32(photo.filter(ImageFilter.MedianFilter(5)).tobytes())


def pipeline(urls: list[str], fetcher, smoothers: list) -> list:  # NEW:
    turns = zip((fetcher.fetch.remote(url) for url in urls), cycle(smoothers))  # NEW:
    return ray.get([smoother.smooth.remote(png) for png, smoother in turns])  # NEW:


def main(photos: int = 48, latency: float = 0.4, at_once: int = 8, seed: int = 42) -> dict:
    """PHOTOS photographs from a server with LATENCY seconds, at most AT_ONCE requests in flight."""
    if photos < 1 or latency < 0 or at_once < 1:
        raise typer.BadParameter("--photos and --at-once start at 1, --latency at 0.")
    server = gallery(photos, latency, seed)  # NEW:
    urls = [f"http://127.0.0.1:{server.server_port}/{i}" for i in range(photos)]

    start = time.perf_counter()  # NEW:
    ray.init()  # NEW:
    fetcher = Fetcher.options(max_concurrency=at_once).remote()  # NEW:
    smoothers = [Smoother.remote() for _ in range(2)]  # NEW:
    ray.get([actor.__ray_ready__.remote() for actor in (fetcher, *smoothers)])  # NEW:
    ready = time.perf_counter() - start  # NEW:
    print(f"ready in {ready:.1f} s")  # NEW:

    start = time.perf_counter()
    results = pipeline(urls, fetcher, smoothers)  # NEW:
    took = time.perf_counter() - start

    most = max(sum(a <= began < b for a, b in server.requests) for began, _ in server.requests)
    early = sum(began < server.requests[-1][1] for began, _ in results)
    print(f"up to {most} requests in flight, {early} photos filtered before the last had come")
    answer = zlib.crc32(np.array([checksum for _, checksum in results]))
    print(f"{photos} photos in {took:.2f} s ({photos / took:.1f} photos/s), answer {answer}")
    figures = dict(items=photos, unit="photos", seconds=took, ready_seconds=ready, answer=answer)
    return figures | dict(requests=server.requests, in_flight=most, early=early)


if __name__ == "__main__":
    typer.run(main)
