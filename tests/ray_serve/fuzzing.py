"""schemathesis makes requests from the OpenAPI page of a running service, good and bad ones."""

import subprocess
import sys
from pathlib import Path

EXAMPLES = 60  # a route and phase
CHECKS = "not_a_server_error,negative_data_rejection,response_schema_conformance"


def fuzzed(base: str, headers: dict | None = None) -> tuple[int, str]:
    """Exit code of schemathesis, which is 0 if all its checks held, and what it said."""
    given = [f"--header={name}: {value}" for name, value in (headers or {}).items()]
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{base}/openapi.json"]
    limits = [f"--max-examples={EXAMPLES}", f"--checks={CHECKS}", "--seed=1", "--no-color"]
    done = subprocess.run(
        command + limits + given, capture_output=True, text=True, timeout=150, check=False
    )
    return done.returncode, done.stdout + done.stderr
