"""Google's APIs as Ray sees them, without Google: it answers the HTTP requests in this process."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import httplib2

from workshop.cluster_check.gcp import instance_schema

PROJECT = "tidy-otter-123456"
ZONE = f"/compute/v1/projects/{PROJECT}/zones/us-central1-a"
DONE = {"name": "operation-1", "status": "DONE"}


class ComputeStandIn:
    """Keeps instances and the project's metadata, and refuses what the real API would refuse."""

    def __init__(self) -> None:
        self.instances: dict[str, dict] = {}
        self.deleted: list[dict] = []
        self.ssh_keys: list[str] = []
        self.roles: set[str] = set()

    def request(self, uri: str, method: str = "GET", body: str | None = None, **_) -> tuple:
        """In place of httplib2.Http.request."""
        url = urlsplit(uri)
        sent = json.loads(body) if body else {}
        query = parse_qs(url.query)
        code, answer = self.answer(method, f"{url.hostname}{url.path}", sent, query)
        header = {"status": str(code), "content-type": "application/json"}
        return httplib2.Response(header), json.dumps(answer).encode()

    def answer(self, method: str, path: str, sent: dict, query: dict) -> tuple[int, dict]:
        where = f"{method} {path}".replace("compute.googleapis.com" + ZONE, "zone")
        where = where.replace(f"projects/{PROJECT}", "project")
        account = f"ray-autoscaler-sa-v1@{PROJECT}.iam.gserviceaccount.com"
        if where == "GET cloudresourcemanager.googleapis.com/v1/project":
            return 200, {"projectId": PROJECT, "lifecycleState": "ACTIVE"}
        if where.endswith(":getIamPolicy"):
            return 200, {"bindings": []}
        if where.endswith(":setIamPolicy"):
            self.roles |= {binding["role"] for binding in sent["policy"]["bindings"]}
            return 200, sent["policy"]
        if where.startswith("GET iam.googleapis.com/v1/project/serviceAccounts/"):
            return 404, {}
        if where == "POST iam.googleapis.com/v1/project/serviceAccounts":
            return 200, {"email": account, "projectId": PROJECT}
        if where == "GET compute.googleapis.com/compute/v1/project":
            items = [{"key": "ssh-keys", "value": "\n".join(self.ssh_keys)}]
            return 200, {"name": PROJECT, "commonInstanceMetadata": {"items": items}}
        if where.endswith("/project/setCommonInstanceMetadata"):
            self.ssh_keys = sent["items"][0]["value"].split("\n")
            return 200, DONE
        if where == "GET compute.googleapis.com/compute/v1/project/regions/us-central1/subnetworks":
            network = f"projects/{PROJECT}/regions/us-central1/subnetworks/default"
            return 200, {"items": [{"selfLink": network}]}
        if re.search(r"/operations/operation-1(/wait)?$", where):
            return 200, DONE
        if where == "POST zone/instances":
            return self.insert(sent)
        if where == "GET zone/instances":
            labels = re.findall(r"\(labels\.([\w-]+) = ([\w-]+)\)", query["filter"][0])
            found = [i for i in self.instances.values() if set(labels) <= set(i["labels"].items())]
            return 200, {"items": found}
        name = path.rsplit("/", 1)[-1]
        if where == f"DELETE zone/instances/{name}" and name in self.instances:
            self.deleted.append(self.instances.pop(name))
            return 200, DONE
        if where == f"GET zone/instances/{name}" and name in self.instances:
            return 200, self.instances[name]
        raise AssertionError(f"the stand-in knows no {where}")

    def insert(self, body: dict) -> tuple[int, dict]:
        wrong = [error.message for error in instance_schema().iter_errors(body)]
        if wrong or not re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", body["name"]):
            return 400, {"error": {"code": 400, "message": "; ".join(wrong) or body["name"]}}
        number = 10 + len(self.instances)
        address = {
            "networkIP": f"10.0.0.{number}",
            "accessConfigs": [{"natIP": f"10.9.0.{number}"}],
        }
        network = {"networkInterfaces": [body["networkInterfaces"][0] | address]}
        more = {"status": "RUNNING", "labelFingerprint": "0"}
        self.instances[body["name"]] = body | more | network
        return 200, DONE
