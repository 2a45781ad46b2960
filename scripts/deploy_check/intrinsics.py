"""CloudFormation's functions, resolved as far as policies and checks need: a resource's name is its logical id."""

import re

REGION, ACCOUNT, PARTITION = "eu-central-1", "000000000000", "aws"
PSEUDO = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": PARTITION,
    "AWS::StackName": "perch",
    "AWS::URLSuffix": "amazonaws.com",
}
NOTHING = {"Ref": "AWS::NoValue"}


class Resolver:
    def __init__(self, template, parameters=None):
        self.template = template
        given = parameters or {}
        self.parameters = {
            name: given.get(name, one.get("Default", "")) for name, one in template.get("Parameters", {}).items()
        }

    def resolve(self, value):
        if isinstance(value, list):
            return [self.resolve(one) for one in value if one != NOTHING and self.choose(one) != NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref":
                return self.ref(argument)
            if name.startswith("Fn::"):
                return self.call(name.removeprefix("Fn::"), argument)
        return {name: self.resolve(one) for name, one in value.items() if self.choose(one) != NOTHING}

    def choose(self, value):
        """The branch of an If, or the value itself."""
        if isinstance(value, dict) and "Fn::If" in value:
            condition, yes, no = value["Fn::If"]
            return self.choose(yes if self.holds({"Condition": condition}) else no)
        return value

    def ref(self, name):
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self.parameters:
            return self.parameters[name]
        # These are referred to by their ARNs.
        if self.template["Resources"].get(name, {}).get("Type") in ("AWS::SecretsManager::Secret", "AWS::SNS::Topic"):
            return self.arn(name)
        return name

    def call(self, name, argument):
        match name:
            case "GetAtt":
                logical, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
                return self.arn(logical) if attribute == "Arn" else f"{logical}.{attribute}"
            case "Sub":
                text, extra = argument if isinstance(argument, list) else (argument, {})
                extra = {name: self.resolve(value) for name, value in extra.items()}
                return re.sub(r"\$\{([^!}]+)\}", lambda found: str(self.sub(found[1], extra)), text)
            case "Join":
                return argument[0].join(str(one) for one in self.resolve(argument[1]))
            case "If":
                return self.resolve(self.choose({"Fn::If": argument}))
            case "Select":
                return self.resolve(argument[1])[int(argument[0])]
            case "Split":
                return str(self.resolve(argument[1])).split(argument[0])
        raise ValueError(f"Fn::{name} is not known here")

    def sub(self, name, extra):
        if name in extra:
            return extra[name]
        return self.call("GetAtt", name) if "." in name else self.ref(name)

    def holds(self, condition):
        ((name, argument),) = condition.items()
        match name:
            case "Condition":
                return self.holds(self.template["Conditions"][argument])
            case "Fn::Equals":
                return str(self.resolve(argument[0])) == str(self.resolve(argument[1]))
            case "Fn::Not":
                return not self.holds(argument[0])
            case "Fn::And":
                return all(self.holds(one) for one in argument)
            case "Fn::Or":
                return any(self.holds(one) for one in argument)
        raise ValueError(f"{name} is no condition")

    def arn(self, logical):
        place = f"{REGION}:{ACCOUNT}"
        match self.template["Resources"][logical]["Type"]:
            case "AWS::S3::Bucket":
                return f"arn:aws:s3:::{logical}"
            case "AWS::SQS::Queue":
                return f"arn:aws:sqs:{place}:{logical}"
            case "AWS::SNS::Topic":
                return f"arn:aws:sns:{place}:{logical}"
            case "AWS::DynamoDB::Table":
                return f"arn:aws:dynamodb:{place}:table/{logical}"
            case "AWS::Lambda::Function":
                return f"arn:aws:lambda:{place}:function:{logical}"
            case "AWS::Logs::LogGroup":
                return f"arn:aws:logs:{place}:log-group:{logical}:*"
            case "AWS::SecretsManager::Secret":
                return f"arn:aws:secretsmanager:{place}:secret:{logical}"
            case "AWS::IAM::Role":
                return f"arn:aws:iam::{ACCOUNT}:role/{logical}"
            case other:
                return f"arn:aws:{other.lower().replace('::', ':')}:{logical}"
