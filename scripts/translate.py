"""Turns the SAM template into the CloudFormation that AWS makes of it, without AWS.

usage: translate.py TEMPLATE OUTPUT
"""

import json
import os
import sys
from pathlib import Path

from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies:
    """Stands in for the list of AWS's managed policies: the template names none."""

    def load(self):
        return {}


def translate(template):
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
    return transform(template, lists, NoManagedPolicies())


def main(source, output):
    try:
        cloudformation = translate(yaml_parse(Path(source).read_text()))
    except InvalidDocumentException as error:
        sys.exit("\n".join(cause.message for cause in error.causes))
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_text(json.dumps(cloudformation, indent=1))


main(*sys.argv[1:])
