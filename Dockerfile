# Moodstem in a container: `docker compose --profile cpu up -d` (or gpu). The image holds no settings and no secrets.
#
#   docker build -t moodstem .                     separates on the CPU
#   docker build -t moodstem:gpu --build-arg GPU=1 .   with CUDA; needs the NVIDIA container toolkit to run
#
# Every file that is installed is named with its SHA-256 (`make lock`), and so is the base: python:3.11.16-slim-bookworm
# of 2026-09, for x86_64 and aarch64 (GPU: x86_64). A newer one is `docker buildx imagetools inspect python:3.11-slim-bookworm`.

FROM python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b AS base

FROM base AS build

ARG GPU=0
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_DEPS=1 PIP_REQUIRE_HASHES=1 PIP_ROOT_USER_ACTION=ignore

RUN python -m venv --without-pip /opt/moodstem
WORKDIR /src
COPY deploy deploy

# The large one comes first: PyTorch, for the CPU from its own index alone (the usual build brings CUDA). Its headers, tests
# and tools are of no use here, and what is compiled is what the run below uses: 470 MB less.
RUN if [ "$GPU" = 1 ]; then pip --python /opt/moodstem install --no-compile --requirement deploy/torch-gpu.txt; \
    else pip --python /opt/moodstem install --no-compile --requirement deploy/torch-cpu.txt \
        --index-url https://download.pytorch.org/whl/cpu; fi \
    && cd /opt/moodstem/lib/python3.11/site-packages/torch && rm -r include test share/cmake \
    && find bin -type f ! -name torch_shm_manager -delete
RUN pip --python /opt/moodstem install --no-compile --requirement deploy/image.txt

COPY pyproject.toml README.md LICENSE config.toml ./
COPY core core
COPY jobs jobs
COPY bot bot
RUN pip install --requirement deploy/build.txt \
    && PIP_REQUIRE_HASHES=0 pip wheel --no-build-isolation --wheel-dir /wheels . \
    && PIP_REQUIRE_HASHES=0 pip --python /opt/moodstem install --no-compile /wheels/*.whl

# The first run shows that all is there, and compiles what is used.
RUN PATH=/opt/moodstem/bin:$PATH && cd /tmp && samples=/opt/moodstem/lib/python3.11/site-packages/core/library/samples \
    && moodstem --data first analyze "$(ls $samples/*.ogg | head -1)" \
    && python -c "import bot, bot.app, bot.cli.run, jobs.process, demucs.htdemucs; bot.app.extensions()" \
    && moodstem --data first recommend --mood sadness=1 && rm -r first
