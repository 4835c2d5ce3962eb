# Two commands matter: `make world` starts a world to walk in, `make test` checks everything. Both set up what they need.
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
PACKAGES := protocol sim ground backbone assets viewer grid bench tests

.PHONY: help world test lint bench clean
help: ## show this
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16
	@echo '  ARGS="..." is passed on: make world ARGS="--regions 3x2 --http-port 9100", make test ARGS="tests/grid -x"'

world: ## set up, then run a 2x2 grid; Ctrl-C ends it (data: ~/.local/share/mainland)
	@.ci/venv
	@.ci/kernels
	@.ci/page
	@exec $(BIN)/mainland up --open $(ARGS)

# pytest comes last, so that its closing line is the last thing seen.
test: ## set up, then lint, types and all tests, with two public client libraries and a browser in a real grid
	@.ci/venv test
	@.ci/kernels test
	@tests/clients/setup.sh
	@tests/web/setup.sh
	@echo 'lint and types'
	@$(BIN)/ruff check .
	@$(BIN)/mypy $(PACKAGES)
	@$(BIN)/python -m pytest $(ARGS)

lint: ## lint and types only
	@.ci/venv test
	@$(BIN)/ruff check .
	@$(BIN)/mypy $(PACKAGES)

bench: ## run the benchmarks one after the other (several minutes)
	@.ci/venv test
	@for file in $$(grep -l '"__main__"' bench/*.py); do name=$$(basename $$file .py); echo "== bench.$$name"; \
	  $(BIN)/python -m bench.$$name $(ARGS) || exit 1; done

clean: ## remove what set-up and tests made; worlds stay
	rm -rf .venv .venv-hippolyzer tests/clients/node/node_modules viewer/web/node_modules viewer/web/dist build dist *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .ci/.venv.lock .clients-setup.lock
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
