# `make compare` trains every network and ends by naming its report; `make test` runs the tests. Both build .venv first.
PYTHON ?= python3
BIN := .venv/bin
JOBS ?= 1
INSTALLED := .venv/.installed
NOTEBOOKS := $(wildcard notebooks/*.ipynb)

.PHONY: compare test check format reproduce reproduce-reader reproduce-robust bench mutants notebooks lock audit sbom clean

compare: $(INSTALLED)
	$(BIN)/inkdigits compare --quick

# One worker more than cores, as many tests wait for other processes; at most 4.
WORKERS := $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 4 ? n + 1 : 4)))
test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS) --dist loadscope

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/check_docs.py

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# All results from scratch, in hours: the comparison, the graph networks with tests of their explanations, robustness.
# An interrupted run resumes. The recipes are fixed, so the compared networks need no validation digits and learn from
# all 60,000 training digits.
reproduce: $(INSTALLED)
	$(BIN)/inkdigits compare --models mlp,mlp:best,cnn,lenet5,resnet,densenet,lstm,autoencoder --seeds 3 \
	  --validation 0 --jobs $(JOBS) --out runs/reproduce
	$(BIN)/inkdigits compare --models gnn,gnn:small,gnn-attention --seeds 3 --validation 0 --faithfulness 500 \
	  --jobs $(JOBS) --out runs/reproduce-graph
	mkdir -p results/graph
	for file in results.csv summary.json report.html figures; do \
	  cp -r runs/reproduce/$$file results/ && cp -r runs/reproduce-graph/$$file results/graph/ || exit 1; done
	cp runs/reproduce-graph/faithfulness.json results/graph/
	$(MAKE) reproduce-reader
	$(MAKE) reproduce-robust

TRAIN := $(BIN)/inkdigits train
ASSETS := src/inkdigits/reader/assets
SUMS := cd $(ASSETS) && sha256sum digits.onnx digits.int8.onnx lines.onnx > SHA256SUMS

# Trains the network that reads lines, and exports it as the packaged line reader. Fetches fonts (docs/line-reader.md).
reproduce-reader: $(INSTALLED)
	$(TRAIN) line-ctc --resume --out runs/line-ctc
	$(BIN)/inkdigits export runs/line-ctc --out $(ASSETS)/lines.onnx
	$(SUMS)
	$(BIN)/python benchmarks/confidence.py --fit

# Trains and measures the ensemble and its members, the student, each augmentation, and adversarial training. Exports the
# student as the packaged model, with its table of errors.
MEMBERS := $(foreach seed,0 1,runs/best-s$(seed))
AUGMENTED := $(foreach model,mlp lenet5 cnn,$(foreach augment,shift geometric robust,runs/$(model)-$(augment)))
MEASURED := runs/cnn-geometric $(filter-out runs/cnn-geometric,$(AUGMENTED)) $(addprefix runs/,views-shift cnn-hardened best-s0) bundled

reproduce-robust: $(INSTALLED)
	for seed in 0 1; do \
	  $(TRAIN) allcnn --preset best --epochs 32 --seed $$seed --validation 0 --resume --out runs/best-s$$seed || exit 1; done
	test -e runs/ensemble/model.json || $(BIN)/inkdigits ensemble $(MEMBERS) --out runs/ensemble
	$(BIN)/inkdigits evaluate runs/ensemble --json > results/robust/ensemble.json
	$(TRAIN) allcnn --preset student --teacher runs/ensemble --resume --out runs/student
	for model in mlp lenet5 cnn; do for augment in shift geometric robust; do \
	  $(TRAIN) $$model --augment $$augment --resume --out runs/$$model-$$augment || exit 1; done; done
	$(TRAIN) views --augment shift --resume --out runs/views-shift
	$(TRAIN) cnn --preset hardened --resume --out runs/cnn-hardened
	$(BIN)/inkdigits robust runs/student $(foreach suite,corruptions cross-dataset calibration refusal,--suite $(suite)) --out results/robust/student
	$(BIN)/inkdigits robust runs/cnn-hardened --suite adversarial --steps 100 --restarts 20 --epsilon 0.3 --out results/robust/hardened
	$(BIN)/inkdigits export runs/student --out $(ASSETS)/digits.onnx --json > results/robust/shipped.json
	$(BIN)/inkdigits export runs/student --format huggingface --robustness results/robust/student/robustness.json --out runs/hub
	cp runs/hub/README.md $(ASSETS)/
	$(SUMS)
	$(BIN)/python benchmarks/confidence.py --fit
	$(BIN)/inkdigits robust runs/views-shift --suite corruptions --out results/robust/views
	$(BIN)/inkdigits robust $(MEASURED) --digits 1000 --out results/robust

# reading.py --pages FOLDER also measures real pages, which are not in the repository.
bench: $(INSTALLED)
	$(BIN)/python benchmarks/lab.py
	$(BIN)/python benchmarks/graph.py
	$(BIN)/python benchmarks/robustness.py
	$(BIN)/python benchmarks/reading.py

# How many small faults in the code make a test fail; hours, and it goes on where it was interrupted. One module:
# make mutants MODULES='imaging/sheet.py'
MODULES ?= *
mutants: $(INSTALLED)
	$(BIN)/python benchmarks/mutants --jobs $(JOBS) '$(MODULES)'

notebooks: $(INSTALLED)
	$(BIN)/python notebooks/execute.py $(NOTEBOOKS)

# Every package with the hashes of its files, for Python 3.11 and later on all systems, made from pyproject.toml and
# constraints.txt. To be made again after a change of either.
LOCK := $(BIN)/uv pip compile pyproject.toml - --constraint constraints.txt --universal --python-version 3.11 \
  --generate-hashes --no-emit-package torch --no-emit-package pip --custom-compile-command 'make lock' --quiet
lock:
	@test -x $(BIN)/uv || $(MAKE) $(INSTALLED)
	echo setuptools | $(LOCK) --all-extras --output-file requirements.lock.txt
	echo setuptools | $(LOCK) --extra serve --output-file deploy/requirements.lock.txt

# Asks the vulnerability database of the package index about every installed package.
audit: $(INSTALLED)
	$(BIN)/pip-audit --skip-editable

# The software bill of materials of the environment, with versions and licences.
sbom: $(INSTALLED)
	mkdir -p build
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file build/sbom.cdx.json .venv

# All packages must have a known hash, except torch, which has other files for each kind of graphics card.
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
$(INSTALLED): pyproject.toml requirements.lock.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed; name one with make PYTHON=…"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv || \
	  { rm -rf .venv; echo "python3 cannot make environments here; on Debian: apt-get install python3-venv"; exit 1; }
	$(PIP) --require-hashes --no-deps --requirement requirements.lock.txt
	$(PIP) --constraint constraints.txt torch
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache
