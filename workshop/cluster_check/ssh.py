"""Asks every machine of a local cluster, over SSH, whether it is there and ready."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from workshop.cluster_check.findings import Finding, fail, ok

CONNECT, TOTAL = 5, 15
TOOLS = "bash curl rsync"
LACKS = 42
QUESTION = (
    f"for t in {TOOLS}; do command -v $t >/dev/null || echo $t; done | grep . && exit {LACKS}; "
    "exit 0"
)


def probe(config: dict) -> Iterator[Finding]:
    """One sentence a machine, asked all at once."""
    provider, auth = config["provider"], config.get("auth") or {}
    outside = provider.get("external_head_ip")  # then the workers are out of reach from here
    hosts = [outside] if outside else [provider.get("head_ip"), *(provider.get("worker_ips") or [])]
    hosts = [str(host) for host in hosts if host]
    with ThreadPoolExecutor(max_workers=max(1, min(32, len(hosts)))) as pool:
        yield from pool.map(lambda host: ask(host, auth), hosts)


def ask(host: str, auth: dict) -> Finding:
    user, key = auth.get("ssh_user"), auth.get("ssh_private_key")
    target = f"{user}@{host}" if user else host
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": str(CONNECT),
        "StrictHostKeyChecking": "no",  # as Ray itself does
        "UserKnownHostsFile": os.devnull,
        "LogLevel": "ERROR",
    }
    command = ["ssh", *(f"-o{name}={value}" for name, value in options.items())]
    if key:
        command += ["-i", str(Path(key).expanduser()), "-oIdentitiesOnly=yes"]
    if auth.get("ssh_proxy_command"):
        command.append(f"-oProxyCommand={auth['ssh_proxy_command']}")
    try:
        said = subprocess.run(
            [*command, target, QUESTION],
            capture_output=True,
            text=True,
            timeout=TOTAL,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        return fail(f"{host}: cannot ask", "install the OpenSSH client (ssh) on this computer")
    except subprocess.TimeoutExpired:
        return fail(f"{host} gave no answer in {TOTAL} s", "is it awake, and is it the right IP?")
    if said.returncode == LACKS:
        return fail(f"{host} lacks {', '.join(said.stdout.split())}", "install it there")
    if said.returncode == 0:
        return ok(f"{host} lets {target} in and has {TOOLS.replace(' ', ', ')}")
    return refused(host, target, key or "KEY", said.stderr.strip())


def refused(host: str, target: str, key: str, error: str) -> Finding:
    reason = error.lower()
    if "permission denied" in reason:
        return fail(f"{host} does not let {target} in", f"ssh-copy-id -i {key} {target}")
    if "refused" in reason:
        return fail(f"{host} has no SSH server at port 22", "start sshd there")
    if "timed out" in reason or "no route" in reason or "unreachable" in reason:
        return fail(f"{host} does not answer", "is it switched on, and is it the right IP?")
    if "resolve" in reason:
        return fail(f"{host} is a name that nobody knows", "write its IP")
    last = error.splitlines()[-1] if error else "ssh gave no reason"
    return fail(f"{host} cannot be reached", last[:160])
