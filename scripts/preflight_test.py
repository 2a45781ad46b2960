"""scripts/preflight.py against an emulated AWS: see scripts/test-preflight."""

import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

import boto3
from botocore.exceptions import WaiterError

ROOT = Path(__file__).resolve().parent.parent
REGION = "eu-central-1"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Aws:
    """MiniStack as an account of its own."""

    def __init__(self, concurrency):
        self.url = f"http://127.0.0.1:{free_port()}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": tempfile.mkdtemp(),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        settings = {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": self.url.rsplit(":")[-1],
            "IOT_MTLS_ENABLED": "false",
            "LAMBDA_ACCOUNT_CONCURRENCY": str(concurrency),
        }
        command = [str(Path(sys.executable).parent / "ministack")]
        self.process = subprocess.Popen(
            command,
            env=self.environment | settings,
            cwd=self.environment["HOME"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=1)
                return
            except OSError:
                time.sleep(0.1)
        raise TimeoutError("MiniStack does not answer")

    def client(self, service):
        return boto3.client(
            service, region_name=REGION, endpoint_url=self.url, aws_access_key_id="test", aws_secret_access_key="test"
        )

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.environment["HOME"])


class Project:
    """A folder with the template, and samconfig.toml with other parameters for dev."""

    def __init__(self, **parameters):
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(ROOT / "template.yaml", self.folder)
        given = " ".join(f"{name}={value}" for name, value in parameters.items())
        config = (ROOT / "samconfig.toml").read_text()
        dev = re.compile(r'(\[dev\.deploy\.parameters\].*?parameter_overrides = )"[^"]*"', re.DOTALL)
        config, replaced = dev.subn(lambda found: f'{found[1]}"{given}"', config)
        assert replaced == 1
        (self.folder / "samconfig.toml").write_text(config)

    def build(self, machine):
        binary = self.folder / ".aws-sam/build/UsersFunction/bootstrap"
        binary.parent.mkdir(parents=True)
        binary.write_bytes(b"\x7fELF".ljust(18, b"\0") + struct.pack("<H", machine))

    def preflight(self, aws):
        command = [sys.executable, str(ROOT / "scripts/preflight.py"), "dev"]
        done = subprocess.run(command, cwd=self.folder, env=aws.environment, capture_output=True, text=True)
        shutil.rmtree(self.folder)
        assert done.returncode in (0, 1), done.stderr
        return done.stdout


class Preflight(unittest.TestCase):
    def says(self, report, *lines):
        for line in lines:
            self.assertRegex(report, f"(?m)^{line}")

    def test_a_new_account(self):
        aws = Aws(concurrency=10)
        self.addCleanup(aws.stop)
        aws.client("sesv2").put_account_details(
            MailType="TRANSACTIONAL",
            WebsiteURL="https://perch.test",
            UseCaseDescription="none",
            ProductionAccessEnabled=False,
        )
        self.says(Project().preflight(aws), "STOP  mails come from no-reply@example.com")
        project = Project(MailFrom="hello@perch.test", SocketLogs="on", WorkerReservedConcurrency=4)
        project.build(machine=62)
        report = project.preflight(aws)
        self.says(
            report,
            "STOP  functions are built for x86_64",
            "STOP  API Gateway has no role to write logs by",
            "STOP  SES has verified neither hello@perch.test nor perch.test in eu-central-1",
            "look  SES has the account in its sandbox",
            "look  Lambda runs 10 invocations at once; the workers alone take 28, and 2 more for each shard",
            "STOP  40 invocations are to be reserved, and 0 can be",
            "STOP  WorkerReservedConcurrency is below 8",
        )
        self.assertRegex(report, r"\d to be mended first\n$")

    def test_an_account_that_is_set_up(self):
        aws = Aws(concurrency=1000)
        self.addCleanup(aws.stop)
        aws.client("sesv2").create_email_identity(EmailIdentity="perch.test")
        role = "arn:aws:iam::000000000000:role/logs"
        patch = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": role}]
        aws.client("apigateway").update_account(patchOperations=patch)
        certificate = aws.client("acm").request_certificate(
            DomainName="api.perch.test", SubjectAlternativeNames=["*.live.perch.test"], ValidationMethod="DNS"
        )["CertificateArn"]
        domains = {"DomainName": "api.perch.test", "CertificateArn": certificate}
        project = Project(
            MailFrom="hello@perch.test",
            SocketLogs="on",
            SocketsDomainName="a.live.perch.test",
            WorkerReservedConcurrency=8,
            **domains,
        )
        project.build(machine=183)
        report = project.preflight(aws)
        self.says(
            report,
            "ok    1 functions are built, for arm64",
            "ok    account 000000000000, eu-central-1",
            "ok    perch-dev is a new stack",
            "ok    SocketLogs is on",
            "ok    SES has verified perch.test",
            "ok    the certificate has api.perch.test and a.live.perch.test",
            "ok    Lambda runs 1000 invocations at once, 36 of which workers may take",
            "ok    80 invocations at once are reserved",
            "ok    API Gateway takes 10000 requests a second",
            r"ok    the account may have \d+ more roles; the stack makes \d+$",
        )
        self.assertNotIn("not known", report)
        other = Project(
            MailFrom="hello@perch.test", SocketLogs="create-role", SocketsDomainName="sockets.perch.test", **domains
        )
        self.says(
            other.preflight(aws),
            f"STOP  API Gateway writes logs by {role} already",
            "STOP  the certificate does not have sockets.perch.test",
        )

    def test_stacks(self):
        aws = Aws(concurrency=1000)
        self.addCleanup(aws.stop)
        queue = '{"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}'
        aws.client("cloudformation").create_stack(StackName="perch-dev", TemplateBody=queue)
        aws.client("cloudformation").get_waiter("stack_create_complete").wait(
            StackName="perch-dev", WaiterConfig={"Delay": 1}
        )
        self.says(Project().preflight(aws), "ok    perch-dev is CREATE_COMPLETE")
        cloudformation = aws.client("cloudformation")
        cloudformation.delete_stack(StackName="perch-dev")
        cloudformation.get_waiter("stack_delete_complete").wait(StackName="perch-dev", WaiterConfig={"Delay": 1})
        # MiniStack makes no such alarm.
        alarm = '{"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": [{"Id": "m", "Expression": "1"}]}}'
        cloudformation.create_stack(StackName="perch-dev", TemplateBody='{"Resources": {"Alarm": %s}}' % alarm)
        with self.assertRaises(WaiterError):
            cloudformation.get_waiter("stack_create_complete").wait(StackName="perch-dev", WaiterConfig={"Delay": 1})
        self.says(Project().preflight(aws), "STOP  perch-dev is ROLLBACK_COMPLETE: its first deployment failed")

    def test_an_environment_that_is_not_there(self):
        command = [sys.executable, str(ROOT / "scripts/preflight.py"), "test"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(
            (done.returncode, done.stderr),
            (1, "samconfig.toml has no environment test; there are dev, staging, prod\n"),
        )


if __name__ == "__main__":
    unittest.main()
