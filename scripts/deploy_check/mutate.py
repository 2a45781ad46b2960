"""Holds the checks to faults: each mutation of the template must be caught by one of them."""

import json
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from deploy_check import mutations, policies, rules

# Tests that hold template, code and documents to each other.
FILES = ["contract::", "operations::"]
# Journeys on a local host that runs the template.
JOURNEYS = ["conventions::", "journeys::from", "deployed::sockets", "deployed::every", "media::a_video_goes"]
# A journey that waits for what does not come has found it out.
PATIENCE = 100


class Checks:
    def __init__(self, root, work, tests, asked):
        self.root, self.work, self.tests, self.asked = root, work, tests, asked
        self.tools = root / ".venv-template/bin"
        self.skipped = []

    def learn(self, template):
        """What finds fault with the template as it is says nothing of mutations: tests that read it as a text."""
        ends = subprocess.run(
            [self.tests, *FILES, *JOURNEYS], cwd=self.write("unchanged", template), capture_output=True, text=True
        )
        self.skipped = [
            line.split()[1] for line in ends.stdout.splitlines() if line.startswith("test ") and line.endswith("FAILED")
        ]
        for name in self.skipped:
            print(f"   left out: {name}")
        if found := self.judge("unchanged", template):
            raise SystemExit(f"the template as it is: {found}")

    def write(self, name, template):
        folder = self.work / "mutations" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "template.yaml").write_text(json.dumps(template, indent=1))
        return folder

    def judge(self, name, template):
        """The first check that finds something wrong, and what."""
        folder = self.write(name, template)
        source, translation = folder / "template.yaml", folder / "cloudformation.json"
        checks = [self.translate, self.permissions, self.files, self.lint, self.policy, self.journeys]
        for check in checks:
            if found := check(source, translation):
                return check.__name__, found
        return None

    def tell(self, number, mutation, template):
        end = self.judge(str(number), mutation.of(template))
        with (self.work / "mutations.log").open("a") as log:
            log.write(f"{mutation}: {' by '.join(reversed(end)) if end else 'SURVIVED'}\n")
        return end

    def translate(self, source, translation):
        scripts = self.root / "scripts"
        translate = [self.tools / "python", scripts / "translate.py", source, translation, scripts / "accepted.yaml"]
        return failed([*translate, "Rollout=all-at-once"])

    def permissions(self, _, translation):
        try:
            template = json.loads(translation.read_text())
            return next(iter([*policies.problems(template, self.asked), *rules.problems(template)]), None)
        except (KeyError, ValueError, TypeError) as error:
            return f"{type(error).__name__}: {error}"

    def files(self, source, _):
        return self.project(FILES, source)

    def journeys(self, source, _):
        return self.project(JOURNEYS, source)

    def project(self, tests, source):
        # The template of the current folder goes before the project's own.
        skips = [argument for name in self.skipped for argument in ("--skip", name)]
        return failed([self.tests, *tests, *skips], source.parent)

    def lint(self, source, translation):
        return failed([self.tools / "cfn-lint", "--ignore-checks", "W2001", "W7001", "--", source, translation])

    def policy(self, _, translation):
        return failed(
            [self.tools / "checkov", "--config-file", self.root / "scripts/checkov.yaml", "--file", translation]
        )


def failed(command, folder=None):
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return "it does not end"
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        telling = [line for line in lines if "panicked" in line or "FAILED" in line or line[0] in "EW"]
        return (telling + lines + ["it fails"])[0][:160]
    return None


def run(root, work, tests, asked, count, threads):
    """Prints who caught what, and each survivor; how many survived."""
    template = mutations.load((root / "template.yaml").read_text())
    chosen = mutations.sample(template, count)
    checks = Checks(root, work, tests, asked)
    (work / "mutations.log").unlink(missing_ok=True)
    checks.learn(template)
    with ThreadPoolExecutor(threads) as pool:
        ends = list(pool.map(lambda one: checks.tell(*one, template), enumerate(chosen)))
    for name, number in Counter(end[0] for end in ends if end).most_common():
        print(f"   {number:4} caught by {name}")
    survivors = [mutation for mutation, end in zip(chosen, ends) if end is None]
    for mutation in survivors:
        print(f"   survived: {mutation}")
    print(f"   {len(chosen) - len(survivors)} of {len(chosen)} caught")
    return len(survivors), len(chosen)
