"""Photographs from a web server, then through a median filter: asyncio in one process. A semaphore
bounds the requests in flight, threads decode and filter.

    python ray_core/07_pipeline_baseline.py

Last line: 48 photos in 4.50 s (10.7 photos/s), answer 3140099269
"""

import asyncio
import io
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aiohttp
import numpy as np
import typer
from PIL import Image, ImageFilter
from sklearn.datasets import load_sample_images


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


class Fetcher:
    def __init__(self, at_once: int) -> None:
        self.slots = asyncio.Semaphore(at_once)

    async def fetch(self, url: str) -> bytes:
        async with self.slots, aiohttp.request("GET", url) as response:
            return await response.read()


class Smoother:
    def smooth(self, png: bytes) -> tuple[float, int]:
        """When the work on a photograph began, and the checksum of all its pixels."""
        began, photo = time.monotonic(), Image.open(io.BytesIO(png))
        return began, zlib.crc32(photo.filter(ImageFilter.MedianFilter(5)).tobytes())


async def pipeline(urls: list[str], fetcher: Fetcher, smoother: Smoother) -> list:
    async def one(url: str) -> tuple[float, int]:
        return await asyncio.to_thread(smoother.smooth, await fetcher.fetch(url))

    return await asyncio.gather(*map(one, urls))


def main(photos: int = 48, latency: float = 0.4, at_once: int = 8, seed: int = 42) -> dict:
    """PHOTOS photographs from a server with LATENCY seconds, at most AT_ONCE requests in flight."""
    if photos < 1 or latency < 0 or at_once < 1:
        raise typer.BadParameter("--photos and --at-once start at 1, --latency at 0.")
    server, ready = gallery(photos, latency, seed), 0.0
    urls = [f"http://127.0.0.1:{server.server_port}/{i}" for i in range(photos)]

    start = time.perf_counter()
    results = asyncio.run(pipeline(urls, Fetcher(at_once), Smoother()))
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
