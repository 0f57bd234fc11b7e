"""Owns the running simulated clouds and their admin API, and the base of every case.

Must not be known here: any SDK. What breaks first: the names of the admin routes.
"""

import json
import os
import subprocess
import tempfile
import time
import unittest
import urllib.request

AK = "FAKEHUAWEIAK00000001"
SK = "fake-huawei-secret-key-opens-nothing-001"
PROJECT = "fa4ec10d0000000000000000000000a1"
REGION = "cn-north-4"
DOMAIN = "fake-domain"
DOMAIN_ID = "fake-domain-id"
USER = "fake-user"
PASSWORD = "fake-password-opens-nothing"
AGENCY = "fake-agency"
AGENCY_URN = "iam::fake-domain-id:agency:fake-agency"
PROVIDER = "fake-idp"
PROVIDER_URN = "iam::fake-domain-id:oidc-provider:fake-idp"
AUDIENCE = "fake-client-id"
POD_AUDIENCE = "fake-pod-identity"
ALIBABA_AK = "LTAIFAKE0000000000000001"
ALIBABA_SECRET = "fake-alibaba-secret-nothing-01"
ROLE_ARN = "acs:ram::1000000000000001:role/fake-role"
OIDC_PROVIDER_ARN = "acs:ram::1000000000000001:oidc-provider/fake-idp"
NOTEBOOK = "5a2f1c3e-8d4b-4f6a-9e70-1b2c3d4e5f60"
LITE_SERVER = "7c1d9a54-3b2e-4e8f-a6d0-9f8e7d6c5b4a"
PAI_IMAGE = "image-4c62seedimage53uor"
NO_UUID_OF_ANY = "00000000-0000-4000-8000-000000000000"

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class FakeCloud:
    """A process of its own; it ends when its standard input is closed."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory()
        port_file = os.path.join(self._folder.name, "url")
        command = [os.environ["FAKECLOUD"], "--until-stdin-closes", "--port-file", port_file]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while not os.path.exists(port_file):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the simulated clouds did not start")
            time.sleep(0.02)
        with open(port_file) as file:
            self.url = file.read()
        self.address = self.url.removeprefix("http://")

    def stop(self):
        self._process.stdin.close()
        self._process.wait(10)
        self._folder.cleanup()

    def admin(self, method, path, document=None):
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"{self.url}/_fake/{path}", body, method=method)
        with _DIRECT.open(request, timeout=10) as answer:
            return json.loads(answer.read())

    def options(self, **options):
        self.admin("PATCH", "options", options)

    def fault(self, kind, **members):
        self.admin("POST", "faults", {"kind": kind, **members})

    def id_token(self, audience, **members):
        return self.admin("POST", "id-tokens", {"audience": audience, **members})["token"]

    def calls(self):
        return self.admin("GET", "calls")

    def places_of(self, kind):
        """The paths and parts of requests that carried a token of a kind."""
        seen = self.admin("GET", "seen")
        return {
            (token["request"]["path"], token["place"])
            for token in seen
            if token["kind"] == kind
        }


class Case(unittest.TestCase):
    """A case starts from a reset cloud and an environment without credentials."""

    cloud = None

    def setUp(self):
        self.cloud.admin("POST", "reset")
        # Failures are what many cases are about; the lock-out has cases in the crate's own tests.
        self.cloud.options(lock_after_failures=None)
        self._environment = dict(os.environ)
        for name in list(os.environ):
            if name.startswith(("HUAWEICLOUD_", "HC_", "ALIBABA_CLOUD_")) or name.lower().endswith("_proxy"):
                del os.environ[name]
        self.addCleanup(self._restore)

    def _restore(self):
        os.environ.clear()
        os.environ.update(self._environment)

    def file_of(self, text):
        file = tempfile.NamedTemporaryFile("w", delete=False)
        self.addCleanup(os.unlink, file.name)
        with file:
            file.write(text)
        return file.name
