"""Asks this machine and the AWS account whether a deployment will succeed: see scripts/preflight."""

import shlex
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import boto3
import yaml
from botocore.exceptions import BotoCoreError, ClientError

try:
    import tomllib
except ModuleNotFoundError:
    import tomli as tomllib

# Lambda keeps so many invocations at once that nobody may reserve ("Configuring reserved concurrency").
UNRESERVABLE = 100
# Shards of a new table, each of which dispatch reads with as many invocations as ParallelizationFactor says.
NEW_TABLE_SHARDS = 4
TARGETS = {"arm64": "aarch64-unknown-linux-gnu", "x86_64": "x86_64-unknown-linux-gnu"}
# e_machine of an ELF file.
MACHINES = {183: "arm64", 62: "x86_64"}


class Template:
    """template.yaml as far as it matters here; intrinsic functions are left as they stand."""

    def __init__(self, path):
        class Loader(yaml.SafeLoader):
            pass

        def plain(loader, _, node):
            if isinstance(node, yaml.ScalarNode):
                return loader.construct_scalar(node)
            if isinstance(node, yaml.SequenceNode):
                return loader.construct_sequence(node, deep=True)
            return loader.construct_mapping(node, deep=True)

        Loader.add_multi_constructor("!", plain)
        document = yaml.load(Path(path).read_text(), Loader)
        resources = document["Resources"].values()
        self.defaults = {name: str(one["Default"]) for name, one in document["Parameters"].items()}
        self.functions = [one["Properties"] for one in resources if one["Type"] == "AWS::Serverless::Function"]
        events = [event["Properties"] for one in self.functions for event in one.get("Events", {}).values()]
        self.queue_readers = sum(event.get("ScalingConfig", {}).get("MaximumConcurrency", 0) for event in events)
        self.per_shard = sum(event.get("ParallelizationFactor", 0) for event in events)
        self.roles = sum(one["Type"] == "AWS::IAM::Role" for one in resources)
        self.requests = max(
            one["Properties"].get("DefaultRouteSettings", {}).get("ThrottlingRateLimit", 0)
            for one in resources
            if "Properties" in one
        )

    def reserving(self, parameter):
        """How many functions reserve what the parameter says."""
        return sum(parameter in str(one.get("ReservedConcurrentExecutions")) for one in self.functions)


class Environment:
    """What samconfig.toml says of one environment."""

    def __init__(self, name, template):
        config = tomllib.loads(Path("samconfig.toml").read_text())
        if name not in config or name == "default":
            names = ", ".join(one for one in config if one not in ("version", "default"))
            sys.exit(f"samconfig.toml has no environment {name}; there are {names}")
        settings = {}
        for command in ("global", "deploy"):
            settings |= config[name].get(command, {}).get("parameters", {})
        self.region, self.stack = settings["region"], settings["stack_name"]
        self.parameters = template.defaults | overrides(settings)
        build = config["default"].get("build", {}).get("parameters", {})
        self.built_for = overrides(build).get("Architecture", template.defaults["Architecture"])

    def __getitem__(self, parameter):
        return self.parameters[parameter]

    def number(self, parameter):
        return int(self.parameters[parameter])


def overrides(settings):
    given = settings.get("parameter_overrides", "")
    pairs = given if isinstance(given, list) else shlex.split(given)
    return dict(pair.split("=", 1) for pair in pairs)


class Report:
    """Lines for a reader: all is well, look at this, or the deployment will not succeed."""

    def __init__(self):
        self.stops = 0

    def ok(self, what):
        print(f"ok    {what}")

    def look(self, what, then):
        print(f"look  {what}\n      {then}")

    def stop(self, what, then):
        self.stops += 1
        print(f"STOP  {what}\n      {then}")


# ---------------------------------------------------------------- this machine


def tools(report, environment):
    for command, then in [
        (["sam", "--version"], "pip install aws-sam-cli, or docs.aws.amazon.com/serverless-application-model"),
        (["cargo", "lambda", "--version"], "pip install cargo-lambda, or www.cargo-lambda.info"),
    ]:
        found = shutil.which(command[0]) and subprocess.run(command, capture_output=True, text=True)
        if found and found.returncode == 0:
            report.ok(found.stdout.strip())
        else:
            report.stop(f"there is no {' '.join(command[:-1])}", then)


def target(report, environment):
    architecture = environment["Architecture"]
    if environment.built_for != architecture:
        report.stop(
            f"sam build builds for {environment.built_for}, and Architecture is {architecture}",
            f'parameter_overrides = "Architecture={architecture}" under [default.build.parameters] in samconfig.toml',
        )
    name = TARGETS[architecture]
    asked = shutil.which("rustc") and subprocess.run(
        ["rustc", "--print", "target-libdir", "--target", name], capture_output=True, text=True
    )
    if asked and asked.returncode == 0 and Path(asked.stdout.strip()).is_dir():
        report.ok(f"Rust builds for {name}")
    else:
        other = next(one for one in TARGETS if one != architecture)
        report.stop(
            f"Rust has no standard library for {name}, which Architecture={architecture} takes",
            f"rustup target add {name}; without rustup, Architecture={other} where this machine is one, in both places of samconfig.toml",
        )


def built(report, environment):
    binaries = sorted(Path(".aws-sam/build").glob("*/bootstrap"))
    found = {MACHINES.get(machine(binary), "another machine") for binary in binaries}
    if not binaries:
        report.look("nothing is built yet", "sam build")
    elif found == {environment["Architecture"]}:
        report.ok(f"{len(binaries)} functions are built, for {environment['Architecture']}")
    else:
        report.stop(
            f"functions are built for {' and '.join(sorted(found))}",
            "sam build, once both places of samconfig.toml agree",
        )


def machine(binary):
    with binary.open("rb") as file:
        header = file.read(20)
    return struct.unpack_from("<H", header, 18)[0] if header[:4] == b"\x7fELF" and len(header) == 20 else None


# ---------------------------------------------------------------- the account


class Account:
    def __init__(self, region):
        self.session = boto3.Session(region_name=region)

    def __getattr__(self, service):
        return self.session.client(service.strip("_").replace("_", "-"))


def stack(report, environment, account):
    try:
        status = account.cloudformation.describe_stacks(StackName=environment.stack)["Stacks"][0]["StackStatus"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        report.ok(f"{environment.stack} is a new stack")
        return
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"):
        report.stop(
            f"{environment.stack} is {status}: its first deployment failed",
            f"sam delete --stack-name {environment.stack}",
        )
    elif status.endswith("_IN_PROGRESS"):
        report.stop(f"{environment.stack} is {status}", "wait until it is done")
    elif status.endswith("FAILED"):
        report.stop(
            f"{environment.stack} is {status}",
            "aws cloudformation continue-update-rollback; the stack's events say why it failed",
        )
    else:
        report.ok(f"{environment.stack} is {status}")


def socket_logs(report, environment, account):
    role, logs = account.apigateway.get_account().get("cloudwatchRoleArn"), environment["SocketLogs"]
    if logs == "on" and not role:
        report.stop("API Gateway has no role to write logs by, and SocketLogs is on", "SocketLogs=create-role, or off")
    elif logs == "create-role" and role and not role.split("/")[-1].startswith(environment.stack):
        report.stop(
            f"API Gateway writes logs by {role} already, which SocketLogs=create-role replaces for all of the account's APIs",
            "SocketLogs=on",
        )
    elif logs == "off":
        then = "SocketLogs=on" if role else "SocketLogs=create-role, in one stack of this account and region"
        report.look(
            "WebSocket connections are not logged by API Gateway",
            f"{then}, if you want that; the function logs them anyway",
        )
    else:
        report.ok(f"SocketLogs is {logs}")


def mail(report, environment, account):
    sender = environment["MailFrom"]
    domain = sender.split("@")[-1]
    if domain == "example.com":
        report.stop(
            f"mails come from {sender}",
            "MailFrom in samconfig.toml: an address whose domain, or itself, is verified in SES",
        )
        return
    verified = [name for name in (sender, domain) if is_verified(account, name)]
    if verified:
        report.ok(f"SES has verified {verified[0]}")
    else:
        report.stop(
            f"SES has verified neither {sender} nor {domain} in {environment.region}",
            f"aws sesv2 create-email-identity --region {environment.region} --email-identity {domain}, and the DNS records that it answers",
        )
    status = account.sesv2.get_account()
    if not status["SendingEnabled"]:
        report.stop(
            "SES has stopped the account's sending", "the console of SES says why, and takes a request for review"
        )
    if status["ProductionAccessEnabled"]:
        report.ok(f"SES sends {status['SendQuota']['MaxSendRate']:g} mails a second")
    else:
        report.look(
            f"SES has the account in its sandbox: only verified addresses get mail, {status['SendQuota']['Max24HourSend']:g} a day",
            "Account dashboard, Request production access, in the console of SES; until then verify the addresses that you sign up with",
        )


def is_verified(account, name):
    try:
        return account.sesv2.get_email_identity(EmailIdentity=name)["VerifiedForSendingStatus"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "NotFoundException":
            return False
        raise


def concurrency(report, environment, account, template):
    limits = account._lambda.get_account_settings()["AccountLimit"]
    every, free = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    workers = template.queue_readers + template.per_shard * NEW_TABLE_SHARDS
    quota = f"aws service-quotas request-service-quota-increase --region {environment.region} --service-code lambda --quota-code L-B99A9384 --desired-value 1000"
    if every < workers * 2:
        report.look(
            f"Lambda runs {every} invocations at once; the workers alone take {template.queue_readers}, and {template.per_shard} more for each shard of the table",
            f"{quota}: a request's client gets a 503 where there is none left",
        )
    else:
        report.ok(f"Lambda runs {every} invocations at once, {workers} of which workers may take")
    wanted = sum(
        environment.number(name) * template.reserving(name)
        for name in ("ApiReservedConcurrency", "WorkerReservedConcurrency")
    )
    if wanted and wanted > free - UNRESERVABLE:
        report.stop(
            f"{wanted} invocations are to be reserved, and {max(free - UNRESERVABLE, 0)} can be",
            f"{quota}, or reserve fewer",
        )
    elif wanted:
        report.ok(f"{wanted} invocations at once are reserved")
    if 0 < environment.number("WorkerReservedConcurrency") < 8:
        report.stop("WorkerReservedConcurrency is below 8, which fanout reads its queue with", "8 or more, or 0")


def quotas(report, environment, account, template):
    throttle = account.apigateway.get_account()["throttleSettings"]["rateLimit"]
    if throttle < template.requests:
        report.look(
            f"API Gateway takes {throttle:g} requests a second of the account, and a stage may take {template.requests}",
            "request a higher throttle rate in Service Quotas",
        )
    else:
        report.ok(f"API Gateway takes {throttle:g} requests a second")
    summary = account.iam.get_account_summary()["SummaryMap"]
    if "RolesQuota" in summary:
        free = summary["RolesQuota"] - summary["Roles"]
        if free < template.roles:
            report.stop(
                f"the account may have {free} more roles, and the stack makes {template.roles}",
                "request more roles per account in Service Quotas",
            )
        else:
            report.ok(f"the account may have {free} more roles; the stack makes {template.roles}")
    writes = account.dynamodb.describe_limits()["TableMaxWriteCapacityUnits"]
    report.ok(f"a table may write {writes:,} units a second")


def certificate(report, environment, account):
    names = [environment[name] for name in ("DomainName", "SocketsDomainName") if environment[name]]
    if not names:
        return
    arn = environment["CertificateArn"]
    if f":{environment.region}:" not in arn:
        report.stop(
            f"{' and '.join(names)} take a certificate of {environment.region}, and CertificateArn is {arn or 'empty'}",
            "aws acm request-certificate --validation-method DNS, in that region",
        )
        return
    found = account.acm.describe_certificate(CertificateArn=arn)["Certificate"]
    covered = set(found.get("SubjectAlternativeNames", [])) | {found["DomainName"]}
    missing = [name for name in names if name not in covered and f"*.{name.partition('.')[2]}" not in covered]
    if found["Status"] != "ISSUED":
        report.stop(f"the certificate is {found['Status']}", "its DNS records, which the console of ACM shows")
    elif missing:
        report.stop(f"the certificate does not have {' and '.join(missing)}", "request one that has")
    else:
        report.ok(f"the certificate has {' and '.join(names)}")


def ask(report, question, *arguments):
    try:
        question(report, *arguments)
    except (BotoCoreError, ClientError, KeyError) as error:
        report.look(f"{question.__name__}: not known", f"{type(error).__name__}: {error}")


def main(name):
    template = Template("template.yaml")
    environment, report = Environment(name, template), Report()
    for question in (tools, target, built):
        question(report, environment)
    account = Account(environment.region)
    try:
        identity = account.sts.get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        report.stop(f"AWS does not know who asks: {error}", "aws configure sso, or AWS_PROFILE")
    else:
        report.ok(f"account {identity['Account']}, {environment.region}, as {identity['Arn']}")
        for question in (stack, socket_logs, mail, certificate):
            ask(report, question, environment, account)
        for question in (concurrency, quotas):
            ask(report, question, environment, account, template)
    print(f"\n{report.stops} to be mended first" if report.stops else "\nNothing is in the way.")
    return min(report.stops, 1)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: scripts/preflight ENVIRONMENT")
    sys.exit(main(sys.argv[1]))
