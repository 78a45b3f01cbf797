"""S3 and SQS of moto, with a user whose signature is verified."""

import sys
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import botocore.session

from ..daemon import Daemon
from ..port import HOST, established
from .server import Missing, Server

BUCKET = "health-bucket"
QUEUE = "health-queue"
POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","sqs:*"],"Resource":"*"}]}'


class Aws(Server):
    name = "aws"
    key_of: ClassVar[dict[str, str]] = {"id": "AKIAIOSFODNN7EXAMPLE", "secret": "not known before the first start"}
    """The access key of the user. moto generates it, from the same seed at each start."""

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        if find_spec("moto") is None or find_spec("flask_cors") is None:
            raise Missing('pip install "moto[server]"')
        command = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)]
        self.daemon = Daemon("moto", command, folder / "log")

    def ready(self) -> bool:
        try:
            self._post("/moto-api/seed?a=5")
        except (OSError, HTTPException):
            return False
        self._client("s3").create_bucket(Bucket=BUCKET)
        self._client("sqs").create_queue(QueueName=QUEUE)
        iam = self._client("iam")
        iam.create_user(UserName="health")
        iam.put_user_policy(UserName="health", PolicyName="all", PolicyDocument=POLICY)
        key = iam.create_access_key(UserName="health")["AccessKey"]
        self.key_of.update(id=key["AccessKeyId"], secret=key["SecretAccessKey"])
        self._post("/moto-api/reset-auth", b"0")  # from here on it verifies the signature of each request
        return True

    def connections(self) -> int:
        return established(self.port)

    def _post(self, path: str, body: bytes = b"") -> None:
        line = HTTPConnection(HOST, self.port, timeout=5)
        try:
            line.request("POST", path, body)
            answer = line.getresponse()
            assert answer.status == 200, answer.read()
        finally:
            line.close()

    def _client(self, service: str) -> Any:
        return botocore.session.get_session().create_client(
            service,
            endpoint_url=f"http://{HOST}:{self.port}",
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
