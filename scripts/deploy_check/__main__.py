"""scripts/deploy-check: see its --help."""

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from deploy_check import build, journeys, mutate, policies, rules, startup, update
from deploy_check.accepted import ACCEPTED
from deploy_check.emulator import MiniStack
from deploy_check.stack import BUCKET
from deploy_check.stacks import Stacks

ROOT = Path(__file__).parents[2]
TRANSLATION = ROOT / ".aws-sam/check/all-at-once.json"
WORK = ROOT / ".aws-sam/deploy-check"
# Journeys on one MiniStack.
BATCH = 50


def main():
    options = arguments()
    problems = []
    with step("translation, lint, policy"):
        subprocess.run([ROOT / "scripts/check-template"], check=True)
    template = json.loads(TRANSLATION.read_text())
    if not options.record:
        with step("permissions, by what was asked for last"):
            problems += policies.problems(template, policies.recorded())
            problems += rules.problems(template)
    if options.mutate:
        problems += mutations(options)
    if options.deploy:
        problems += deploy(options, template)
    for problem in problems:
        print(f"FAILED: {problem}")
    sys.exit(1 if problems else 0)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/deploy-check", description=__doc__)
    parser.add_argument("--deploy", action="store_true", help="build, deploy to MiniStack, run the journeys there")
    parser.add_argument("--binaries", type=Path, help="a folder with the functions' binaries, instead of building them")
    parser.add_argument("--record", action="store_true", help="write down what the journeys asked for")
    parser.add_argument(
        "--mutate", type=int, default=0, metavar="N", help="hold the checks to N faults in the template"
    )
    parser.add_argument("--threads", type=int, default=2, help="journeys at once")
    parser.add_argument("journeys", nargs="*", help="names of journeys, or parts of names; all without")
    return parser.parse_args()


def mutations(options):
    with step("the tests"):
        tests = journeys.binary(ROOT)
    with step(f"{options.mutate} mutations"):
        survived, all = mutate.run(ROOT, WORK, tests, policies.recorded(), options.mutate, options.threads)
    return [f"{survived} of {all} mutations survive"] if survived * 20 > all else []


class step:
    def __init__(self, name):
        self.name = name

    def __enter__(self):
        print(f"== {self.name}", flush=True)
        self.started = time.monotonic()

    def __exit__(self, *_):
        print(f"   {time.monotonic() - self.started:.1f} s", flush=True)


def deploy(options, template):
    binaries = sorted(build.functions(template).values())
    with step(f"{len(binaries)} functions"):
        if options.binaries:
            paths = {binary: found(options.binaries, binary) for binary in binaries}
        else:
            paths = build.build(ROOT, binaries)
        problems = build.too_new(paths)
        zips = build.put_code(template, paths, WORK / "code", BUCKET)
    with step("the tests"):
        tests = journeys.binary(ROOT)
    WORK.mkdir(parents=True, exist_ok=True)
    decisions = WORK / "decisions.jsonl"
    decisions.write_text("")
    made = []
    with MiniStack(WORK, decisions) as ministack, Stacks(ministack, template, zips, made) as stacks:
        with step("size, start, memory"):
            stack = stacks.create("startup", {})
            packed = {path.name.rsplit("-", 1)[0]: path for path in zips.values()}
            startup.table(
                ROOT,
                {name: (paths[name], packed[paths[name].parent.name]) for name in binaries},
                stack.environments(),
            )
            stacks.delete(stack.stack.name)
        with step("a change of the template, and its end"):
            problems += update.check(stacks)
    with step("journeys"):
        started = time.monotonic()
        names, ends = journeys.names(ROOT, tests, options.journeys)
        with (WORK / "journeys.log").open("w") as log:
            # MiniStack slows down with what its earlier stacks left behind.
            for batch in batched(names, BATCH):
                with MiniStack(WORK, decisions) as ministack, Stacks(ministack, template, zips, made) as stacks:
                    ends |= journeys.run(ROOT, tests, stacks, batch, options.threads, log)
        problems += report(ends, time.monotonic() - started, made)
    with step("permissions"):
        problems += permissions(options, template, decisions, made)
    return problems


def batched(all, size):
    return [all[place : place + size] for place in range(0, len(all), size)]


def found(folder, binary):
    nested = folder / binary / "bootstrap"
    return nested if nested.exists() else folder / binary


def report(ends, seconds, made):
    for name, (how, why) in sorted(ends.items()):
        if how != "passed":
            print(f"   {how}: {name}: {why}")
    counts = Counter(how for how, _ in ends.values())
    print(
        f"   {counts['passed']} journeys passed, {counts['failed']} failed, {counts['skipped']} skipped, in {seconds:.0f} s"
    )
    print(f"   {len(made)} stacks, made in {sum(one['created'] for one in made) / max(len(made), 1):.1f} s each")
    problems = [f"{name} fails on a stack" for name, (how, _) in ends.items() if how == "failed"]
    for one in made:
        passed = ends.get(one["test"], ("", ""))[0] == "passed"
        if passed and one["dead_letters"] and one["test"] not in ACCEPTED["dead_letters"]:
            problems.append(f"{one['test']} left dead letters: {one['dead_letters']}")
    return problems


def permissions(options, template, decisions, made):
    seen = [json.loads(line) for line in decisions.read_text().splitlines()]
    asked, refused = policies.normalized(seen, made)
    problems = [
        f"{function} was refused {action} on {resource}"
        for function, all in refused.items()
        for action, resource in sorted(all)
    ]
    if options.record:
        problems += policies.problems(template, policies.record(asked))
    return problems


if __name__ == "__main__":
    main()
