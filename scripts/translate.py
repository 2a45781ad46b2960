"""Turns the SAM template into the CloudFormation that AWS makes of it, without AWS.

usage: translate.py TEMPLATE OUTPUT ACCEPTED [PARAMETER=VALUE]...

ACCEPTED lists findings of checkov that stay, which are written into the resources as checkov reads it there. The
parameters are those that SAM itself looks at.
"""

import fnmatch
import json
import os
import sys
from pathlib import Path

import yaml
from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies:
    """Stands in for the list of AWS's managed policies: the template names none that SAM would look up."""

    def load(self):
        return {}


def translate(template, parameters):
    # It names a partition; nothing is asked of it.
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")
    # What `sam build` and `sam deploy` put there.
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"
    # CloudFormation hands lists over as lists.
    lists = {
        name: parameter["Default"].split(",")
        for name, parameter in template["Parameters"].items()
        if parameter["Type"] == "CommaDelimitedList"
    }
    return transform(template, lists | parameters, NoManagedPolicies())


def accept(resources, findings):
    for finding in findings:
        for pattern in finding["resources"]:
            names = fnmatch.filter(resources, pattern)
            if not names:
                sys.exit(f"{finding['check']} is accepted for {pattern}, which is no resource")
            for name in names:
                skips = resources[name].setdefault("Metadata", {}).setdefault("checkov", {}).setdefault("skip", [])
                skips.append({"id": finding["check"], "comment": finding["reason"]})


def main(source, output, accepted, *parameters):
    try:
        given = dict(parameter.split("=", 1) for parameter in parameters)
        cloudformation = translate(yaml_parse(Path(source).read_text()), given)
    except InvalidDocumentException as error:
        sys.exit("\n".join(cause.message for cause in error.causes))
    accept(cloudformation["Resources"], yaml.safe_load(Path(accepted).read_text()))
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_text(json.dumps(cloudformation, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
