# `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help run test lint bench fuzz

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Start CA, KRA and OCSP responder on ./chancery-data
	cargo run --release -- up

test: ## Install the tools that tests use (as root), then run every test
	tests/install-tools
	cargo build --workspace --bins
	cargo test --workspace

lint: ## Formatting, clippy without a warning, dependency rules (where cargo-deny is installed)
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	@if command -v cargo-deny >/dev/null; then cargo deny check bans licenses sources; \
	else echo "cargo-deny is not installed: dependency rules not checked"; fi

bench: ## Measure against what this machine can do at best (release build, needs wrk)
	tests/bench/run

fuzz: ## Fuzz CSR and OCSP request parsing for a minute each
	tests/fuzz/run
