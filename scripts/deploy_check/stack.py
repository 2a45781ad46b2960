"""A stack on MiniStack: created, updated, deleted."""

import json
import time

import boto3

from deploy_check.emulator import REGION, ROOT_KEY

BUCKET = "deployments"


class Stack:
    def __init__(self, url, name="perch", clients=None):
        self.url = url
        self.name = name
        self.cloudformation = clients["cloudformation"] if clients else self.client("cloudformation")
        self.s3 = clients["s3"] if clients else self.client("s3")

    def client(self, service):
        keys = {name.lower(): value for name, value in ROOT_KEY.items() if "ACCESS_KEY" in name}
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, **keys)

    def put(self, zips):
        """Uploads each function's code, which is made but once: key and file."""
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        for key, path in zips.items():
            self.s3.upload_file(str(path), BUCKET, key)

    def create(self, template, parameters):
        return self.change(self.cloudformation.create_stack, template, parameters)

    def update(self, template, parameters):
        return self.change(self.cloudformation.update_stack, template, parameters)

    def delete(self):
        started = time.monotonic()
        stack = self.describe()["StackId"]
        self.cloudformation.delete_stack(StackName=stack)
        self.settle(stack, "DELETE_COMPLETE")
        return time.monotonic() - started

    def change(self, act, template, parameters):
        started = time.monotonic()
        key = f"{self.name}.json"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(template).encode())
        act(
            StackName=self.name,
            TemplateURL=f"{self.url}/{BUCKET}/{key}",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )
        self.settle(self.name, "CREATE_COMPLETE", "UPDATE_COMPLETE")
        return time.monotonic() - started

    def settle(self, stack, *ends):
        while (status := self.describe(stack)["StackStatus"]).endswith("IN_PROGRESS"):
            time.sleep(0.1)
        if status not in ends:
            events = self.cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
            failed = [event for event in reversed(events) if "FAILED" in event["ResourceStatus"]]
            reasons = [f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}" for event in failed]
            raise SystemExit("\n".join([f"the stack is {status}", *reasons]))

    def describe(self, stack=None):
        return self.cloudformation.describe_stacks(StackName=stack or self.name)["Stacks"][0]

    def outputs(self):
        return {output["OutputKey"]: output["OutputValue"] for output in self.describe().get("Outputs", [])}

    def resources(self):
        """Each resource by its logical id: type and physical id."""
        pages = self.cloudformation.get_paginator("list_stack_resources").paginate(StackName=self.name)
        found = [resource for page in pages for resource in page["StackResourceSummaries"]]
        return {one["LogicalResourceId"]: (one["ResourceType"], one["PhysicalResourceId"]) for one in found}
