"""What the nodes will run: which Ray, who may talk to it, and whether workers ever join."""

import re
from collections.abc import Iterator
from pathlib import Path

import ray

from workshop.cluster_check.findings import Finding, fail, ok, warn

TOKEN = "~/.ray/auth_token"  # noqa: S105  (where it lies, not what it is)
LARGE = (".git", ".venv", ".venv-vllm", "venv", "node_modules")
MAKE_TOKEN = f"ray get-auth-token --generate; chmod 600 {TOKEN}"
DASHBOARD = re.compile(r"--dashboard-host[= ]+['\"]?([^\s'\";]+)")
PIN = re.compile(r"\bray(?:\[[\w, -]*\])?\s*(?:==|@.*?/ray-)\s*['\"]?(\d+\.\d+\.\d+(?:\w|\.\w)*)")
IMAGE = re.compile(r"\brayproject/ray(?:-ml|-llm)?:(\d+\.\d+\.\d+\w*)")
LIST = re.compile(r"(?:-c|-r|--constraints?|--requirements?)[ =]['\"]?(\S+\.txt)")


def commands(config: dict, *keys: str) -> str:
    return "\n".join(str(command) for key in keys for command in config.get(key) or [])


def check_nodes(prepared: dict) -> Iterator[Finding]:
    """Everything about the commands of a file that prepare_config has filled in."""
    yield from check_start(prepared)
    yield from check_dashboard(prepared)
    yield from check_token(prepared)
    yield from check_files(prepared)
    yield from check_version(prepared)


def check_start(prepared: dict) -> Iterator[Finding]:
    head = commands(prepared, "head_start_ray_commands")
    worker = commands(prepared, "worker_start_ray_commands")
    wrong = []
    if not re.search(r"\bray start\b[^\n;]*--head", head):
        wrong.append(
            fail("no head is started", "add `ray start --head` to head_start_ray_commands")
        )
    if "--autoscaling-config" not in head:
        wrong.append(
            fail(
                "the head's `ray start` has no --autoscaling-config, so that no worker ever starts",
                "add --autoscaling-config=~/ray_bootstrap_config.yaml",
            )
        )
    if prepared["provider"]["type"] == "local" and not re.search(
        r"\bRAY_enable_autoscaler_v2=(0|false)\b[^\n]*ray start", head, re.IGNORECASE
    ):
        wrong.append(
            fail(
                "autoscaler v2, the default, never starts the last worker here (ray#57153)",
                "write RAY_enable_autoscaler_v2=0 before the head's `ray start`",
            )
        )
    address = re.search(r"--address[= ]+['\"]?\$\{?RAY_HEAD_IP\}?:(\d+)", worker)
    port = re.search(r"--port[= ]+(\d+)", head)
    port = port[1] if port else "6379"
    if not address:
        wrong.append(
            fail(
                "the workers' `ray start` does not join the head",
                f"write ray start --address=$RAY_HEAD_IP:{port} in worker_start_ray_commands",
            )
        )
    elif address[1] != port:
        wrong.append(
            fail(
                f"the workers look for the head at port {address[1]}, it listens at {port}",
                f"write --address=$RAY_HEAD_IP:{port}",
            )
        )
    if "google-api-python-client==1.7.8" in commands(prepared, "head_setup_commands"):
        wrong.append(
            warn(
                "Ray's default head_setup_commands install Google's client of 2019",
                "write head_setup_commands: [] or your own",
            )
        )
    yield from wrong or [ok("the head starts the workers, and they join it")]


def check_dashboard(prepared: dict) -> Iterator[Finding]:
    host = DASHBOARD.search(commands(prepared, "head_start_ray_commands"))
    if not host or host[1] in ("127.0.0.1", "localhost", "::1"):
        yield ok("the dashboard listens on 127.0.0.1: open it with `ray dashboard FILE`")
    elif host[1] in ("0.0.0.0", "::", "[::]"):  # noqa: S104  (that is what we look for)
        yield fail(
            f"--dashboard-host={host[1]} shows the dashboard to everybody who reaches the head"
            " (it is also Ray's default for a cloud without head_start_ray_commands)",
            "write --dashboard-host=127.0.0.1 and open it with `ray dashboard FILE`",
        )
    else:
        yield warn(
            f"--dashboard-host={host[1]} can be reached from other machines",
            "write --dashboard-host=127.0.0.1 and open it with `ray dashboard FILE`",
        )


def check_token(prepared: dict) -> Iterator[Finding]:
    """Whoever reaches an open port of Ray may run code there, unless a token is asked for."""
    wrong = []
    for who in ("head", "worker"):
        steps = (f"{who}_setup_commands", f"{who}_start_ray_commands")
        mode = re.findall(r"\bRAY_AUTH_MODE=['\"]?(\w+)", commands(prepared, *steps))
        if not mode or mode[-1] != "token":
            wrong.append(
                fail(
                    f"token authentication is off on the {who}",
                    "add RAY_AUTH_MODE=token to ~/.bashrc in setup_commands, as clusters/ does",
                )
            )
    mounts = prepared.get("file_mounts") or {}
    source = next((Path(local) for there, local in mounts.items() if there == TOKEN), None)
    if not source:
        wrong.append(
            fail("the token does not reach the nodes", f'add to file_mounts: "{TOKEN}": "{TOKEN}"')
        )
    elif not source.expanduser().is_file():
        wrong.append(fail(f"there is no token in {source} yet", MAKE_TOKEN))
    elif source.expanduser().stat().st_mode & 0o077:
        wrong.append(warn(f"others on this computer can read {source}", f"chmod 600 {source}"))
    yield from wrong or [ok("token authentication is on, and the token reaches every node")]


def check_files(prepared: dict) -> Iterator[Finding]:
    for there, local in (prepared.get("file_mounts") or {}).items():
        if there != TOKEN and not Path(local).expanduser().exists():
            yield fail(f"'{local}' of file_mounts is not here", "run from the repository's root")
        large = [name for name in LARGE if (Path(local).expanduser() / name).is_dir()]
        if large:
            yield warn(
                f"Ray reads all of '{local}' at every `ray up`, {', '.join(large)} too,"
                " whatever rsync_exclude says",
                "list the folders that the work needs in file_mounts",
            )


def local_file(prepared: dict, there: str) -> Path | None:
    """The file here that file_mounts brings there."""
    for mount, local in (prepared.get("file_mounts") or {}).items():
        inside = there.removeprefix(mount.rstrip("/"))
        if inside != there and inside[:1] in ("", "/"):
            return Path(local).expanduser() / inside.strip("/") if inside else Path(local)
    return None


def check_version(prepared: dict) -> Iterator[Finding]:
    """The Ray on the nodes must be the one here: another refuses to work with it."""
    keys = [key for key in prepared if key.endswith("setup_commands")]
    text = commands(prepared, "initialization_commands", *sorted(keys))
    for body in prepared["available_node_types"].values():
        text += "\n" + commands(body, "worker_setup_commands")
    text += "\n" + "\n".join(map(str, (prepared.get("docker") or {}).values()))
    pins = set(PIN.findall(text)) | set(IMAGE.findall(text))
    for there in set(LIST.findall(text)):
        here = local_file(prepared, there)
        if here and here.is_file():
            pins |= set(re.findall(r"^ray(?:\[.*\])?==([\w.]+)", here.read_text(), re.MULTILINE))
        else:
            yield warn(f"cannot read {there}", "put its folder into file_mounts")
    other = sorted(pins - {ray.__version__})
    if other:
        yield fail(
            f"the nodes get Ray {', '.join(other)}, but here is {ray.__version__}",
            f"pin ray=={ray.__version__} on the nodes, or install the same here",
        )
    elif pins:
        yield ok(f"the nodes get Ray {ray.__version__}, as here")
    else:
        yield warn(
            "no version of Ray is pinned in setup_commands",
            f'install "ray[default]=={ray.__version__}", the version here',
        )
