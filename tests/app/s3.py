"""An S3 service as a process of its own."""

import os
import secrets
import socket
import subprocess
import sys
import time
from typing import Any

import boto3

from tests.app.service import free_port


class S3Server:
    """A server on this machine that forgets everything at its end."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host, self.port = host, free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-c", "from moto.server import main; main()", "-H", self.host, "-p", str(self.port)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, env=os.environ | {"MOTO_S3_DEFAULT_MAX_KEYS": "3"}, **quiet)
        while not self._listens():
            assert self.process.poll() is None, "the S3 server does not start"
            time.sleep(0.05)

    def stop(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def settings(self, bucket: str) -> dict[str, str]:
        """A new bucket, as the service's settings."""
        self.client().create_bucket(Bucket=bucket)
        return {
            "storage_url": f"s3://{bucket}/some/prefix",
            "s3_endpoint": self.endpoint,
            "s3_region": "us-east-1",
            "s3_access_key": "tester",
            "s3_secret_key": "of no importance",
        }

    def client(self) -> Any:
        """S3 as boto3 sees it."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="tester",
            aws_secret_access_key="of no importance",
        )

    def keys(self, bucket: str) -> set[str]:
        """All objects of a bucket."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {one["Key"] for page in pages for one in page.get("Contents", ())}

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0


def bucket_name() -> str:
    """One that was never used before."""
    return f"bucket-{secrets.token_hex(8)}"
