# What there is to do, a line each.
_default:
    @just --list --unsorted

# The whole service at http://localhost:3000
run *arguments:
    cargo run -- {{ arguments }}

# The tests of every day
test *arguments:
    cargo test --workspace {{ arguments }}

# The long tests: many kills, all journeys under each kind of fault, hundreds of stories, load
campaign *arguments:
    cargo campaign {{ arguments }}

# Formatting, clippy, the template, workflows and scripts
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    scripts/check-template
    scripts/check-workflows
    scripts/check-security-doc

# Licences, sources and known vulnerabilities (cargo install cargo-deny)
deny:
    cargo deny check

# openapi.json from the code
openapi:
    mkdir -p target
    cargo run --quiet -- --print-openapi > target/openapi.json
    mv target/openapi.json openapi.json

# An empty data folder filled with people, posts and pictures
demo *arguments:
    cargo run -- demo {{ arguments }}

# The wheel: built, installed far from here, started
wheel:
    scripts/check-wheel

# The template's checks; with --deploy the functions' release builds on an emulated AWS, and the tests there
deploy-check *arguments:
    scripts/deploy-check {{ arguments }}

# All that must hold before a change lands
ci:
    .ci/run
