"""The doctor sees what would spoil the workshop and says what to do."""

import socket

import pytest

from workshop import doctor


def one(findings):
    (finding,) = findings
    return finding


@pytest.mark.parametrize(("gib", "level"), [(8, "ok"), (3, "warn"), (1, "fail")])
def test_memory(gib, level) -> None:
    assert one(doctor.memory(gib * doctor.GIB)).level == level


def test_one_core_is_a_warning() -> None:
    assert one(doctor.cores(1)).level == "warn" and one(doctor.cores(2)).level == "ok"


def test_a_full_disk_fails() -> None:
    assert all(finding.level == "fail" for finding in doctor.disk(free=doctor.GIB))


def test_shared_memory_may_be_absent(tmp_path) -> None:
    assert one(doctor.shared_memory(tmp_path / "shm")).level == "ok"


def test_a_taken_port_is_named() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        finding = one(doctor.ports({port: "Ray Serve"}))
    assert finding.level == "warn" and str(port) in finding.what
    assert one(doctor.ports({port: "Ray Serve"})).level == "ok"


def test_ray_address_would_capture_the_scripts(monkeypatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "192.0.2.1:6379")
    assert any("RAY_ADDRESS=192.0.2.1:6379" in str(finding) for finding in doctor.stray_ray())


def test_the_address_of_a_crashed_ray_fails(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(doctor.psutil, "process_iter", lambda attributes: [])
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert one(doctor.stray_ray()).level == "ok"
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:6379")
    assert one(doctor.stray_ray()).level == "fail"


def test_versions_are_compared(tmp_path, monkeypatch) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("ray==0.1\nno-such-package==1.0\n")
    finding = one(doctor.packages(constraints))
    assert finding.level == "fail" and "instead of 0.1" in finding.what
    assert "no-such-package" not in finding.what, "some packages come on one system only"
    monkeypatch.setattr(doctor, "requires", lambda name: ["no-such-package>=1; extra == 'dev'"])
    assert "no-such-package is missing" in one(doctor.packages(constraints)).what


def test_this_environment_is_the_pinned_one() -> None:
    """The suite speaks for constraints.txt only if it ran with those versions."""
    finding = one(doctor.packages())
    assert finding.level == "ok", finding


def test_the_report_ends_in_a_verdict(capsys, monkeypatch) -> None:
    assert doctor.report() in (0, 1)
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith(("[ok]", "[warn]", "[fail]")) for line in lines[:-2])
    assert lines[-1].startswith(("Ready.", "Not ready:"))
    monkeypatch.setattr(doctor, "python", lambda: [doctor.Finding("fail", "Python 3.8")])
    assert doctor.report() == 1
