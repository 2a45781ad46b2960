"""Proves the deployment without an AWS account; scripts/deploy-check runs it."""
