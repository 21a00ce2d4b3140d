"""python -m workshop check-cluster FILE."""

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from workshop.cluster_check.findings import Finding, NotReadable, odd_keys, text_keys, warn


class Loader(yaml.SafeLoader):
    """YAML in which a key must not come twice: PyYAML would take the last one in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for name, _ in node.value:
            key = self.construct_object(name, deep=True)
            if isinstance(key, Hashable) and key in seen:
                line = name.start_mark.line + 1
                raise NotReadable(f"'{key}' comes twice, again in line {line}: keep one of them")
            seen.add(key)
        return super().construct_mapping(node, deep)


def read(file: Path) -> tuple[str, list[Any]]:
    """The text and its YAML documents; NotReadable says in one sentence why there are none."""
    try:
        text = file.read_text()
    except FileNotFoundError:
        raise NotReadable(f"there is no file '{file}'") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise NotReadable(f"'{file}' cannot be read: {reason}") from None
    try:
        documents = list(yaml.load_all(text, Loader=Loader))
    except NotReadable as error:
        raise NotReadable(f"'{file}': {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise NotReadable(f"'{file}' is not YAML{where}: {problem}") from None
    documents = [document for document in documents if document is not None]
    if not documents or not all(isinstance(document, dict) for document in documents):
        raise NotReadable(f"'{file}' holds no mapping, so it is no cluster's YAML")
    return text, documents


def check_file(file: Path, probe: bool = False, crds: Path | None = None) -> list[Finding]:
    """Everything there is to say about a cluster's YAML; NotReadable if it is none."""
    text, documents = read(file)
    odd, documents = list(odd_keys(documents)), text_keys(documents)
    if any("apiVersion" in document or "kind" in document for document in documents):
        return odd + list(kubernetes_findings(text, documents, crds))
    if len(documents) > 1:
        raise NotReadable(f"'{file}' holds {len(documents)} YAML documents, `ray up` takes one")
    return odd + list(launcher_findings(text, documents[0], probe))


def kubernetes_findings(text: str, documents: list, crds: Path | None) -> Iterator[Finding]:
    from workshop.cluster_check.edits import check_edits, check_secrets
    from workshop.cluster_check.kubernetes import check_manifests

    yield from check_manifests(documents, crds)
    for document in documents:
        yield from check_edits(document, str(document.get("kind")))
    yield from check_secrets(text)


def launcher_findings(text: str, config: dict, probe: bool) -> Iterator[Finding]:
    """A YAML for `ray up`: Ray is imported here, so that --help need not wait for it."""
    from workshop.cluster_check import edits
    from workshop.cluster_check.gcp import check_gcp
    from workshop.cluster_check.nodes import check_dashboard, check_nodes
    from workshop.cluster_check.ssh import probe as ask_hosts
    from workshop.cluster_check.structure import check_structure, prepare

    wrong = list(check_structure(config))
    yield from wrong
    provider = config["provider"] if isinstance(config.get("provider"), dict) else {}
    yield from edits.check_edits(config)
    if provider.get("type") == "gcp":
        yield from edits.check_project(provider)
    if provider.get("type") == "local":
        yield from edits.check_addresses(provider)
        yield from edits.check_key(config.get("auth"))
    yield from edits.check_secrets(text)

    prepared, verdict = prepare(config)
    if not wrong:  # otherwise Ray says the same in other words
        yield verdict
    if prepared:
        yield from check_nodes(prepared)
        if provider.get("type") == "gcp":
            yield from check_gcp(prepared)
    else:
        yield warn("not looked at until Ray takes the file: nodes, ports, token", "fix, then again")
        if isinstance(config.get("head_start_ray_commands"), list):
            yield from check_dashboard(config)
    if probe and provider.get("type") == "local":
        yield from ask_hosts(config)
    elif probe:
        yield warn("--probe asks the machines of a local cluster", "leave it out here")


def check_cluster(
    file: Annotated[Path, typer.Argument(help="Such as clusters/gcp.yaml.", show_default=False)],
    probe: Annotated[bool, typer.Option("--probe", help="Ask every LAN machine over SSH.")] = False,
    crds: Annotated[
        Path | None, typer.Option(help="Folder with KubeRay's CRDs (or $KUBERAY_CRDS).")
    ] = None,
) -> None:
    """Look a cluster's YAML over before `ray up` or kubectl: one finding a line, with the fix."""
    try:
        findings = check_file(file, probe, crds)
    except NotReadable as error:
        typer.echo(f"check-cluster: {error}", err=True)
        raise typer.Exit(2) from None
    for finding in findings:
        typer.echo(str(finding))
    failed = sum(finding.level == "fail" for finding in findings)
    warned = sum(finding.level == "warn" for finding in findings)
    typer.echo(f"{file}: {failed} to fix, {warned} to look at")
    raise typer.Exit(1 if failed else 0)
