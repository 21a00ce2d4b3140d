"""Edits that are still to do, and secrets that do not belong in a file."""

import ipaddress
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workshop.cluster_check.findings import Finding, dotted, fail, leaves, ok, warn

PLACEHOLDER = re.compile(
    r"\b(change|replace|edit)[-_ ]?(me|this)\b|\b(your|my)[-_ ](gcp[-_ ])?(project|user|name)|"
    r"^<.+>$|^\.\.\.$|^(xxx+|todo|fixme|example-project|project[-_]id)$|github\.com/OWNER/",
    re.IGNORECASE,
)
EXAMPLES = [
    ipaddress.ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
]
PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")  # a domain may come first
SECRETS = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "an AWS key": re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a Google key": re.compile(r"\bAIza[\w-]{35}|\bya29\.[\w-]{20,}"),
    "a token": re.compile(r"\b(gh[pousr]_\w{30,}|github_pat_\w{30,}|hf_\w{20,}|sk-[\w-]{20,})"),
    "a Ray token": re.compile(r"\bRAY_AUTH_TOKEN['\"]?\s*[=:]\s*['\"]?(?!\$|\{)[\w-]{6,}"),
    "a password": re.compile(
        r"(?i)\b(?:\w*_)?(password|passwd|secret_access_key|api_?key)['\"]?\s*[=:]\s*"
        r"['\"]?(?!\$|\{|null\b|~)[^\s'\",}]{6,}"
    ),
}
ELSEWHERE = "take it out, make a new one, and hand it over in a file (file_mounts) or a Secret"


def check_edits(config: Any, start: str = "") -> Iterator[Finding]:
    """Placeholders that somebody was to replace."""
    found = [
        (path, value)
        for path, value in leaves(config)
        if isinstance(value, str) and PLACEHOLDER.search(value)
    ]
    for path, value in found:
        yield fail(f"{dotted(path, start)} is still {value!r}", "write your own")


def check_project(provider: dict) -> Iterator[Finding]:
    """The fields of Google Cloud that everybody has to fill in for themselves."""
    project, zone = provider.get("project_id"), provider.get("availability_zone")
    if project is None and "project_id" in provider:
        yield fail("provider.project_id is empty", "write the project's id (gcloud projects list)")
    elif isinstance(project, str) and not PLACEHOLDER.search(project):
        if PROJECT.fullmatch(project):
            yield ok(f"the project is '{project}'")
        else:
            yield fail(
                f"provider.project_id {project!r} cannot be a project's id",
                "write the id, not the name (gcloud projects list)",
            )
    if zone and not str(zone).startswith(f"{provider.get('region')}-"):
        yield fail(
            f"provider.availability_zone {zone} is not in region {provider.get('region')}",
            f"write a zone such as {provider.get('region')}-a",
        )


def check_addresses(provider: dict) -> Iterator[Finding]:
    """The machines of a LAN: real addresses, each once."""
    workers = provider.get("worker_ips")
    workers = [str(ip) for ip in workers] if isinstance(workers, list) else []
    heads = [str(provider["head_ip"])] if provider.get("head_ip") else []
    found = len(list(bad_addresses(heads + workers)))
    yield from bad_addresses(heads + workers)
    if "worker_ips" in provider and not workers:
        yield warn("provider.worker_ips is empty", "list the machines that are to do the work")
    for ip, times in Counter(heads + workers).items():
        if times > 1:
            found += 1
            yield fail(f"{ip} is listed {times} times", "list the head and every worker once")
    if heads and workers and not found:
        yield ok(f"1 head and {len(workers)} workers are listed")


def bad_addresses(ips: list[str]) -> Iterator[Finding]:
    for ip in dict.fromkeys(ips):
        try:
            address = ipaddress.ip_address(ip)
        except ValueError:
            if not PLACEHOLDER.search(ip):
                yield warn(f"'{ip}' is not an IP address", "write the IP if Ray does not find it")
            continue
        if any(address in net for net in EXAMPLES):
            yield fail(f"{ip} is an example's address", "write the IP of a machine of yours")
        elif address.is_loopback or address.is_unspecified:
            yield fail(f"{ip} means this very machine, on each", "write its IP in the LAN")


def check_key(auth: Any) -> Iterator[Finding]:
    """The key that the computer here, and then the head, reach the machines with."""
    key = auth.get("ssh_private_key") if isinstance(auth, dict) else None
    if not isinstance(key, str):
        yield warn(
            "auth.ssh_private_key is not set: the head has no key to reach the workers with",
            "make one for this cluster: ssh-keygen -t ed25519 -N '' -f ~/.ssh/ray_workshop",
        )
    elif not Path(key).expanduser().is_file():
        yield fail(
            f"the SSH key {key} does not exist",
            f"ssh-keygen -t ed25519 -N '' -f {key}, then ssh-copy-id -i {key} USER@IP for each",
        )


def check_secrets(text: str) -> list[Finding]:
    """Looks for secrets in the file as it is written, comments included; never repeats one."""
    found = [
        fail(f"line {number} holds {name}", ELSEWHERE)
        for number, line in enumerate(text.splitlines(), start=1)
        for name, pattern in SECRETS.items()
        if pattern.search(line)
    ]
    return found or [ok("no secret is in the file")]
