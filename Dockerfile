# Moodstem in a container: `docker compose --profile cpu up -d` (or gpu). The image holds no settings and no secrets.
#
#   docker build -t moodstem .                     separates on the CPU
#   docker build -t moodstem:gpu --build-arg GPU=1 .   with CUDA; needs the NVIDIA container toolkit to run
#
# Every file that is installed is named with its SHA-256 (`make lock`), and so is the base: python:3.11.16-slim-bookworm
# of September 2026; `docker buildx imagetools inspect python:3.11-slim-bookworm` says which is the newest.

FROM python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b AS base

FROM base AS build

ARG GPU=0
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_DEPS=1 PIP_ROOT_USER_ACTION=ignore

RUN python -m venv --without-pip /opt/moodstem
WORKDIR /src
COPY deploy deploy

# The large one comes first: PyTorch, for the CPU from its own index alone (the usual build brings CUDA), and without its
# headers, tests and tools. Nothing is compiled here: the first run does that for what it uses.
RUN if [ "$GPU" = 1 ]; then pip --python /opt/moodstem install --no-compile --require-hashes --requirement deploy/torch-gpu.txt; \
    else pip --python /opt/moodstem install --no-compile --require-hashes --requirement deploy/torch-cpu.txt \
        --index-url https://download.pytorch.org/whl/cpu; fi \
    && cd /opt/moodstem/lib/python3.11/site-packages/torch && rm -r include test share/cmake \
    && find bin -type f ! -name torch_shm_manager -delete
RUN pip --python /opt/moodstem install --no-compile --require-hashes --requirement deploy/image.txt

COPY pyproject.toml README.md LICENSE config.toml ./
COPY core core
COPY jobs jobs
COPY bot bot
RUN pip install --require-hashes --requirement deploy/build.txt \
    && pip wheel --no-build-isolation --wheel-dir /wheels . \
    && pip --python /opt/moodstem install --no-compile /wheels/*.whl

# The first run shows that all is there, and compiles what is used (for its own user alone, as all that it writes).
RUN PATH=/opt/moodstem/bin:$PATH && cd /tmp && samples=/opt/moodstem/lib/python3.11/site-packages/core/library/samples \
    && moodstem --data first analyze "$(ls $samples/*.ogg | head -1)" \
    && python -c "import bot.app, bot.cli.run, jobs.process, demucs.htdemucs; bot.app.features()" \
    && moodstem --data first recommend --mood sadness=1 && rm -r first && chmod -R go+rX /opt/moodstem


FROM base

# Not --system: such a group would get a number of its own below 1000, and USER below names 10001.
RUN groupadd --gid 10001 moodstem \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin moodstem \
    && install --directory --owner=moodstem --group=moodstem --mode=0700 /data

COPY --from=build /opt/moodstem /opt/moodstem

# Fonts are cached under /tmp, so that the rest of the file system can be read-only.
ENV PATH=/opt/moodstem/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MOODSTEM_CONFIG=/etc/moodstem/config.toml \
    MOODSTEM_DATA=/data \
    MOODSTEM_LOG__FORMAT=json \
    MOODSTEM_MONITOR__PORT=9321 \
    MPLCONFIGDIR=/tmp/matplotlib

USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 9321
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"MOODSTEM_MONITOR__PORT\"]}/health', timeout=4)"]
ENTRYPOINT ["moodstem"]
CMD ["run"]
