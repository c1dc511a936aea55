# `make run` and `make test` set the checkout up first. After that, plain cargo works too.

.DEFAULT_GOAL := help
CARGO ?= cargo
# Options that are passed on, for example: make run ARGS="--set train.epochs=3"
ARGS ?=

.PHONY: help setup run test test-interface components gpu-check study pictures slow-line docs deny clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## fetch libtorch and the demo's model (once)
	@scripts/setup

run: setup ## build, and fine-tune the demo's model, live
	$(CARGO) run --release --locked -- demo $(ARGS)

# In release mode, so that running and testing share one build of tch's C++ part (about three minutes on two cores).
test: setup components ## check formatting and lints, run all tests
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --locked --all-targets -- -D warnings
	$(CARGO) test --release --locked

test-interface: ## test the interface alone, with snapshots of its screens: needs no libtorch
	$(CARGO) test --release --locked -p spartui-interface

components:
	@$(CARGO) fmt --version >/dev/null 2>&1 && $(CARGO) clippy --version >/dev/null 2>&1 || { \
	    echo "rustfmt or clippy is missing: rustup component add rustfmt clippy" >&2; exit 1; }

gpu-check: setup ## on a CUDA device: compare it with the CPU, measure a step
	$(CARGO) run --release --locked -- doctor
	$(CARGO) bench --locked --bench gpu_check -- $(ARGS)

study: setup ## compare SpaRTA, LoRA, full fine-tuning and others (hours; ARGS=--budget: minutes)
	$(CARGO) build --release --locked
	examples/study/run.sh $(ARGS)

pictures: setup ## draw the pictures of the documents from real frames
	$(CARGO) test --release --locked --test pictures -- --ignored --test-threads=1

slow-line: setup ## run a whole session over a simulated slow line; print keystrokes and seconds
	$(CARGO) test --release --locked --test slow_line -- --ignored --nocapture

docs: setup ## write docs/keys.md and docs/recipe.md from the program's tables
	SPARTUI_WRITE_DOCS=1 $(CARGO) test --release --locked --test documents

deny: ## check licences and advisories of the dependencies (needs cargo-deny)
	@$(CARGO) deny --version >/dev/null 2>&1 || { \
	    echo "cargo-deny is missing: cargo install --locked cargo-deny" >&2; exit 1; }
	$(CARGO) deny check

clean: ## remove build outputs; libtorch, models and runs stay
	$(CARGO) clean

distclean: clean ## remove libtorch and the demo's model too
	rm -rf .libtorch .libtorch.part.* models/all-MiniLM-L6-v2 models/all-MiniLM-L6-v2.part.*
