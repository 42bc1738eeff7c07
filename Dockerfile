# Moodstem in a container: `docker compose --profile cpu up -d` (or gpu). The image holds no settings and no secrets.
#
#   docker build -t moodstem .                     separates on the CPU
#   docker build -t moodstem:gpu --build-arg GPU=1 .   with CUDA; needs the NVIDIA container toolkit to run

FROM python:3.11-slim-bookworm AS build

ARG GPU=0
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1

RUN python -m venv /opt/moodstem
WORKDIR /src
COPY pyproject.toml constraints.txt ./

# The large one comes first: PyTorch, for the CPU from its own index (the usual build brings CUDA), and alone, for what
# it needs is pinned in constraints.txt and that index has versions of its own choice. Then the other dependencies.
RUN torch="$(grep '^torch==' constraints.txt)" \
    && if [ "$GPU" = 1 ]; then /opt/moodstem/bin/pip install --constraint constraints.txt "$torch"; \
       else /opt/moodstem/bin/pip install --no-deps --index-url https://download.pytorch.org/whl/cpu "$torch"; fi
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
        > requirements.txt \
    && /opt/moodstem/bin/pip install --constraint constraints.txt --requirement requirements.txt

COPY README.md LICENSE config.toml ./
COPY deploy deploy
COPY core core
COPY jobs jobs
COPY bot bot
RUN /opt/moodstem/bin/pip install --no-deps . && /opt/moodstem/bin/pip check


FROM python:3.11-slim-bookworm

# Not --system: such a group would get a number of its own below 1000, and USER below names 10001.
RUN groupadd --gid 10001 moodstem \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin moodstem \
    && install --directory --owner=moodstem --group=moodstem --mode=0700 /data

COPY --from=build /opt/moodstem /opt/moodstem

# Compiled functions and fonts are cached under /tmp, so that the rest of the file system can be read-only.
ENV PATH=/opt/moodstem/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MOODSTEM_CONFIG=/etc/moodstem/config.toml \
    MOODSTEM_DATA=/data \
    MOODSTEM_LOG__FORMAT=json \
    MOODSTEM_MONITOR__PORT=9321 \
    NUMBA_CACHE_DIR=/tmp/numba \
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
