"""What the template must say of data, queues and alarms, and neither cfn-lint nor the tests look at."""

from deploy_check.emulator import dead_letter_queues

DAY = 24 * 3600
NAMESPACES = ["AWS/ApiGateway", "AWS/DynamoDB", "AWS/Lambda", "AWS/SES", "AWS/SQS"]


def problems(template):
    dead = dead_letter_queues(template)
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::SQS::Queue":
                days = 14 if name in dead else 4
                if properties.get("MessageRetentionPeriod") != days * DAY:
                    yield f"{name} does not keep messages for {days} days"
                if properties.get("SqsManagedSseEnabled") is not True:
                    yield f"{name} is not encrypted"
            case "AWS::DynamoDB::Table":
                recovery = properties.get("PointInTimeRecoverySpecification", {})
                if recovery.get("PointInTimeRecoveryEnabled") is not True:
                    yield f"{name} can't be restored to a point in time"
            case "AWS::CloudWatch::Alarm":
                metrics = [one["MetricStat"]["Metric"] for one in properties.get("Metrics", []) if "MetricStat" in one]
                for metric in metrics or [properties]:
                    # The stack's own figures are in a namespace of its name.
                    if metric.get("Namespace") not in [*NAMESPACES, {"Ref": "AWS::StackName"}]:
                        yield f"{name} watches {metric.get('Namespace')}, which is no namespace of AWS"
