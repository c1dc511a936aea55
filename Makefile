# Two doors: `make run` and `make test`. Both set the checkout up first; after that plain cargo works too.

.DEFAULT_GOAL := help
CARGO ?= cargo
# For example: make run ARGS="--set train.epochs=3"
ARGS ?=

.PHONY: help setup run test components gpu-check study pictures slow-line docs deny clean distclean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## fetch libtorch and the demo's model (once)
	@scripts/setup

run: setup ## fine-tune the demo's model, live
	$(CARGO) run --release --locked -- demo $(ARGS)

# In release, so that running and testing share one build of tch's C++ part (about three minutes on two cores).
test: setup components ## format, lints and all tests
	$(CARGO) fmt --check
	$(CARGO) clippy --release --locked --all-targets -- -D warnings
	$(CARGO) test --release --locked

components:
	@$(CARGO) fmt --version >/dev/null 2>&1 && $(CARGO) clippy --version >/dev/null 2>&1 || { \
	    echo "rustfmt or clippy is missing: rustup component add rustfmt clippy" >&2; exit 1; }

gpu-check: setup ## on a CUDA device: is everything as on the CPU, and what does it cost there?
	$(CARGO) run --release --locked -- doctor
	$(CARGO) bench --locked --bench gpu_check -- $(ARGS)

study: setup ## SpaRTA beside LoRA, other selections, full and head-only (hours; ARGS=--budget: minutes)
	$(CARGO) build --release --locked
	examples/study/run.sh $(ARGS)

pictures: setup ## draw the README's pictures from real frames
	$(CARGO) test --release --locked --test pictures -- --ignored --test-threads=1

slow-line: setup ## go the way of a new user over a slow line, and tell keystrokes and seconds
	$(CARGO) test --release --locked --test slow_line -- --ignored --nocapture

docs: setup ## write the references of keys and recipe from the program's tables
	SPARTUI_WRITE_DOCS=1 $(CARGO) test --release --locked --test documents

deny: ## licences and advisories of the dependencies (needs cargo-deny)
	@$(CARGO) deny --version >/dev/null 2>&1 || { \
	    echo "cargo-deny is missing: cargo install --locked cargo-deny" >&2; exit 1; }
	$(CARGO) deny check

clean: ## remove what was built; libtorch, models and runs stay
	$(CARGO) clean

distclean: clean ## and libtorch and the demo's model
	rm -rf .libtorch .libtorch.part.* models/all-MiniLM-L6-v2 models/all-MiniLM-L6-v2.part.*
