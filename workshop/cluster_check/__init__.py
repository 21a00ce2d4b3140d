"""Looks a cluster's YAML over before anyone pays for it: one finding a line, with the fix."""

from workshop.cluster_check.command import check_cluster, check_file
from workshop.cluster_check.findings import Finding, NotReadable

__all__ = ["Finding", "NotReadable", "check_cluster", "check_file"]
